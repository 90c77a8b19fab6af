"""Reads an uploaded DuckDB file as a stream of Arrow batches.

What Arrow and PostgreSQL do not both hold travels as the text DuckDB writes; lists, structs and
maps become JSON.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import ColumnElement, Select, func
from sqlalchemy.engine.default import DefaultDialect

from etlfabric_core.connectors import duckdb as connector
from etlfabric_core.connectors.record import Files
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import Selection, SourceTable, arrow_schema
from etlfabric_core.extract_load.sources.exactness import require_exact
from etlfabric_core.extract_load.sources.statements import (
    SqlTable,
    TypeRule,
    count_statement,
    sql_column,
    statement,
)
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig

if TYPE_CHECKING:
    import duckdb
    import pyarrow

Element = ColumnElement[Any]


def _text(column: Element) -> Element:
    return sqlalchemy.cast(column, sqlalchemy.VARCHAR)


def _dated(column: Element) -> Element:
    """PostgreSQL writes years before Christ without brackets."""
    return func.replace(_text(column), " (BC)", " BC")


def _json(column: Element) -> Element:
    return _text(func.to_json(column))


def _hex(column: Element) -> Element:
    return sqlalchemy.literal("\\x").op("||")(func.lower(func.hex(column)))


RULES = (
    TypeRule(r"BOOLEAN", "bool", "boolean"),
    TypeRule(r"TINYINT|SMALLINT|UTINYINT", "int64", "smallint"),
    TypeRule(r"INTEGER|USMALLINT", "int64", "integer"),
    TypeRule(r"BIGINT|UINTEGER", "int64", "bigint"),
    TypeRule(r"UBIGINT", "uint64", "numeric(20,0)"),
    TypeRule(r"U?HUGEINT", "string", "numeric(39,0)", _text),
    TypeRule(r"BIGNUM|VARINT", "string", "numeric", _text),
    TypeRule(r"DECIMAL\((\d+),(\d+)\)", "string", r"numeric(\1,\2)", _text),
    TypeRule(r"FLOAT", "double", "real"),
    TypeRule(r"DOUBLE", "double", "double precision"),
    TypeRule(r"DATE", "string", "date", _dated),
    TypeRule(r"TIMESTAMP WITH TIME ZONE", "string", "timestamp with time zone", _dated),
    TypeRule(r"TIMESTAMP(?:_S|_MS|_NS)?", "string", "timestamp without time zone", _dated),
    TypeRule(r"TIME WITH TIME ZONE", "string", "time with time zone", _text, _text),
    TypeRule(r"TIME(?:_NS)?", "string", "time without time zone", _text, _text),
    TypeRule(r"INTERVAL", "string", "interval", _text, _text),
    TypeRule(r"BLOB", "string", "bytea", _hex),
    TypeRule(r"BIT", "string", "bit varying", _text, _text),
    TypeRule(r"UUID", "string", "uuid", _text, _text),
    TypeRule(r"JSON", "string", "json", _text, _text),
    TypeRule(r".*\]|(?:STRUCT|MAP|UNION)\(.*", "string", "json", _json, _json),
    TypeRule(r".*", "string", "text", _text, _text),
)
DIALECT = DefaultDialect(paramstyle="qmark")


@contextmanager
def open_reader(
    endpoint: Endpoint, files: Files, config: PipelineConfig
) -> "Iterator[DuckdbReader]":
    """The file of the connection, opened read-only.

    Raises:
        TerminalError: as `connectors.duckdb.connect`.
    """
    with connector.connect(endpoint, files) as connection:
        schema = config.source_schema or connector.DEFAULT_SCHEMA
        yield DuckdbReader(connection, schema, config.batch_size)


@dataclass(frozen=True)
class DuckdbReader:
    """An open DuckDB source."""

    connection: "duckdb.DuckDBPyConnection"
    schema: str
    batch_size: int

    def names(self) -> list[str]:
        """The tables of the schema, without views."""
        found = connector.tables(self.connection)
        return sorted(t.name for t in found if t.schema == self.schema and t.kind == "table")

    def table(self, resource: ResourceConfig) -> SourceTable:
        """The table or view a resource reads; `schema.table` reaches into another schema.

        Raises:
            TerminalError: there is none of that name.
        """
        source = resource.source or resource.name
        schema, name = connector.locate(self.connection, source, self.schema)
        found = connector.describe(self.connection, schema, name)
        columns = tuple(sql_column(entry.name, entry.type, RULES) for entry in found)
        table = SqlTable(name, columns, schema)

        def read(selection: Selection) -> "Iterator[pyarrow.Table]":
            return self._read(table, selection)

        def count(selection: Selection) -> int:
            [rows] = self._run(table, count_statement(table, selection)).fetchall()
            return int(rows[0])

        key = tuple(entry.name for entry in found if entry.primary_key)
        return SourceTable(name, table.source_columns, read, key, count=count)

    def _read(self, table: SqlTable, selection: Selection) -> "Iterator[pyarrow.Table]":
        import duckdb
        from pyarrow import Table

        columns = selection.narrowed(table.source_columns)
        schema = arrow_schema(columns)
        try:
            found = self._run(table, statement(table, selection))
            for batch in found.to_arrow_reader(self.batch_size):
                made = Table.from_batches([batch]).rename_columns(schema.names).cast(schema)
                yield require_exact(table.name, columns, made)
        except (duckdb.Error, OSError) as error:
            raise _unreadable(table, error) from None

    def _run(self, table: SqlTable, query: "Select[Any]") -> "duckdb.DuckDBPyRelation":
        import duckdb

        made = query.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
        values = [made.params[name] for name in made.positiontup or ()]
        try:
            return self.connection.sql(made.string, params=values)
        except (duckdb.Error, OSError) as error:
            raise _unreadable(table, error) from None


def _unreadable(table: SqlTable, error: Exception) -> TerminalError:
    return TerminalError(
        f"table '{table.name}': DuckDB cannot read it ({type(error).__name__})",
        hint="a view may use nothing but tables of the file, and 512 MB of memory",
    )
