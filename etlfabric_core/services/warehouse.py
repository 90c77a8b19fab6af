"""The managed warehouse: one database role per organization, which owns only its own schemas.

Everything that users' data touches (dlt, dbt, previews) connects as the organization's role. The
warehouse's own account makes roles and schemas, and nothing else.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from sqlalchemy import make_url

from etlfabric_core.crypto import SecretBox
from etlfabric_core.errors import UpstreamUnavailable
from etlfabric_core.models import Organization
from etlfabric_core.slugs import STAGING_SUFFIX, physical_dataset, warehouse_role
from etlfabric_core.transform.plan import WarehouseLogin

# What the sealed password is bound to.
PASSWORD_FIELD = "organization.warehouse_password"  # noqa: S105
CONNECTION_LIMIT = 40
POWERLESS = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS"
TENANTS = "etlfabric_tenant"  # made by migrations/bootstrap.py; may connect to the warehouse
CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_MS = 15_000
GRACE_MS = 2_000  # then a session that caught the server's own time limit is ended
# Nothing that an organization named like a function of PostgreSQL is taken for it.
SEARCH_PATH = {"search_path": "pg_catalog"}
ROLE_EXISTS = "SELECT 1 FROM pg_roles WHERE rolname = $1"
# As the organization's role. Table by table, because one statement holds a lock for each of them.
END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user"
OWNED_TABLES = """
SELECT format('DROP TABLE IF EXISTS %I.%I CASCADE', nspname, relname) AS statement
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relowner = current_user::regrole AND relkind IN ('r', 'p')
"""
OWNED_SCHEMAS = """
SELECT format('DROP SCHEMA %I CASCADE', nspname) AS statement
FROM pg_namespace WHERE nspowner = current_user::regrole
"""


@dataclass(frozen=True)
class Warehouse:
    """Where the warehouse is, and the account that makes roles and schemas in it."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str

    @classmethod
    def from_url(cls, url: str) -> "Warehouse":
        """From the setting `warehouse_url`."""
        parts = make_url(url)
        return cls(
            parts.host or "127.0.0.1",
            parts.port or 5432,
            parts.username or "",
            str(parts.password or ""),
            parts.database or "warehouse",
        )

    def connect(self, user: str, password: str, **settings: str) -> Any:
        """A connection with these settings of the session, as an async context manager.

        Raises:
            UpstreamUnavailable: on entering, when the warehouse cannot be reached.
        """
        return _connected(self, user, password, SEARCH_PATH | settings)


@asynccontextmanager
async def _connected(
    warehouse: Warehouse, user: str, password: str, settings: dict[str, str]
) -> AsyncIterator[asyncpg.Connection]:
    try:
        connection = await asyncpg.connect(
            host=warehouse.host,
            port=warehouse.port,
            user=user,
            password=password,
            database=warehouse.database,
            timeout=CONNECT_TIMEOUT_S,
            server_settings=settings,
        )
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise UpstreamUnavailable(
            "the managed warehouse cannot be reached", hint="try again in a moment"
        ) from error
    try:
        yield connection
    finally:
        await connection.close()


def new_password() -> str:
    """A random password for an organization's role."""
    return secrets.token_urlsafe(32)


async def provision(warehouse: Warehouse, slug: str, password: str) -> None:
    """Makes the organization's role; called again it sets the password anew.

    Raises:
        UpstreamUnavailable: the warehouse cannot be reached.
    """
    role = warehouse_role(slug)
    async with warehouse.connect(warehouse.user, warehouse.password) as admin:
        exists = await admin.fetchval(ROLE_EXISTS, role)
        # Only a superuser may say of a role that is there that it is none.
        made = "ALTER ROLE %1$I" if exists else f"CREATE ROLE %1$I {POWERLESS}"
        statements = [
            f"{made} LOGIN CONNECTION LIMIT {CONNECTION_LIMIT} PASSWORD %2$L",
            # The account may act for the role (to hand it schemas) but inherits nothing from it.
            "GRANT %1$I TO %3$I WITH INHERIT FALSE, SET TRUE",
            f"GRANT {TENANTS} TO %1$I WITH INHERIT TRUE, SET FALSE",
        ]
        values = (role, password, warehouse.user)
        async with admin.transaction():
            for statement in statements:
                await admin.execute(await _formatted(admin, statement, values))


async def withdraw(warehouse: Warehouse, slug: str) -> None:
    """Takes the role of an organization away again, when its registration came to nothing.

    Raises:
        UpstreamUnavailable: the warehouse cannot be reached.
    """
    role = warehouse_role(slug)
    async with warehouse.connect(warehouse.user, warehouse.password) as admin:
        await admin.execute(await _formatted(admin, "DROP ROLE IF EXISTS %1$I", (role,)))


