"""Reads PostgreSQL by `COPY … TO STDOUT`: as fast as the server writes, in bounded memory.

Integers, floats and booleans are parsed; every other type stays the text PostgreSQL wrote and is
read back by the same type at the destination, so no value changes on the way.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from etlfabric_core.connectors import postgres as connector
from etlfabric_core.connectors.record import DiscoveredResource, Files, parse
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint, Window
from etlfabric_core.extract_load.source_table import (
    Selection,
    SourceColumn,
    SourceTable,
    arrow_schema,
)
from etlfabric_core.graph.configs import PipelineConfig, ResourceConfig

if TYPE_CHECKING:
    import psycopg
    import pyarrow
    from psycopg import sql

BLOCK_BYTES = 4 << 20
PARSED = {
    "smallint": "int64",
    "integer": "int64",
    "bigint": "int64",
    "double precision": "double",
    "boolean": "bool",
}
# Types of pg_catalog that any other PostgreSQL has too. All else arrives as text.
KNOWN_TYPE = re.compile(
    r"(smallint|integer|bigint|real|double precision|boolean|text|uuid|bytea|date|jsonb?|xml|money"
    r"|numeric(\(\d+,-?\d+\))?|character varying(\(\d+\))?|character(\(\d+\))?|inet|cidr|macaddr8?"
    r"|time(\(\d\))? with(out)? time zone|timestamp(\(\d\))? with(out)? time zone"
    r"|interval[a-z ]*(\(\d\))?|bit( varying)?(\(\d+\))?|point|line|lseg|box|path|polygon|circle"
    r"|int4range|int8range|numrange|tsrange|tstzrange|daterange|tsvector)(\[\])?"
)
SESSION = (
    "set time zone 'UTC'; set datestyle to 'ISO, YMD'; set intervalstyle to 'postgres'; "
    "set bytea_output to 'hex'; set extra_float_digits to 3; "
    "set default_transaction_read_only to on"
)


@contextmanager
def open_reader(
    endpoint: Endpoint, files: Files, config: PipelineConfig
) -> "Iterator[PostgresReader]":
    """A read-only session at the source.

    Raises:
        TerminalError, TransientError: as `connectors.postgres.connect`.
    """
    schema = config.source_schema or parse(connector.PostgresConfig, endpoint.config).schema_
    with connector.connect(endpoint, application_name="etlfabric/extract") as connection:
        connection.autocommit = True
        for statement in SESSION.split(";"):
            connection.execute(statement)
        yield PostgresReader(connection, schema)


@dataclass(frozen=True)
class PostgresReader:
    """An open PostgreSQL source."""

    connection: "psycopg.Connection"
    schema: str

    def names(self) -> list[str]:
        """The base tables of the schema."""
        found = connector.describe(
            self.connection, default_schema=self.schema, schema=self.schema, views=False
        )
        return [resource.name for resource in found]

    def table(self, resource: ResourceConfig) -> SourceTable:
        """The table or view a resource reads; `schema.table` reaches into another schema.

        Raises:
            TerminalError: there is none that the user may read.
        """
        schema, name = self._locate(resource.source or resource.name)
        found = self._describe(schema, name)
        if found is None:
            raise TerminalError(
                f"resource '{resource.name}': no table '{name}' in schema '{schema}' of the source",
                hint="check the name, the schema, and that the user may read it",
            )
        columns = tuple(_column(entry.name, entry.type) for entry in found.columns)
        key = tuple(entry.name for entry in found.columns if entry.primary_key)

        def read(selection: Selection) -> "Iterator[pyarrow.Table]":
            return _copy(self.connection, _query(schema, name, columns, selection), columns)

        return SourceTable(name, columns, read, key)

    def _locate(self, source: str) -> tuple[str, str]:
        schema, dot, name = source.partition(".")
        if dot and self._describe(self.schema, source) is None:
            return schema, name
        return self.schema, source

    def _describe(self, schema: str, name: str) -> DiscoveredResource | None:
        found = connector.describe(
            self.connection, default_schema=schema, schema=schema, table=name
        )
        return next(iter(found), None)


def _column(name: str, type_: str) -> SourceColumn:
    destination = type_ if KNOWN_TYPE.fullmatch(type_) else "text"
    is_time = type_.startswith(("timestamp", "date")) and not type_.endswith("]")
    return SourceColumn(name, PARSED.get(type_, "string"), destination, is_time)


def _query(
    schema: str, table: str, columns: tuple[SourceColumn, ...], selection: Selection
) -> "sql.Composed":
    from psycopg import sql

    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    query = sql.SQL("select {} from {}").format(names, sql.Identifier(schema, table))
    if selection.cursor is None:
        return query
    cursor = sql.Identifier(selection.cursor)
    if selection.window is not None:
        type_ = next(c.destination_type for c in columns if c.name == selection.cursor)
        return query + _within(cursor, type_ or "timestamptz", selection.window)
    if selection.at_least is not None:
        # `not (c < x)` would do the same for rows; this form also lets an index be used, and
        # empty cursors are read so that they are refused rather than forgotten.
        condition = sql.SQL(" where {} >= {} or {} is null")
        return query + condition.format(cursor, sql.Literal(selection.at_least), cursor)
    return query


def _within(cursor: "sql.Identifier", type_: str, window: Window) -> "sql.Composed":
    """`where` the cursor lies in the window. A time without a zone is taken as UTC."""
    from psycopg import sql

    start, end = (bound.astimezone(UTC) for bound in (window.start, window.end))
    form = " where {0} >= {1}::timestamptz and {0} < {2}::timestamptz"
    if type_.startswith("date") or "without" in type_:
        form = " where {0} >= {1}::timestamp and {0} < {2}::timestamp"
        start, end = start.replace(tzinfo=None), end.replace(tzinfo=None)
    return sql.SQL(form).format(
        cursor, sql.Literal(start.isoformat()), sql.Literal(end.isoformat())
    )


def _copy(
    connection: "psycopg.Connection", query: "sql.Composed", columns: tuple[SourceColumn, ...]
) -> "Iterator[pyarrow.Table]":
    from psycopg import sql
    from pyarrow import Table

    statement = sql.SQL("copy ({}) to stdout (format csv)").format(query)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        stream = io.BufferedReader(_CopyStream(iter(copy)), BLOCK_BYTES)
        if not stream.peek(1):
            return
        for batch in _csv_reader(stream, columns):
            yield Table.from_batches([batch])


def _csv_reader(
    stream: "io.BufferedReader[Any]", columns: tuple[SourceColumn, ...]
) -> "pyarrow.csv.CSVStreamingReader":
    from pyarrow import csv

    schema = arrow_schema(columns)
    return csv.open_csv(
        stream,
        csv.ReadOptions(column_names=schema.names, block_size=BLOCK_BYTES, use_threads=False),
        csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        csv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )


class _CopyStream(io.RawIOBase):
    """What the server sends, as a file."""

    def __init__(self, blocks: "Iterator[bytes | bytearray | memoryview]") -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
