"""Reads an uploaded SQLite file, read-only, by the types its columns were declared with.

SQLite lets any value into any column. A value that its column's type does not hold is an error
that names the column: a silent change would be worse.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from etlfabric_core.connectors import sqlite as connector
from etlfabric_core.connectors.record import Files
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import (
    Selection,
    SourceColumn,
    SourceTable,
    arrow_schema,
)
from etlfabric_core.graph.configs import PipelineConfig, ResourceConfig

if TYPE_CHECKING:
    import pyarrow


@contextmanager
def open_reader(
    endpoint: Endpoint, files: Files, config: PipelineConfig
) -> "Iterator[SqliteReader]":
    """The file of the connection, opened read-only.

    Raises:
        TerminalError: as `connectors.sqlite.connect`.
    """
    with connector.connect(endpoint, files) as connection:
        yield SqliteReader(connection, config.batch_size)


@dataclass(frozen=True)
class SqliteReader:
    """An open SQLite source."""

    connection: sqlite3.Connection
    batch_size: int

    def names(self) -> list[str]:
        """Tables and views."""
        return connector.table_names(self.connection)

    def table(self, resource: ResourceConfig) -> SourceTable:
        """The table or view a resource reads.

        Raises:
            TerminalError: there is none of that name.
        """
        name = resource.source or resource.name
        found = connector.describe(self.connection, name)
        if not found:
            raise TerminalError(
                f"resource '{resource.name}': no table '{name}' in the file",
                hint=f"one of: {', '.join(self.names())}",
            )
        columns = tuple(_column(entry.name, entry.type) for entry in found)
        key = tuple(entry.name for entry in found if entry.primary_key)

        def read(selection: Selection) -> "Iterator[pyarrow.Table]":
            return self._read(name, columns, selection)

        return SourceTable(name, columns, read, key)

    def _read(
        self, name: str, columns: tuple[SourceColumn, ...], selection: Selection
    ) -> "Iterator[pyarrow.Table]":
        condition, values = _condition(selection)
        names = ", ".join(_quote(column.name) for column in columns)
        query = f"select {names} from {_quote(name)}{condition}"  # noqa: S608 (names are quoted)
        cursor = self.connection.execute(query, values)
        while rows := cursor.fetchmany(self.batch_size):
            yield _batch(name, columns, rows)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _condition(selection: Selection) -> tuple[str, list[Any]]:
    if selection.cursor is None:
        return "", []
    cursor = _quote(selection.cursor)
    if selection.window is not None:
        text = f"strftime('%Y-%m-%d %H:%M:%f', {cursor})"
        bounds = [_sqlite_time(selection.window.start), _sqlite_time(selection.window.end)]
        return f" where {text} >= ? and {text} < ?", bounds
    if selection.at_least is not None:
        return f" where {cursor} >= ? or {cursor} is null", [selection.at_least]
    return "", []


def _sqlite_time(bound: datetime) -> str:
    return bound.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _column(name: str, declared: str) -> SourceColumn:
    """By SQLite's own rules of affinity, apart from booleans and times, which it has not."""
    if "BOOL" in declared:
        return SourceColumn(name, "bool")
    if "DATE" in declared or "TIME" in declared:
        return SourceColumn(name, "string", "text", is_time=True)
    if "INT" in declared:
        return SourceColumn(name, "int64", "bigint")
    if any(word in declared for word in ("CHAR", "CLOB", "TEXT")):
        return SourceColumn(name, "string", "text")
    if "BLOB" in declared:
        return SourceColumn(name, "string", "bytea")
    if any(word in declared for word in ("REAL", "FLOA", "DOUB")):
        return SourceColumn(name, "double", "double precision")
    return SourceColumn(name, "string", "numeric" if declared else "text")


def _batch(
    table: str, columns: tuple[SourceColumn, ...], rows: list[tuple[Any, ...]]
) -> "pyarrow.Table":
    import pyarrow as pa

    arrays = []
    schema = arrow_schema(columns)
    for index, column in enumerate(columns):
        convert = CONVERSIONS.get(column.destination_type or column.arrow)
        try:
            values = [_converted(row[index], convert) for row in rows]
            arrays.append(pa.array(values, type=schema.field(index).type))
        except (pa.ArrowException, TypeError, ValueError):
            raise TerminalError(
                f"table '{table}', column '{column.name}': a value is not "
                f"{column.destination_type or column.arrow}, as the column is declared",
                hint="correct the value, or declare the column with a type that holds it",
            ) from None
    return pa.Table.from_arrays(arrays, schema=schema)


def _converted(value: Any, convert: Callable[[Any], Any] | None) -> Any:
    return value if value is None or convert is None else convert(value)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        raise TypeError("bytes in a column of text")
    return value if isinstance(value, str) else repr(value)


def _number(value: Any) -> str:
    if not isinstance(value, int | float):
        raise TypeError("text in a column of numbers")
    return repr(value)


def _boolean(value: Any) -> bool:
    if value not in (0, 1):
        raise ValueError("neither 0 nor 1")
    return bool(value)


def _bytes(value: Any) -> str:
    return "\\x" + (value if isinstance(value, bytes) else _text(value).encode()).hex()


CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "numeric": _number,
    "bool": _boolean,
    "bytea": _bytes,
}
