"""Below the choke point: with it bypassed, the metadata database itself keeps organizations apart.

Everything here is driven by the catalog, so a table that is added is tested without being named.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core import clock
from etlfabric_core.db.engine import async_url
from etlfabric_core.db.scope import org_session
from tests.api.conftest import PASSWORDS, TwoOrgs

TABLES = """
SELECT c.relname AS name, bool_or(a.attname = 'org_id') AS owned
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
  AND relname <> 'alembic_version'
GROUP BY c.relname ORDER BY c.relname
"""
REQUIRED = """
SELECT attname, format_type(atttypid, -1) AS type FROM pg_attribute
WHERE attrelid = format('%I', $1::text)::regclass AND attnum > 0 AND NOT attisdropped
  AND attnotnull AND NOT atthasdef AND attidentity = ''
"""
REFERENCES = """
SELECT conname, conrelid::regclass::text AS source, confrelid::regclass::text AS target,
  array(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute ON attrelid = conrelid AND attnum = number ORDER BY place) AS columns,
  array(SELECT attname::text FROM unnest(confkey) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute ON attrelid = confrelid AND attnum = number ORDER BY place) AS matched
FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY 1
"""
NUMBERS = count(1_000_000_000)
VALUES = {
    "bigint": lambda _: next(NUMBERS),
    "integer": lambda _: next(NUMBERS),
    "character varying": lambda canary: f"{canary} {next(NUMBERS)}",
    "text": lambda canary: f"{canary} {next(NUMBERS)}",
    "jsonb": lambda canary: f'{{"canary": "{canary}"}}',
    "timestamp with time zone": lambda _: clock.now(),
    "boolean": lambda _: False,
    "bytea": lambda canary: f"{canary} {next(NUMBERS)}".encode(),
    "uuid": lambda _: uuid4(),
}


@dataclass
class Database:
    """A transaction in which every table has a row of both organizations; rolled back at the end.

    `ids` maps a table to the ids of A's and B's row.
    """

    connection: asyncpg.Connection
    orgs: TwoOrgs
    tables: dict[str, bool] = field(default_factory=dict)
    references: list[asyncpg.Record] = field(default_factory=list)
    ids: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def owned(self) -> list[str]:
        """The tables of organizations."""
        return [name for name, owned in self.tables.items() if owned]

    @property
    def a(self) -> int:
        return self.orgs.a.org_id

    @property
    def b(self) -> int:
        return self.orgs.b.org_id

    async def insert(self, table: str, org: int, given: dict[str, Any]) -> int:
        """A row of an organization, with the canary of it in every text."""
        row: dict[str, Any] = {}
        for name, kind in await self.connection.fetch(REQUIRED, table):
            row[name] = VALUES[kind](f"canary of {org}")
        row |= given
        if self.tables[table]:
            row["org_id"] = org
        names = ", ".join(f'"{name}"' for name in row)
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        statement = f'INSERT INTO "{table}" ({names}) VALUES ({places}) RETURNING id'
        return int(await self.connection.fetchval(statement, *row.values()))

    async def row(self, table: str, org: int) -> int:
        """A new row, or the one there is where an organization can have only one."""
        try:
            async with self.connection.transaction():
                return await self.insert(table, org, {})
        except asyncpg.UniqueViolationError:
            return int(
                await self.connection.fetchval(f'SELECT id FROM "{table}" WHERE org_id = $1', org)
            )

    def references_of(self, table: str, index: int) -> dict[str, int]:
        """Its foreign keys, filled with the rows of one organization."""
        return {
            name: self.ids[key["target"].strip('"')][index]
            for key in self.references
            if key["source"].strip('"') == table
            for name in key["columns"]
            if name != "org_id"
        }

    async def as_service(self, org: int | None) -> None:
        """The rest of the transaction as the service's role, with or without an organization."""
        value = "" if org is None else str(org)
        await self.connection.execute("SELECT set_config('app.org_id', $1, true)", value)
        await self.connection.execute("SET LOCAL ROLE etlfabric_service")

    async def refuses(self, statement: str, *values: Any) -> bool:
        """Whether a statement is refused, or changes nothing."""
        try:
            async with self.connection.transaction():
                done = await self.connection.execute(statement, *values)
        except asyncpg.InsufficientPrivilegeError:
            return True
        return bool(done.endswith(" 0"))