async def drop(warehouse: Warehouse, slug: str) -> None:
    """Ends an organization's sessions and removes its schemas and its role, for good.

    Called again it goes on where it was interrupted.

    Raises:
        UpstreamUnavailable: the warehouse cannot be reached, or did not finish.
    """
    role = warehouse_role(slug)
    async with warehouse.connect(warehouse.user, warehouse.password) as admin:
        if not await admin.fetchval(ROLE_EXISTS, role):
            return
        try:
            for statement in ("ALTER ROLE %1$I NOLOGIN", "SET ROLE %1$I"):
                await admin.execute(await _formatted(admin, statement, (role,)))
            await admin.execute(END_SESSIONS)
            for owned in (OWNED_TABLES, OWNED_SCHEMAS):
                for row in await admin.fetch(owned):
                    await admin.execute(row["statement"])
            for statement in ("DROP OWNED BY %1$I CASCADE", "RESET ROLE", "DROP ROLE %1$I"):
                await admin.execute(await _formatted(admin, statement, (role,)))
        except asyncpg.PostgresError as error:
            raise UpstreamUnavailable(
                f"the warehouse of '{slug}' could not be removed: {type(error).__name__}",
                hint="it is tried again by itself",
            ) from error


async def ensure_dataset(warehouse: Warehouse, slug: str, dataset: str) -> str:
    """Makes the schemas of a dataset, its staging beside it, owned by the organization's role.

    Returns the physical name.

    Raises:
        UpstreamUnavailable: the warehouse cannot be reached.
    """
    schema = physical_dataset(slug, dataset)
    async with warehouse.connect(warehouse.user, warehouse.password) as admin:
        for name in (schema, schema + STAGING_SUFFIX):
            statement = "CREATE SCHEMA IF NOT EXISTS %1$I AUTHORIZATION %2$I"
            values = (name, warehouse_role(slug))
            # Two tasks that start together both find it missing; the later one finds it made.
            with suppress(asyncpg.UniqueViolationError, asyncpg.DuplicateSchemaError):
                await admin.execute(await _formatted(admin, statement, values))
    return schema


def login(
    warehouse: Warehouse, box: SecretBox, organization: Organization, schema: str
) -> WarehouseLogin:
    """How dbt and dlt reach the warehouse: as the organization's role.

    Raises:
        SecretUnreadable: the key that sealed the role's password is gone.
    """
    return WarehouseLogin(
        host=warehouse.host,
        port=warehouse.port,
        user=warehouse_role(organization.slug),
        password=password_of(box, organization),
        database=warehouse.database,
        schema_name=schema,
    )


def password_of(box: SecretBox, organization: Organization) -> str:
    """The password of the organization's role.

    Raises:
        SecretUnreadable: the key that sealed it is gone.
    """
    sealed = organization.warehouse_password
    return str(box.open(sealed, org_id=organization.id, field=PASSWORD_FIELD)["password"])


@asynccontextmanager
async def reading(warehouse: Warehouse, login: WarehouseLogin) -> AsyncIterator[asyncpg.Connection]:
    """A read-only transaction with a time limit, as the organization's role.

    A function of the organization can lift the server's limit or go on after it; then the session
    is ended from outside.

    Raises:
        UpstreamUnavailable: the warehouse cannot be reached.
        asyncpg.QueryCanceledError: the time is over.
    """
    settings = {
        "statement_timeout": str(READ_TIMEOUT_MS),
        "default_transaction_read_only": "on",
        "application_name": "etlfabric-preview",
    }
    async with warehouse.connect(login.user, login.password, **settings) as connection:
        late, pid = asyncio.Event(), connection.get_server_pid()
        watch = asyncio.create_task(_end_late(warehouse, login.user, pid, late))
        try:
            async with connection.transaction(readonly=True):
                yield connection
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            if late.is_set():
                raise asyncpg.QueryCanceledError("the time is over") from error
            raise
        finally:
            watch.cancel()


async def _end_late(warehouse: Warehouse, role: str, pid: int, late: asyncio.Event) -> None:
    """Ends a session of a role when its time and the grace are over."""
    await asyncio.sleep((READ_TIMEOUT_MS + GRACE_MS) / 1000)
    late.set()
    async with warehouse.connect(warehouse.user, warehouse.password) as admin, admin.transaction():
        await admin.execute(await _formatted(admin, "SET LOCAL ROLE %1$I", (role,)))
        await admin.execute("SELECT pg_terminate_backend($1)", pid)


async def _formatted(admin: asyncpg.Connection, statement: str, values: tuple[str, ...]) -> str:
    """The statement with its identifiers and literals quoted by PostgreSQL itself."""
    formatted: str = await admin.fetchval(
        "SELECT format($1, VARIADIC $2::text[])", statement, list(values)
    )
    return formatted
