"""Reads any SQL source through SQLAlchemy: rows in batches, by the types of the columns.

The server sends what Arrow cannot hold without a change as text; the destination reads it back by
the same type. A value that its column's type does not hold is an error that names the column.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from types import NoneType
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from etlfabric_core.connectors.record import DiscoveredColumn
from etlfabric_core.connectors.sql import SqlSystem, describe, failed, list_tables, locate
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import (
    Selection,
    SourceColumn,
    SourceTable,
    arrow_schema,
)
from etlfabric_core.extract_load.sources.exactness import require_exact
from etlfabric_core.extract_load.sources.statements import (
    SqlTable,
    TypeRule,
    bound,
    count_statement,
    sql_column,
    statement,
)
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True)
class SqlSource:
    """How tables of one kind of SQL server are read.

    `rules` say how types travel; `session` are statements that make the session's texts exact.
    """

    system: SqlSystem
    rules: tuple[TypeRule, ...]
    session: tuple[str, ...] = ()
    bind: Callable[[Any], Any] = bound

    @contextmanager
    def open(self, endpoint: Endpoint, files: Any, config: PipelineConfig) -> "Iterator[SqlReader]":
        """A session at the source.

        Raises:
            InvalidConfig, TerminalError, TransientError: as `SqlSystem.connect`.
        """
        schema = config.source_schema or self.system.default_schema(endpoint)
        with self.system.connect(endpoint) as connection:
            for line in self.session:
                connection.execute(sqlalchemy.text(line))
            yield SqlReader(self, connection, schema, config.batch_size)


@dataclass(frozen=True)
class SqlReader:
    """An open SQL source."""

    source: SqlSource
    connection: Connection
    schema: str
    batch_size: int

    def names(self) -> list[str]:
        """The tables of the schema, without views."""
        found = list_tables(self.connection, [self.schema], self.schema)
        return sorted(table.name for table in found if table.kind == "table")

    def table(self, resource: ResourceConfig) -> SourceTable:
        """The table or view a resource reads; `schema.table` reaches into another schema.

        Raises:
            TerminalError: there is none that the user of the connection may read.
        """
        schema, name = locate(self.connection, resource.source or resource.name, self.schema)
        columns = describe(self.connection, schema, name, self.source.system)
        table = sql_table(name, schema, columns, self.source)
        if self.connection.dialect.requires_name_normalize:
            table = replace(table, quoted=None)

        def read(selection: Selection) -> "Iterator[pyarrow.Table]":
            return read_rows(self.connection, table, selection, self.batch_size)

        key = tuple(column.name for column in columns if column.primary_key)
        return SourceTable(name, table.source_columns, read, key)


def sql_table(
    name: str, schema: str | None, columns: Sequence[DiscoveredColumn], source: SqlSource
) -> SqlTable:
    """A table whose columns travel by the rules of the source."""
    travelling = tuple(sql_column(entry.name, entry.type, source.rules) for entry in columns)
    return SqlTable(name, travelling, schema, source.bind)


def read_rows(
    connection: Connection, table: SqlTable, selection: Selection, batch_size: int
) -> "Iterator[pyarrow.Table]":
    """The rows of a selection, at most `batch_size` in memory.

    Raises:
        TerminalError: a filter or a value is wrong; names the column.
        TransientError: the connection was lost.
    """
    query, columns = statement(table, selection), selection.narrowed(table.source_columns)
    try:
        found = connection.execution_options(stream_results=True).execute(query)
        for rows in found.partitions(batch_size):
            yield require_exact(table.name, columns, to_arrow(table.name, columns, rows))
    except DBAPIError as error:
        raise failed(f"table '{table.name}'", error) from None


def count_rows(connection: Connection, table: SqlTable, selection: Selection) -> int:
    """How many rows a selection has.

    Raises:
        TerminalError, TransientError: as `read_rows`.
    """
    try:
        return int(connection.execute(count_statement(table, selection)).scalar_one())
    except DBAPIError as error:
        raise failed(f"table '{table.name}'", error) from None


def to_arrow(
    table: str, columns: tuple[SourceColumn, ...], rows: Sequence[Sequence[Any]]
) -> "pyarrow.Table":
    """Rows of a driver as Arrow.

    Raises:
        TerminalError: a value is not of its column's type; names the column.
    """
    import pyarrow as pa

    schema = arrow_schema(columns)
    arrays = []
    for column, field, values in zip(columns, schema, zip(*rows, strict=True), strict=True):
        try:
            arrays.append(pa.array(_converted(column, values), type=field.type))
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            raise TerminalError(
                f"table '{table}', column '{column.name}': a value is not "
                f"{column.destination_type or column.arrow}, as the column is declared",
                hint="correct the value, or declare the column with a type that holds it",
            ) from None
    return pa.Table.from_arrays(arrays, schema=schema)


def _converted(column: SourceColumn, values: Sequence[Any]) -> Sequence[Any]:
    """The values as Arrow takes them; where all are of a usual type, without a call for each."""
    convert = CONVERSIONS.get(column.destination_type or "", CONVERSIONS[column.arrow])
    types, usual = USUAL.get(convert, NEVER)
    if set(map(type, values)) <= types:
        return usual(values)
    return [None if value is None else convert(value) for value in values]


def _integer(value: Any) -> int:
    if isinstance(value, int):
        return value
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    raise TypeError("not an integer")


def _double(value: Any) -> float:
    if not isinstance(value, int | float | Decimal):
        raise TypeError("not a number")
    return float(value)


def _boolean(value: Any) -> bool:
    if value not in (0, 1):
        raise ValueError("neither 0 nor 1")
    return bool(value)


def _date(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise TypeError("not a date")


def _string(value: Any) -> str:
    """A value that PostgreSQL reads back as it was."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError("bytes in a column of text")
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, date | datetime) else repr(value)


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError("not a number")
    return _string(value)


def _bytes(value: Any) -> str:
    data = value.encode() if isinstance(value, str) else bytes(value)
    return "\\x" + data.hex()


CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "int64": _integer,
    "uint64": _integer,
    "double": _double,
    "bool": _boolean,
    "date32": _date,
    "string": _string,
    "numeric": _number,
    "bytea": _bytes,
}


def _as_they_are(values: Sequence[Any]) -> Sequence[Any]:
    return values


def _truths(values: Sequence[Any]) -> Sequence[Any]:
    if not set(values) <= TRUTHS.keys():
        raise ValueError("neither 0 nor 1")
    return list(map(TRUTHS.get, values))


def _written(values: Sequence[Any]) -> Sequence[Any]:
    return [None if value is None else repr(value) for value in values]


TRUTHS = {0: False, 1: True, None: None}
USUAL: dict[
    Callable[[Any], Any], tuple[frozenset[type], Callable[[Sequence[Any]], Sequence[Any]]]
] = {
    _integer: (frozenset({int, NoneType}), _as_they_are),
    _double: (frozenset({float, NoneType}), _as_they_are),
    _string: (frozenset({str, NoneType}), _as_they_are),
    _boolean: (frozenset({int, NoneType}), _truths),
    _number: (frozenset({int, float, NoneType}), _written),
}
NEVER: tuple[frozenset[type], Callable[[Sequence[Any]], Sequence[Any]]] = (
    frozenset(),
    _as_they_are,
)
