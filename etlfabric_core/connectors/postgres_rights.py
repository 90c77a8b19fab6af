"""Which rights the user of a PostgreSQL connection lacks, and who grants them how."""

from typing import TYPE_CHECKING

from etlfabric_core.connectors.record import Direction, MissingRight

if TYPE_CHECKING:
    import psycopg

EXAMPLES = 3
RIGHTS = """
select current_user, current_database(), n.oid is not null,
       coalesce(has_schema_privilege(n.oid, 'usage'), false),
       has_database_privilege(current_database(), 'create')
from (select 1) as one left join pg_namespace n on n.nspname = %s
"""
CLOSED = """
select c.relname, count(*) over ()
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
  and not has_table_privilege(c.oid, 'select')
order by c.relname limit %s
"""


def missing(connection: "psycopg.Connection", schema: str) -> tuple[MissingRight, ...]:
    """What the user of the session would need to read the schema, and to load into the database."""
    row = connection.execute(RIGHTS, [schema]).fetchone()
    user, database, exists, usage, create = row or ("", "", False, False, False)
    found = []
    if not exists:
        found.append(
            _to_read(f"there is no schema '{schema}'", "name another schema in the connection")
        )
    elif not usage:
        grant = f'GRANT USAGE ON SCHEMA "{schema}" TO "{user}";'
        found.append(_to_read(f"'{user}' may not use schema '{schema}'", _ask_for(grant)))
    if closed := connection.execute(CLOSED, [schema, EXAMPLES]).fetchall():
        names, count = ", ".join(name for name, _ in closed), closed[0][1]
        grant = f'GRANT SELECT ON ALL TABLES IN SCHEMA "{schema}" TO "{user}";'
        more = f" and {count - len(closed)} more" if count > len(closed) else ""
        found.append(_to_read(f"'{user}' may not read {names}{more}", _ask_for(grant)))
    if not create:
        grant = f'GRANT CREATE ON DATABASE "{database}" TO "{user}";'
        message = f"'{user}' may not create schemas in '{database}', which a load does"
        found.append(MissingRight(Direction.DESTINATION, message, _ask_for(grant)))
    return tuple(found)


def _to_read(message: str, hint: str) -> MissingRight:
    return MissingRight(Direction.SOURCE, message, hint)


def _ask_for(grant: str) -> str:
    return f"have the database's administrator run: {grant}"
