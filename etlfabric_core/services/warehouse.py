"""The managed warehouse: one database role per organization, which owns only its own schemas.

Everything that users' data touches (dlt, dbt, previews) connects as the organization's role. The
warehouse's own account makes roles and schemas, and nothing else.
"""

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

CONNECTION_LIMIT = 40
TENANTS = "etlfabric_tenant"  # made by migrations/bootstrap.py; may connect to the warehouse
CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_MS = 15_000
ROLE_EXISTS = "SELECT 1 FROM pg_roles WHERE rolname = $1"


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

    def connect(self, user: str, password: str, **options: Any) -> Any:
        """A connection, as an async context manager.

        Raises:
            UpstreamUnavailable: on entering, when the warehouse cannot be reached.
        """
        return _connected(self, user, password, options)


@asynccontextmanager
async def _connected(
    warehouse: Warehouse, user: str, password: str, options: dict[str, Any]
) -> AsyncIterator[asyncpg.Connection]:
    try:
        connection = await asyncpg.connect(
            host=warehouse.host,
            port=warehouse.port,
            user=user,
            password=password,
            database=warehouse.database,
            timeout=CONNECT_TIMEOUT_S,
            **options,
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
        verb = "ALTER" if exists else "CREATE"
        statements = [
            f"{verb} ROLE %1$I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT"
            f" CONNECTION LIMIT {CONNECTION_LIMIT} PASSWORD %2$L",
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
    password = box.open(organization.warehouse_password, context=organization.id)["password"]
    return WarehouseLogin(
        host=warehouse.host,
        port=warehouse.port,
        user=warehouse_role(organization.slug),
        password=password,
        database=warehouse.database,
        schema_name=schema,
    )


@asynccontextmanager
async def reading(warehouse: Warehouse, login: WarehouseLogin) -> AsyncIterator[asyncpg.Connection]:
    """A read-only transaction with a time limit, as the organization's role.

    Raises:
        UpstreamUnavailable: the warehouse cannot be reached.
    """
    settings = {
        "statement_timeout": str(READ_TIMEOUT_MS),
        "default_transaction_read_only": "on",
        "application_name": "etlfabric-preview",
    }
    async with (
        warehouse.connect(login.user, login.password, server_settings=settings) as connection,
        connection.transaction(readonly=True),
    ):
        yield connection


async def _formatted(admin: asyncpg.Connection, statement: str, values: tuple[str, ...]) -> str:
    """The statement with its identifiers and literals quoted by PostgreSQL itself."""
    formatted: str = await admin.fetchval(
        "SELECT format($1, VARIADIC $2::text[])", statement, list(values)
    )
    return formatted