@pytest.fixture
async def filled(two_orgs: TwoOrgs, database: EmbeddedPostgres) -> AsyncIterator[Database]:
    connection = await asyncpg.connect(database.url("etlfabric"))
    transaction = connection.transaction()
    await transaction.start()
    made = Database(connection, two_orgs)
    made.tables = {row["name"]: row["owned"] for row in await connection.fetch(TABLES)}
    made.references = await connection.fetch(REFERENCES)
    made.ids["organization"] = (made.a, made.b)
    # So that rows need no order; the references themselves are tested with triggers on.
    await connection.execute("SET LOCAL session_replication_role = replica")
    for table in (name for name in made.tables if name != "organization"):
        made.ids[table] = (await made.row(table, made.a), await made.row(table, made.b))
    await connection.execute("SET LOCAL session_replication_role = origin")
    yield made
    await transaction.rollback()
    await connection.close()


@pytest.mark.feature("A18")
async def test_a_raw_select_returns_nothing_of_another(filled: Database) -> None:
    await filled.as_service(filled.a)
    wrong = []
    for table in filled.owned:
        rows = await filled.connection.fetch(f'SELECT org_id, t::text FROM "{table}" t')
        if {row["org_id"] for row in rows} != {filled.a}:
            wrong.append((table, rows))
        if any(f"canary of {filled.b}" in row["t"] for row in rows):
            wrong.append((table, "canary"))
    assert not wrong
    assert len(filled.owned) >= 14


@pytest.mark.feature("A18")
async def test_tables_of_the_platform_show_the_own_people_only(filled: Database) -> None:
    await filled.as_service(filled.a)
    for table in set(filled.tables) - set(filled.owned):
        rows = await filled.connection.fetch(f'SELECT id, t::text FROM "{table}" t')
        assert filled.ids[table][1] not in {row["id"] for row in rows}, table
        assert not any(f"canary of {filled.b}" in row["t"] for row in rows), table
    people = await filled.connection.fetch('SELECT email FROM "user"')
    assert [row["email"] for row in people] == [filled.orgs.a.email]
    slugs = await filled.connection.fetch("SELECT slug FROM organization")
    assert [row["slug"] for row in slugs] == [filled.orgs.a.slug]


@pytest.mark.feature("A18")
async def test_without_an_organization_there_is_nothing(filled: Database) -> None:
    await filled.as_service(None)
    for table in filled.tables:
        assert await filled.connection.fetchval(f'SELECT count(*) FROM "{table}"') == 0, table


@pytest.mark.feature("A18")
async def test_nothing_is_written_for_another(filled: Database) -> None:
    await filled.as_service(filled.a)
    wrong = []
    for table in filled.owned:
        statements = (
            (f'UPDATE "{table}" SET org_id = $1', filled.b),
            (f'UPDATE "{table}" SET created_at = now() WHERE org_id = $1', filled.b),
            (f'DELETE FROM "{table}" WHERE org_id = $1', filled.b),
        )
        wrong += [one for one, *values in statements if not await filled.refuses(one, *values)]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with filled.connection.transaction():
                await filled.insert(table, filled.b, {})
    assert not wrong


