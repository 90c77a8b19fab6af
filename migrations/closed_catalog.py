"""What PostgreSQL shows to every role, and what organizations in one database must not see.

Names, sizes and row counts stay visible in the catalog; the text of views, functions, defaults and
checks does not, nor do locks, and nobody can leave large objects behind.
"""

import psycopg
from psycopg import sql

# Columns that hold what somebody wrote.
COLUMNS = {
    "pg_attrdef": ("adbin",),
    "pg_constraint": ("conbin",),
    "pg_index": ("indexprs", "indpred"),
    "pg_policy": ("polqual", "polwithcheck"),
    "pg_proc": ("proargdefaults", "prosrc", "probin", "prosqlbody"),
    "pg_rewrite": ("ev_qual", "ev_action"),
    "pg_trigger": ("tgargs", "tgqual"),
}
# Who waits for which lock would tell the keys of a neighbour's advisory locks.
VIEWS = ("pg_locks",)
# Functions that answer with the same, and those whose effects pass between roles.
FUNCTIONS = (
    "pg_blocking_pids",
    "pg_get_constraintdef",
    "pg_get_function_arg_default",
    "pg_get_function_arguments",
    "pg_get_function_sqlbody",
    "pg_get_functiondef",
    "pg_get_indexdef",
    "pg_get_ruledef",
    "pg_get_statisticsobjdef",
    "pg_get_statisticsobjdef_expressions",
    "pg_get_triggerdef",
    "pg_get_viewdef",
    "pg_lock_status",
    "pg_notify",
    "pg_safe_snapshot_blocking_pids",
    "lo_close",
    "lo_creat",
    "lo_create",
    "lo_from_bytea",
    "lo_get",
    "lo_lseek",
    "lo_lseek64",
    "lo_open",
    "lo_put",
    "lo_tell",
    "lo_tell64",
    "lo_truncate",
    "lo_truncate64",
    "lo_unlink",
    "loread",
    "lowrite",
)
OTHER_COLUMNS = """
SELECT attname FROM pg_catalog.pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attname <> ALL (%s)
ORDER BY attnum
"""
SIGNATURES = """
SELECT oid::regprocedure::text FROM pg_catalog.pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY (%s)
ORDER BY 1
"""


def close_catalog(connection: psycopg.Connection) -> None:
    """Takes it from PUBLIC in the connection's database, as a superuser. Safe to run again."""
    with connection.transaction():
        for table, hidden in COLUMNS.items():
            _hide(connection, table, hidden)
        for view in VIEWS:
            statement = sql.SQL("REVOKE ALL ON pg_catalog.{} FROM PUBLIC")
            connection.execute(statement.format(sql.Identifier(view)))
        for (signature,) in connection.execute(SIGNATURES, [list(FUNCTIONS)]).fetchall():
            # PostgreSQL wrote the signature, quoted where it has to be.
            connection.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC".encode())


def _hide(connection: psycopg.Connection, table: str, hidden: tuple[str, ...]) -> None:
    shown = connection.execute(OTHER_COLUMNS, [f"pg_catalog.{table}", list(hidden)]).fetchall()
    names = sql.SQL(", ").join(sql.Identifier(name) for (name,) in shown)
    place = sql.Identifier("pg_catalog", table)
    connection.execute(sql.SQL("REVOKE ALL ON {} FROM PUBLIC").format(place))
    connection.execute(sql.SQL("GRANT SELECT ({}) ON {} TO PUBLIC").format(names, place))
