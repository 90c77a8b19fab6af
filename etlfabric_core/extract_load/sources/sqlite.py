"""Reads an uploaded SQLite file, read-only, by the types its columns were declared with.

The driver's own rows become Arrow in small pieces, while they are still in the processor's caches.

SQLite lets any value into any column. A value that its column's type does not hold is an error
that names the column: a silent change would be worse.
"""

import gc
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import ColumnElement, Connection, func
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from etlfabric_core.connectors import sqlite as connector
from etlfabric_core.connectors.record import Files
from etlfabric_core.connectors.sql import failed
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import Selection, SourceColumn, SourceTable
from etlfabric_core.extract_load.sources.exactness import require_exact
from etlfabric_core.extract_load.sources.sql import count_rows, to_arrow
from etlfabric_core.extract_load.sources.statements import (
    SqlColumn,
    SqlTable,
    TypeRule,
    sql_column,
    statement,
)
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig

if TYPE_CHECKING:
    import pyarrow

PIECE_ROWS = 8192


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
            return _read(self.connection, table, selection, self.batch_size)

        def count(selection: Selection) -> int:
            return count_rows(self.connection, table, selection)

        key = tuple(entry.name for entry in found if entry.primary_key)
        return SourceTable(name, table.source_columns, read, key, count=count)


def _read(
    connection: Connection, table: SqlTable, selection: Selection, batch_size: int
) -> "Iterator[pyarrow.Table]":
    """The rows of a selection, at most `batch_size` in a batch.

    Raises:
        TerminalError: a filter or a value is wrong; names the column.
    """
    from pyarrow import concat_tables

    columns = selection.narrowed(table.source_columns)
    try:
        with connection.execute(statement(table, selection)) as found:
            whole, rest = divmod(batch_size, PIECE_ROWS)
            sizes = [PIECE_ROWS] * whole + [rest] * bool(rest)
            while pieces := [
                piece
                for size in sizes
                if (piece := _piece(table.name, columns, found.cursor, size))
            ]:
                yield concat_tables(pieces)
    except (DBAPIError, sqlite3.Error) as error:
        known = error if isinstance(error, DBAPIError) else DBAPIError(None, None, error)
        raise failed(f"table '{table.name}'", known) from None


def _piece(
    table: str, columns: tuple[SourceColumn, ...], cursor: DBAPICursor, size: int
) -> "pyarrow.Table | None":
    """The next rows; None: there are no more.

    A collector that goes through thousands of new rows in search of cycles doubles the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        rows = cursor.fetchmany(size)
        return require_exact(table, columns, to_arrow(table, columns, rows)) if rows else None
    finally:
        if was_enabled:
            gc.enable()
