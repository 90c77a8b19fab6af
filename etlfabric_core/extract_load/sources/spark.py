"""Reads Spark. Decimals and times are written as text by the server, exactly, in UTC."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import ColumnElement, Connection, func, literal

from etlfabric_core.connectors import spark as connector
from etlfabric_core.connectors.record import Files, parse
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import Selection, SourceTable
from etlfabric_core.extract_load.sources.sql import read_rows
from etlfabric_core.extract_load.sources.statements import SqlTable, TypeRule, sql_column
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig

if TYPE_CHECKING:
    import pyarrow

Element = ColumnElement[Any]


def _text(column: Element) -> Element:
    return sqlalchemy.cast(column, sqlalchemy.String)


def _moment(column: Element) -> Element:
    return func.concat(_text(column), "+00")


def _bound(value: Any) -> Element:
    """A parameter that the driver can write, of the type that it is compared as."""
    if isinstance(value, datetime):
        return literal(value.replace(tzinfo=None).isoformat(" "))
    if isinstance(value, date):
        return literal(value.isoformat())
    if isinstance(value, Decimal):
        return literal(format(value, "f"))
    return literal(value)


SESSION = (
    "set spark.sql.session.timeZone=UTC",
    "set spark.sql.thriftServer.incrementalCollect=true",  # else the server holds all rows at once
)
RULES = (
    TypeRule(r"tinyint|smallint", "int64", "smallint"),
    TypeRule(r"int", "int64", "integer"),
    TypeRule(r"bigint", "int64", "bigint"),
    TypeRule(r"boolean", "bool", "boolean"),
    TypeRule(r"decimal\((\d+),(\d+)\)", "string", r"numeric(\1,\2)", _text),
    TypeRule(r"float", "double", "real"),
    TypeRule(r"double", "double", "double precision"),
    TypeRule(r"date", "string", "date", _text),
    TypeRule(r"timestamp", "string", "timestamp with time zone", _moment),
    TypeRule(r"timestamp_ntz", "string", "timestamp without time zone", _text),
    TypeRule(r"binary", "string", "bytea"),
    TypeRule(r"(?:array|map|struct)<.*", "string", "json", func.to_json, func.to_json),
    TypeRule(r"string|(?:var)?char\(.*", "string", "text"),
    TypeRule(r".*", "string", "text", _text, _text),
)


@contextmanager
def open_reader(
    endpoint: Endpoint, files: Files, config: PipelineConfig
) -> "Iterator[SparkReader]":
    """A session at the Thrift server.

    Raises:
        InvalidConfig, TerminalError, TransientError: as `connectors.spark.connect`.
    """
    default = parse(connector.SparkConfig, endpoint.config).database
    with connector.connect(endpoint) as connection:
        for line in SESSION:
            connection.exec_driver_sql(line)
        yield SparkReader(connection, config.source_schema or default, config.batch_size)


@dataclass(frozen=True)
class SparkReader:
    """An open Spark session."""

    connection: Connection
    database: str
    batch_size: int

    def names(self) -> list[str]:
        """The tables and views of the database: Spark lists them alike."""
        return sorted(connector.tables_of(self.connection, self.database))

    def table(self, resource: ResourceConfig) -> SourceTable:
        """The table or view a resource reads; `database.table` reaches into another database.

        Raises:
            TerminalError: there is none that the user of the connection may read.
        """
        source = resource.source or resource.name
        database, name, found = connector.located(self.connection, source, self.database)
        columns = tuple(sql_column(entry.name, entry.type, RULES) for entry in found)
        table = SqlTable(name, columns, database, _bound)

        def read(selection: Selection) -> "Iterator[pyarrow.Table]":
            return read_rows(self.connection, table, selection, self.batch_size)

        return SourceTable(name, table.source_columns, read)
