"""Reads PostgreSQL by `COPY … TO STDOUT`: as fast as the server writes, in bounded memory.

Integers, floats and booleans are parsed; every other type stays the text PostgreSQL wrote and is
read back by the same type at the destination, so no value changes on the way.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etlfabric_core.connectors import postgres as connector
from etlfabric_core.connectors import postgres_catalog
from etlfabric_core.connectors.record import DiscoveredResource, Files, parse
from etlfabric_core.errors import TerminalError, TransientError
from etlfabric_core.extract_load.copy_files import CopyFile, CopyTarget
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import Selection, SourceColumn, SourceTable
from etlfabric_core.extract_load.sources import postgres_copy
from etlfabric_core.extract_load.sources.postgres_query import (
    Relation,
    count_query,
    query,
    require_good_filters,
)
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig

if TYPE_CHECKING:
    import psycopg
    import pyarrow

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
# Those of them whose binary form depends on more than the value: on a locale, on an encoding.
TEXT_ONLY = ("money", "xml")
SESSION = (
    "set client_encoding to 'UTF8'; set time zone 'UTC'; set datestyle to 'ISO, YMD'; "
    "set intervalstyle to 'postgres'; set bytea_output to 'hex'; set extra_float_digits to 3; "
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


@contextmanager
def loss_told() -> Iterator[None]:
    """Says that it was the source whose connection broke.

    Raises:
        TransientError: it did.
    """
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate is not None:
            raise
        raise TransientError(
            "the connection to the source was lost while it was read",
            hint="check that the source is running; the next try begins anew",
        ) from None


@dataclass(frozen=True)
class PostgresReader:
    """An open PostgreSQL source."""

    connection: "psycopg.Connection"
    schema: str

    @loss_told()
    def names(self) -> list[str]:
        """The base tables of the schema."""
        found = postgres_catalog.describe(
            self.connection, default_schema=self.schema, schema=self.schema, views=False
        )
        return [resource.name for resource in found]

    @loss_told()
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

        relation = Relation(resource.name, schema, name, columns)
        require_good_filters(self.connection, relation, resource.filters)

        def read(selection: Selection) -> "Iterator[pyarrow.Table]":
            with loss_told():
                yield from postgres_copy.batches(
                    self.connection, query(relation, selection), selection.narrowed(columns)
                )

        def copy(selection: Selection, target: CopyTarget) -> Iterator[CopyFile]:
            constant = (target.load_column.name, target.load_id)
            rows = query(relation, selection, constant)
            with loss_told():
                yield from postgres_copy.binary_files(self.connection, rows, target)

        def count(selection: Selection) -> int:
            with loss_told():
                row = self.connection.execute(count_query(relation, selection)).fetchone()
            return int(row[0]) if row else 0

        identical = all(_is_identical(entry.type) for entry in found.columns)
        return SourceTable(
            name,
            columns,
            read,
            key,
            copy=copy if identical else None,
            count=count,
            snapshot=self._snapshot,
        )

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        with loss_told(), self.connection.transaction():
            self.connection.execute("set transaction isolation level repeatable read")
            yield

    def _locate(self, source: str) -> tuple[str, str]:
        schema, dot, name = source.partition(".")
        if dot and self._describe(self.schema, source) is None:
            return schema, name
        return self.schema, source

    def _describe(self, schema: str, name: str) -> DiscoveredResource | None:
        found = postgres_catalog.describe(
            self.connection, default_schema=schema, schema=schema, table=name
        )
        return next(iter(found), None)


def _column(name: str, type_: str) -> SourceColumn:
    destination = type_ if KNOWN_TYPE.fullmatch(type_) else "text"
    is_time = type_.startswith(("timestamp", "date")) and not type_.endswith("]")
    return SourceColumn(name, PARSED.get(type_, "string"), destination, is_time)


def _is_identical(type_: str) -> bool:
    """Whether another PostgreSQL has the type and reads its binary form as the same value."""
    return KNOWN_TYPE.fullmatch(type_) is not None and not type_.startswith(TEXT_ONLY)
