"""Makes the roles and databases that everything else stands on. Safe to run again."""

from collections.abc import Mapping

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from migrations.closed_catalog import close_catalog

# key of `passwords` → role and what it may do
ROLES = {
    "owner": ("etlfabric_owner", "NOCREATEDB NOCREATEROLE"),
    "service": ("etlfabric_service", "NOCREATEDB NOCREATEROLE NOINHERIT NOBYPASSRLS"),
    "warehouse": ("etlfabric_warehouse", "NOCREATEDB CREATEROLE NOBYPASSRLS"),
    "airflow": ("airflow", "NOCREATEDB NOCREATEROLE"),
}
# What every organization's role in the warehouse is a member of: it may connect there. A grant to
# each role of its own would make the database's list of grants as long as there are organizations.
TENANTS = "etlfabric_tenant"
# What one query of an organization may spill to disk; only a superuser can change it.
TEMP_FILE_LIMIT = "10GB"
# database → owner, and who else may connect
DATABASES = {
    "etlfabric": ("etlfabric_owner", ("etlfabric_service",)),
    "airflow": ("airflow", ()),
    "warehouse": ("etlfabric_warehouse", (TENANTS,)),
}


def bootstrap(admin_url: str, passwords: Mapping[str, str]) -> None:
    """Creates the roles and databases, or brings those that exist to the same state.

    Args:
        admin_url: a superuser's URL of any database of the server.
        passwords: for the keys service, owner, warehouse and airflow.

    Raises:
        psycopg.OperationalError: the server cannot be reached.
        KeyError: a password is missing.
    """
    with _connect(admin_url) as admin:
        for key, (role, abilities) in ROLES.items():
            _ensure_role(admin, role, abilities, passwords[key])
            # Organizations that use up their connections leave these for the platform.
            grant = "GRANT pg_use_reserved_connections TO {} WITH INHERIT TRUE"
            admin.execute(sql.SQL(grant).format(sql.Identifier(role)))
        _ensure_tenants(admin)
        for database, (owner, guests) in DATABASES.items():
            _ensure_database(admin, database, owner, guests)
        # Roles of organizations log in on this server: no database lets in whoever comes.
        admin.execute("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC")
        admin.execute("REVOKE CONNECT ON DATABASE template1 FROM PUBLIC")
        admin.execute(f"ALTER DATABASE warehouse SET temp_file_limit = '{TEMP_FILE_LIMIT}'")
    for database in DATABASES:
        with _connect(admin_url, database) as connection:
            connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    with _connect(admin_url, "warehouse") as connection:
        close_catalog(connection)


def _connect(admin_url: str, database: str | None = None) -> psycopg.Connection:
    url = make_url(admin_url).set(drivername="postgresql")
    if database:
        url = url.set(database=database)
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)


def _ensure_role(admin: psycopg.Connection, role: str, abilities: str, password: str) -> None:
    exists = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    admin.execute(
        sql.SQL("{verb} ROLE {role} LOGIN NOSUPERUSER {abilities} PASSWORD {password}").format(
            verb=sql.SQL("ALTER" if exists else "CREATE"),
            role=sql.Identifier(role),
            abilities=sql.SQL(abilities),
            password=sql.Literal(password),
        )
    )


def _ensure_tenants(admin: psycopg.Connection) -> None:
    if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [TENANTS]).fetchone():
        admin.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(TENANTS)))
    grant = "GRANT {} TO etlfabric_warehouse WITH ADMIN TRUE, INHERIT FALSE, SET FALSE"
    admin.execute(sql.SQL(grant).format(sql.Identifier(TENANTS)))


def _ensure_database(
    admin: psycopg.Connection, database: str, owner: str, guests: tuple[str, ...]
) -> None:
    exists = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
    names = {"database": sql.Identifier(database), "owner": sql.Identifier(owner)}
    if not exists:
        admin.execute(sql.SQL("CREATE DATABASE {database} OWNER {owner}").format(**names))
    admin.execute(sql.SQL("ALTER DATABASE {database} OWNER TO {owner}").format(**names))
    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {database} FROM PUBLIC").format(**names))
    for guest in guests:
        # dbt's incremental models and snapshots work through temporary tables.
        grant = sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {guest}")
        admin.execute(grant.format(guest=sql.Identifier(guest), **names))
