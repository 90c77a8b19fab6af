"""Reads an uploaded SQLite file, read-only, by the types its columns were declared with.

SQLite lets any value into any column. A value that its column's type does not hold is an error
that names the column: a silent change would be worse.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import ColumnElement, Connection, func
from sqlalchemy.pool import StaticPool

from etlfabric_core.connectors import sqlite as connector
from etlfabric_core.connectors.record import Files
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import Selection, SourceTable
from etlfabric_core.extract_load.sources.sql import count_rows, read_rows
from etlfabric_core.extract_load.sources.statements import (
    SqlColumn,
    SqlTable,
    TypeRule,
    sql_column,
)
from etlfabric_core.graph.configs import PipelineConfig, ResourceConfig

if TYPE_CHECKING:
    import pyarrow


def _moment(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The one form of a time, which SQLite holds as text in several, or as a number."""
    return func.strftime("%Y-%m-%d %H:%M:%f", column)


# SQLite's own rules of affinity, apart from booleans and times, which it has not.
RULES = (
    TypeRule(r".*BOOL.*", "bool", "boolean"),
    TypeRule(r".*(DATE|TIME).*", "string", "text"),
    TypeRule(r".*INT.*", "int64", "bigint"),
    TypeRule(r".*(CHAR|CLOB|TEXT).*", "string", "text"),
    TypeRule(r".*BLOB.*", "string", "bytea"),
    TypeRule(r".*(REAL|FLOA|DOUB).*", "double", "double precision"),
    TypeRule(r".+", "string", "numeric"),
    TypeRule(r"", "string", "text"),
)


def _bound(value: Any) -> ColumnElement[Any]:
    """SQLite has no decimals: its numbers are integers and doubles."""
    return sqlalchemy.literal(float(value) if isinstance(value, Decimal) else value)


def _column(name: str, declared: str) -> SqlColumn:
    made = sql_column(name, declared, RULES)
    if any(word in declared for word in ("DATE", "TIME")):
        return replace(made, column=replace(made.column, is_time=True), in_window=_moment)
    return made


@contextmanager
def open_reader(
    endpoint: Endpoint, files: Files, config: PipelineConfig
) -> "Iterator[SqliteReader]":
    """The file of the connection, opened read-only.

    Raises:
        TerminalError: as `connectors.sqlite.connect`.
    """
    with connector.connect(endpoint, files) as file:
        engine = sqlalchemy.create_engine(
            "sqlite://", creator=lambda: file, poolclass=StaticPool, hide_parameters=True
        )
        with engine.connect() as connection:
            yield SqliteReader(file, connection, config.batch_size)


@dataclass(frozen=True)
class SqliteReader:
    """An open SQLite source."""

    file: sqlite3.Connection
    connection: Connection
    batch_size: int

    def names(self) -> list[str]:
        """Tables and views."""
        return connector.table_names(self.file)

    def table(self, resource: ResourceConfig) -> SourceTable:
        """The table or view a resource reads.

        Raises:
            TerminalError: there is none of that name.
        """
        name = resource.source or resource.name
        found = connector.describe(self.file, name)
        if not found:
            raise TerminalError(
                f"resource '{resource.name}': no table '{name}' in the file",
                hint=f"one of: {', '.join(self.names())}",
            )
        columns = tuple(_column(entry.name, entry.type) for entry in found)
        table = SqlTable(name, columns, bind=_bound)

        def read(selection: Selection) -> "Iterator[pyarrow.Table]":
            return read_rows(self.connection, table, selection, self.batch_size)

        def count(selection: Selection) -> int:
            return count_rows(self.connection, table, selection)

        key = tuple(entry.name for entry in found if entry.primary_key)
        return SourceTable(name, table.source_columns, read, key, count=count)
