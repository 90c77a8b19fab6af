"""Reads MySQL and MariaDB: the server writes each row as a line of CSV, Arrow reads the lines.

A driver in Python that makes an object of every value is three times slower. Integers and floats
are parsed; every other type stays the text MySQL wrote and is read back by the destination.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, case, func, literal, literal_column, null
from sqlalchemy.exc import DBAPIError

from etlfabric_core.connectors import mysql_catalog
from etlfabric_core.connectors.mysql import SYSTEM
from etlfabric_core.connectors.record import Files
from etlfabric_core.connectors.sql import failed
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import (
    Selection,
    SourceColumn,
    SourceTable,
    arrow_schema,
)
from etlfabric_core.extract_load.sources.exactness import require_exact
from etlfabric_core.extract_load.sources.sql import SqlSource, count_rows, sql_table
from etlfabric_core.extract_load.sources.statements import (
    Expression,
    SqlTable,
    TypeRule,
    statement,
)
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig

if TYPE_CHECKING:
    import pyarrow

Element = ColumnElement[Any]

BLOCK_BYTES = 4 << 20
QUOTED = ("text", "json")
ZERO_DATE = "^0000|-00"
SNAPSHOT = (
    "set transaction isolation level repeatable read",
    "start transaction with consistent snapshot, read only",
)


def _characters(column: Element) -> Element:
    return func.convert(column.op("using")(literal_column("utf8mb4")))


def _hex(column: Element) -> Element:
    return func.concat(literal("\\x"), func.lower(func.hex(column)))


def _bits(size: int) -> Expression:
    return lambda column: func.lpad(func.bin(column + literal_column("0")), size, "0")


def _exact_float(column: Element) -> Element:
    """A FLOAT is written with six digits, and what it holds as a DOUBLE with all."""
    return column + literal_column("0e0")


def _zoned(column: Element) -> Element:
    return func.concat(column, literal_column("'+00'"))


TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set")
INT = r"(?:\(\d+\))?(?: unsigned)?(?: zerofill)?"
# tinyint(1) is a number: it holds -128 to 127, and its display width says nothing about that.
# TIME reaches from -838 to 838 hours, which only an interval holds.
RULES = (
    TypeRule(rf"tinyint{INT}|smallint(?:\(\d+\))?|year(?:\(4\))?", "int64", "smallint"),
    TypeRule(rf"smallint{INT}|mediumint{INT}|int(?:\(\d+\))?", "int64", "integer"),
    TypeRule(rf"int{INT}|bigint(?:\(\d+\))?", "int64", "bigint"),
    TypeRule(rf"bigint{INT}", "uint64", "numeric(20,0)"),
    TypeRule(r"decimal\((\d+),(\d+)\).*", "string", r"numeric(\1,\2)"),
    TypeRule(r"float.*", "double", "real", _exact_float),
    TypeRule(r"double.*", "double", "double precision"),
    *(TypeRule(rf"bit\({n}\)", "string", f"bit({n})", _bits(n), _bits(n)) for n in range(1, 65)),
    TypeRule(r"date", "string", "date"),
    TypeRule(r"datetime.*", "string", "timestamp without time zone"),
    TypeRule(r"timestamp.*", "string", "timestamp with time zone", _zoned),
    TypeRule(r"time.*", "string", "interval"),
    TypeRule(r"json", "string", "json", _characters),
    TypeRule(r"uuid", "string", "uuid", func.concat),
    TypeRule(r"inet[46]", "string", "inet", func.concat),
    TypeRule(rf"(?:{'|'.join(TEXTS)}).*", "string", "text", _characters),
    TypeRule(r".*", "string", "bytea", _hex),
)


@contextmanager
def open_reader(
    endpoint: Endpoint, files: Files, config: PipelineConfig
) -> "Iterator[MysqlReader]":
    """A read-only session at the source.

    Raises:
        InvalidConfig, TerminalError, TransientError: as `SqlSystem.connect`.
    """
    rules = _without_zero_dates(RULES) if endpoint.config.get("zero_dates") == "null" else RULES
    with SYSTEM.connect(endpoint) as connection:
        schema = config.source_schema or SYSTEM.default_schema(endpoint)
        yield MysqlReader(connection, SqlSource(SYSTEM, rules), schema, config.batch_size)


def _without_zero_dates(rules: tuple[TypeRule, ...]) -> tuple[TypeRule, ...]:
    def nulled(expression: Expression) -> Expression:
        def made(column: Element) -> Element:
            text = func.concat(column)
            return case((text.regexp_match(ZERO_DATE), null()), else_=expression(column))

        return made

    return tuple(
        replace(rule, expression=nulled(rule.expression))
        if rule.destination.startswith(("date", "timestamp"))
        else rule
        for rule in rules
    )


@dataclass(frozen=True)
class MysqlReader:
    """An open MySQL source."""

    connection: Connection
    source: SqlSource
    schema: str
    batch_size: int

    def names(self) -> list[str]:
        """The base tables of the database."""
        return mysql_catalog.names(self.connection, self.schema)

    def table(self, resource: ResourceConfig) -> SourceTable:
        """The table or view a resource reads; `database.table` reaches into another database.

        Raises:
            TerminalError: there is none that the user may read.
        """
        source = resource.source or resource.name
        schema, name = mysql_catalog.locate(self.connection, source, self.schema)
        columns = mysql_catalog.describe(self.connection, schema, name)
        table = sql_table(name, schema, columns, self.source)

        def read(selection: Selection) -> "Iterator[pyarrow.Table]":
            return _read(self.connection, table, selection, self.batch_size)

        def count(selection: Selection) -> int:
            return count_rows(self.connection, table, selection)

        key = tuple(column.name for column in columns if column.primary_key)
        return SourceTable(
            name, table.source_columns, read, key, count=count, snapshot=self._snapshot
        )

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        for line in SNAPSHOT:
            self.connection.exec_driver_sql(line)
        yield
        self.connection.exec_driver_sql("commit")


def _read(
    connection: Connection, table: SqlTable, selection: Selection, batch_size: int
) -> "Iterator[pyarrow.Table]":
    columns = selection.narrowed(table.source_columns)
    query = statement(table, selection, lambda values: [_line(columns, values)])
    try:
        streaming = connection.execution_options(stream_results=True)
        found: Iterable[str | None] = streaming.execute(query).scalars()
        for block in _blocks(table.name, found, batch_size):
            yield require_exact(table.name, columns, _parsed(block, columns))
    except DBAPIError as error:
        raise failed(f"table '{table.name}'", error, SYSTEM.lost) from None


def _line(columns: Sequence[SourceColumn], values: Sequence[Element]) -> Element:
    """All values of a row as one text; only texts are quoted, and NULL is nothing at all."""
    fields = (
        func.ifnull(_quoted(value) if column.destination_type in QUOTED else value, literal(""))
        for column, value in zip(columns, values, strict=True)
    )
    return func.concat_ws(literal(","), *fields)


def _quoted(text: Element) -> Element:
    return func.concat(literal('"'), func.replace(text, literal('"'), literal('""')), literal('"'))


def _blocks(table: str, lines: Iterable[str | None], batch_size: int) -> Iterator[bytes]:
    """Lines put together until they are many or long."""
    block: list[str] = []
    length = 0
    for line in lines:
        if line is None:
            raise TerminalError(
                f"table '{table}': a row is longer than the server sends at once",
                hint="raise max_allowed_packet of the server",
            )
        block.append(line)
        length += len(line)
        if len(block) == batch_size or length >= BLOCK_BYTES:
            yield "\n".join(block).encode()
            block, length = [], 0
    if block:
        yield "\n".join(block).encode()


def _parsed(block: bytes, columns: tuple[SourceColumn, ...]) -> "pyarrow.Table":
    from pyarrow import csv

    schema = arrow_schema(columns)
    return csv.read_csv(
        io.BytesIO(block),
        csv.ReadOptions(
            column_names=schema.names, block_size=max(len(block), 1), use_threads=False
        ),
        csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        csv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
