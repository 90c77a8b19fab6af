"""What MySQL's information_schema says about schemas, tables and columns that a user may read."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, text

from etlfabric_core.connectors.record import (
    DiscoveredColumn,
    DiscoveredTable,
    TableKind,
    TablePage,
    TableQuery,
)
from etlfabric_core.connectors.sql import discovered, no_table

CURSOR_TYPES = ("datetime", "timestamp", "date", "bigint", "int", "mediumint", "smallint")
OWN = "('information_schema', 'performance_schema', 'mysql', 'sys')"
# `binary`: names are told apart and sorted by code point, whatever the server's collation.
SCHEMAS = f"""
select schema_name from information_schema.schemata
where schema_name not in {OWN} order by binary schema_name limit 1000
"""  # noqa: S608 - of words that are written above
TABLES = f"""
select table_schema, table_name, table_type, table_rows from information_schema.tables
where table_schema not in {OWN} and table_type <> 'SEQUENCE'
  and (:schema is null or binary table_schema = :schema)
  and locate(lower(:search), lower(table_name)) > 0
  and (:schema_before is null or binary table_schema > :schema_before
       or (binary table_schema = :schema_before and binary table_name > :name_before))
order by binary table_schema, binary table_name limit :limit
"""  # noqa: S608 - of words that are written above
COLUMNS = """
select column_name, column_type, is_nullable = 'YES', column_key = 'PRI'
from information_schema.columns
where table_schema = :schema and table_name = :name
  and binary table_schema = :schema and binary table_name = :name
order by ordinal_position
"""


def schemas(connection: Connection) -> tuple[str, ...]:
    """The databases that the user may see, the first thousand."""
    return tuple(_word(name) for (name,) in connection.execute(text(SCHEMAS)))


def tables(connection: Connection, query: TableQuery, *, default_schema: str) -> TablePage:
    """One page of tables and views; outside the default database their source is `db.table`."""
    schema_before, name_before = query.after or (None, None)
    values = {
        "schema": query.schema,
        "search": query.search,
        "schema_before": schema_before,
        "name_before": name_before,
        "limit": query.limit + 1,
    }
    listed: Iterable[Any] = connection.execute(text(TABLES), values)
    found = [
        DiscoveredTable(
            schema,
            name,
            name if schema == default_schema else f"{schema}.{name}",
            TableKind.VIEW if "VIEW" in _word(kind) else TableKind.TABLE,
            rows,
        )
        for schema, name, kind, rows in listed
    ]
    return TablePage(tuple(found[: query.limit]), len(found) > query.limit)


def names(connection: Connection, schema: str) -> list[str]:
    """The base tables of a database."""
    query = TableQuery(schema=schema, limit=1_000_000)
    found = tables(connection, query, default_schema=schema).tables
    return [table.name for table in found if table.kind is TableKind.TABLE]


def locate(connection: Connection, source: str, default_schema: str) -> tuple[str, str]:
    """Database and name of the table that a resource's `source` names.

    Raises:
        TerminalError: there is none that the user may read.
    """
    schema, dot, name = source.partition(".")
    for place in ((default_schema, source), (schema, name)) if dot else ((default_schema, source),):
        if describe(connection, *place):
            return place
    raise no_table(source)


def describe(connection: Connection, schema: str, name: str) -> tuple[DiscoveredColumn, ...]:
    """The columns of a table or view; empty when there is no such table."""
    found: Iterable[Any] = connection.execute(text(COLUMNS), {"schema": schema, "name": name})
    return tuple(
        discovered(column, _word(type_), bool(nullable), bool(in_key), CURSOR_TYPES)
        for column, type_, nullable, in_key in found
    )


def _word(value: Any) -> str:
    """MySQL 8 sends some words of its catalog as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)