async def test_no_reference_leaves_an_organization(filled: Database) -> None:
    """A's row with the id of B's, for every foreign key; as a superuser, so nothing else helps."""
    tested = 0
    for key in filled.references:
        source, target = key["source"].strip('"'), key["target"].strip('"')
        if not (filled.tables[source] and filled.tables[target]):
            continue
        pairs = dict(zip(key["columns"], key["matched"], strict=True))
        assert pairs.get("org_id") == "org_id", key["conname"]
        column = next(name for name in key["columns"] if name != "org_id")
        given = filled.references_of(source, 0) | {column: filled.ids[target][1]}
        with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
            async with filled.connection.transaction():
                await filled.insert(source, filled.a, given)
        assert refused.value.constraint_name == key["conname"]
        tested += 1
    assert tested >= 12


@pytest.mark.feature("A18")
async def test_a_pooled_connection_forgets_the_organization(
    two_orgs: TwoOrgs, database: EmbeddedPostgres
) -> None:
    """After a commit and after an aborted transaction, on the very same connection."""
    url = database.url("etlfabric", "etlfabric_service", PASSWORDS["service"])
    engine = create_async_engine(async_url(url), pool_size=1, max_overflow=0)
    sessions, pid = async_sessionmaker(engine), text("SELECT pg_backend_pid()")
    async with org_session(sessions, two_orgs.a.org_id) as session:
        first = await session.scalar(pid)
        assert await session.scalar(text("SELECT count(*) FROM workflow")) == 1
    for statement in ("SELECT 1", "SELECT 1 / 0", "INSERT INTO workflow (org_id) VALUES (0)"):
        try:
            async with org_session(sessions, two_orgs.a.org_id) as session:
                await session.execute(text(statement))
        except DBAPIError:
            assert statement != "SELECT 1"
        async with sessions() as session:
            assert await session.scalar(pid) == first
            for table in ("workflow", "connection", "audit_entry", '"user"', "organization"):
                found = await session.scalar(text(f"SELECT count(*) FROM {table}"))
                assert found == 0, (statement, table)
    await engine.dispose()


@pytest.fixture
async def admin(database: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.url("etlfabric"))
    yield connection
    await connection.close()


@pytest.mark.feature("A18")
async def test_every_table_is_protected(admin: asyncpg.Connection) -> None:
    open_tables = await admin.fetch(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')"
        " AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'"
        " AND NOT (relrowsecurity AND relforcerowsecurity)"
    )
    assert open_tables == []
    views = await admin.fetch(
        "SELECT relname FROM pg_class WHERE relkind IN ('v', 'm')"
        " AND relnamespace = 'public'::regnamespace"
        " AND NOT 'security_invoker=true' = ANY (coalesce(reloptions, '{}'))"
    )
    assert views == []  # a view would read with its owner's rights
    service = await admin.fetchrow(
        "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles"
        " WHERE rolname = 'etlfabric_service'"
    )
    assert not any(service)
    owned = await admin.fetch(
        "SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = 'etlfabric_service'"
    )
    assert owned == []


async def test_functions_of_the_owner_are_closed(admin: asyncpg.Connection) -> None:
    """What runs with the owner's rights looks in the catalog first and is not for everybody."""
    functions = await admin.fetch(
        "SELECT proname, proconfig::text AS settings, proacl::text AS rights FROM pg_proc"
        " WHERE prosecdef AND pronamespace = 'public'::regnamespace"
    )
    for one in functions:
        assert re.search(r"search_path=pg_catalog", one["settings"] or ""), one["proname"]
        assert one["rights"] is not None, one["proname"]
        assert "{=X" not in one["rights"], one["proname"]
        assert ",=X" not in one["rights"], one["proname"]


async def test_unique_indexes_begin_with_the_organization(admin: asyncpg.Connection) -> None:
    """One over all organizations would tell of others' names, and keep them from being used."""
    unscoped = await admin.fetch(
        "SELECT i.indexrelid::regclass::text FROM pg_index i"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'org_id'"
        " WHERE i.indisunique AND NOT i.indisprimary AND i.indkey[0] <> a.attnum"
    )
    assert unscoped == []
