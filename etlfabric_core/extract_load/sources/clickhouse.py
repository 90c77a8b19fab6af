"""Reads ClickHouse as a stream of Arrow over HTTP.

What Arrow and PostgreSQL do not both hold, the server writes as text; arrays, maps and tuples
become JSON. Times are moments there, so they arrive with a zone.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy import ColumnElement, func
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.sql.compiler import IdentifierPreparer, SQLCompiler

from etlfabric_core.connectors import clickhouse as connector
from etlfabric_core.connectors.record import Files, parse
from etlfabric_core.errors import TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import Selection, SourceTable, arrow_schema
from etlfabric_core.extract_load.sources.exactness import require_exact
from etlfabric_core.extract_load.sources.statements import (
    SqlTable,
    TypeRule,
    sql_column,
    statement,
)
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig

if TYPE_CHECKING:
    import pyarrow

Element = ColumnElement[Any]

END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"  # the last bytes of a whole Arrow stream
LONGEST_SCALE = 38


def _text(column: Element) -> Element:
    return func.toString(column)


def _moment(column: Element) -> Element:
    return func.concat(func.toString(column, "UTC"), "+00")


RULES = (
    TypeRule(r"Bool", "bool", "boolean"),
    TypeRule(r"U?Int8|Int16", "int64", "smallint"),
    TypeRule(r"UInt16|Int32", "int64", "integer"),
    TypeRule(r"UInt32|Int64", "int64", "bigint"),
    TypeRule(r"UInt64", "uint64", "numeric(20,0)"),
    TypeRule(r"U?Int(?:128|256)", "string", "numeric", _text),
    TypeRule(r"Float32", "double", "real"),
    TypeRule(r"Float64", "double", "double precision"),
    TypeRule(r"Decimal\((\d+), (\d+)\)", "string", r"numeric(\1,\2)", _text),
    TypeRule(r"Date(?:32)?", "string", "date", _text),
    TypeRule(r"DateTime.*", "string", "timestamp with time zone", _moment),
    TypeRule(r"UUID", "string", "uuid", _text, _text),
    TypeRule(r"IPv[46]", "string", "inet", _text, _text),
    TypeRule(
        r"(?:Array|Map|Tuple|Nested|Variant|Object|JSON|Dynamic).*",
        "string",
        "json",
        func.toJSONString,
        func.toJSONString,
    ),
    TypeRule(r".*", "string", "text", _text, _text),
)


def _kind(value: Any) -> tuple[str, str]:
    """The type of a parameter in ClickHouse's words, and its text."""
    if isinstance(value, bool):
        return "Bool", str(value).lower()
    if isinstance(value, int):
        return "Int256", str(value)
    if isinstance(value, float):
        return "Float64", repr(value)
    if isinstance(value, Decimal):
        scale = min(max(-int(value.as_tuple().exponent), 0), LONGEST_SCALE)
        return f"Decimal(76, {scale})", format(value, "f")
    if isinstance(value, datetime):
        return "DateTime64(6, 'UTC')", value.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, date):
        return "Date32", value.isoformat()
    return "String", str(value)


class _Compiler(SQLCompiler):
    def bindparam_string(self, name: str, *others: Any, **options: Any) -> str:
        """A parameter as `{name:Type}`."""
        return f"{{{name}:{_kind(self.binds[name].effective_value)[0]}}}"


class _Names(IdentifierPreparer):
    def _escape_identifier(self, value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"')


class _Dialect(DefaultDialect):
    statement_compiler = _Compiler
    preparer = _Names
    supports_statement_cache = False


@contextmanager
def open_reader(
    endpoint: Endpoint, files: Files, config: PipelineConfig
) -> "Iterator[ClickhouseReader]":
    """The server of the connection; each table is a request of its own.

    Raises:
        InvalidConfig: the connection's config is wrong.
    """
    default = parse(connector.ClickhouseConfig, endpoint.config).database
    yield ClickhouseReader(endpoint, config.source_schema or default, config.batch_size)


@dataclass(frozen=True)
class ClickhouseReader:
    """A ClickHouse source."""

    endpoint: Endpoint
    database: str
    batch_size: int

    def names(self) -> list[str]:
        """The tables of the database, without views."""
        found = connector.list_tables(self.endpoint, {})
        return sorted(t.name for t in found if t.schema == self.database and t.kind == "table")

    def table(self, resource: ResourceConfig) -> SourceTable:
        """The table or view a resource reads; `database.table` reaches into another database.

        Raises:
            InvalidConfig, TerminalError, TransientError: as `connectors.clickhouse.located`.
        """
        source = resource.source or resource.name
        database, name, found = connector.located(self.endpoint, source, self.database)
        columns = tuple(sql_column(entry.name, entry.type, RULES) for entry in found)
        table = SqlTable(name, columns, database)

        def read(selection: Selection) -> "Iterator[pyarrow.Table]":
            return self._read(table, selection)

        # A primary key there sorts the rows and says nothing about their being unique.
        return SourceTable(name, table.source_columns, read)

    def _read(self, table: SqlTable, selection: Selection) -> "Iterator[pyarrow.Table]":
        import pyarrow as pa

        columns = selection.narrowed(table.source_columns)
        schema = arrow_schema(columns)
        query, values = compiled(table, selection)
        with connector.answer(self.endpoint, query, values, "ArrowStream") as response:
            stream = _Stream(response.iter_bytes())
            try:
                for batch in pa.ipc.open_stream(stream):
                    made = pa.Table.from_batches([batch]).rename_columns(schema.names)
                    whole = require_exact(table.name, columns, _cast(table.name, made, schema))
                    for place in range(0, whole.num_rows, self.batch_size):
                        yield whole.slice(place, self.batch_size)
            except (httpx.HTTPError, pa.ArrowInvalid, OSError) as error:
                raise _broken(table.name, error) from None
            if stream.tail != END_OF_STREAM:
                raise _broken(table.name, None)


def compiled(table: SqlTable, selection: Selection) -> tuple[str, dict[str, str]]:
    """The query with its parameters beside it."""
    made = statement(table, selection).compile(
        dialect=_Dialect(), compile_kwargs={"render_postcompile": True}
    )
    return made.string, {name: _kind(value)[1] for name, value in made.params.items()}


def _cast(table: str, made: "pyarrow.Table", schema: "pyarrow.Schema") -> "pyarrow.Table":
    import pyarrow as pa

    for place, field in enumerate(schema):
        try:
            made = made.set_column(place, field, made.column(place).cast(field.type))
        except pa.ArrowInvalid:
            raise TerminalError(
                f"table '{table}', column '{field.name}': a value is not UTF-8 text",
                hint="read the column from a view that gives hex(column)",
            ) from None
    return made


def _broken(table: str, error: Exception | None) -> TransientError:
    told = f" ({type(error).__name__})" if error else ""
    return TransientError(
        f"table '{table}': reading broke off{told}",
        hint="look into the server's query log; the next try begins anew",
    )


class _Stream(io.RawIOBase):
    """What the server sends, as a file that knows its last bytes."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""
        self.tail = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = block
            self.tail = (self.tail + block)[-len(END_OF_STREAM) :]
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
