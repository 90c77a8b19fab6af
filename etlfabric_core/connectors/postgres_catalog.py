"""What PostgreSQL's catalog says about schemas, tables and columns that a user may read."""

import re
from typing import TYPE_CHECKING

from etlfabric_core.connectors.record import (
    DiscoveredColumn,
    DiscoveredResource,
    DiscoveredTable,
    TableKind,
    TablePage,
    TableQuery,
)
from etlfabric_core.errors import TerminalError

if TYPE_CHECKING:
    import psycopg

MOST_SCHEMAS = 1000
CURSOR_TYPES = re.compile(r"timestamp(\(\d\))? with(out)? time zone|date|bigint|integer|smallint")
# Names in the catalog are sorted by code point, whatever the collation of the database.
READABLE = """
  c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
  and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
"""
SCHEMAS = f"""
select n.nspname from pg_namespace n
where exists (select from pg_class c where c.relnamespace = n.oid and {READABLE})
order by n.nspname
limit %s
"""  # noqa: S608 - of words that are written above
TABLES = f"""
select n.nspname, c.relname, c.relkind in ('v', 'm'), c.reltuples::bigint,
       array(select a.attname::text
             from pg_index i
             cross join unnest(i.indkey) with ordinality as k (number, place)
             join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number
             where i.indrelid = c.oid and i.indisprimary order by k.place)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where {READABLE}
  and (%(schema)s::text is null or n.nspname = %(schema)s)
  and strpos(lower(c.relname), lower(%(search)s)) > 0
  and (%(schema_before)s::text is null
       or (n.nspname, c.relname) > (%(schema_before)s::name, %(name_before)s::name))
order by n.nspname, c.relname
limit %(limit)s
"""  # noqa: S608 - of words that are written above
COLUMNS = f"""
select n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
       not a.attnotnull, coalesce(a.attnum = any (i.indkey), false), c.reltuples::bigint
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_index i on i.indrelid = c.oid and i.indisprimary
where {READABLE}
  and (%(schema)s::text is null or n.nspname = %(schema)s)
  and (%(table)s::text is null or c.relname = %(table)s)
  and (%(views)s or c.relkind in ('r', 'p'))
order by n.nspname, c.relname, a.attnum
"""  # noqa: S608 - of words that are written above


def schemas(connection: "psycopg.Connection") -> tuple[str, ...]:
    """The schemas in which there is something to read, the first thousand."""
    return tuple(name for (name,) in connection.execute(SCHEMAS, [MOST_SCHEMAS]).fetchall())


def tables(
    connection: "psycopg.Connection", query: TableQuery, *, default_schema: str
) -> TablePage:
    """One page of tables and views; outside the default schema their source is `schema.table`."""
    schema_before, name_before = query.after or (None, None)
    values = {
        "schema": query.schema,
        "search": query.search,
        "schema_before": schema_before,
        "name_before": name_before,
        "limit": query.limit + 1,
    }
    found = [
        DiscoveredTable(
            schema,
            name,
            _source(schema, name, default_schema),
            TableKind.VIEW if is_view else TableKind.TABLE,
            _estimate(rows),
            tuple(key),
        )
        for schema, name, is_view, rows, key in connection.execute(TABLES, values).fetchall()
    ]
    return TablePage(tuple(found[: query.limit]), len(found) > query.limit)


def columns(
    connection: "psycopg.Connection", source: str, *, default_schema: str
) -> tuple[DiscoveredColumn, ...]:
    """The columns of the table that a resource's `source` names.

    Raises:
        TerminalError: there is no such table, or the user may not read it.
    """
    schema, _, name = source.partition(".")
    for place in ((default_schema, source), (schema, name)):
        found = describe(connection, default_schema=default_schema, schema=place[0], table=place[1])
        if found:
            return found[0].columns
    raise TerminalError(
        f"there is no table '{source}' that the user of the connection may read",
        hint="list the tables again, or grant USAGE on the schema and SELECT on the table",
    )


def describe(
    connection: "psycopg.Connection",
    *,
    default_schema: str,
    schema: str | None = None,
    table: str | None = None,
    views: bool = True,
) -> tuple[DiscoveredResource, ...]:
    """The readable tables of a session, or one schema's, or one of them."""
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS, {"schema": schema, "table": table, "views": views})
        rows = cursor.fetchall()
    found: dict[str, list[DiscoveredColumn]] = {}
    estimates: dict[str, int | None] = {}
    for namespace, relation, name, type_, nullable, in_key, estimate in rows:
        resource = _source(namespace, relation, default_schema)
        found.setdefault(resource, []).append(_column(name, type_, nullable, in_key))
        estimates[resource] = _estimate(estimate)
    return tuple(
        DiscoveredResource(name, tuple(entries), estimates[name]) for name, entries in found.items()
    )


def _source(schema: str, name: str, default_schema: str) -> str:
    return name if schema == default_schema else f"{schema}.{name}"


def _estimate(rows: int) -> int | None:
    """PostgreSQL says -1 before the first analysis."""
    return int(rows) if rows >= 0 else None


def _column(name: str, type_: str, nullable: bool, in_key: bool) -> DiscoveredColumn:
    why_not = None
    if not CURSOR_TYPES.fullmatch(type_):
        why_not = f"{type_} does not grow from row to row"
    elif nullable:
        why_not = "it can be empty; such rows would never be loaded"
    return DiscoveredColumn(name, type_, nullable, in_key, why_not is None, why_not)
