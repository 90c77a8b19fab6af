"""Organizations kept apart below the API: row-level security, the warehouse, the choke point."""

import ast
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from fastapi import FastAPI

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core import models
from etlfabric_core.models import Base, OrgOwned
from etlfabric_core.services import warehouse
from tests.api.conftest import TwoOrgs

ROOT = Path(__file__).parents[2]
OWNED = sorted(m.class_.__name__ for m in Base.registry.mappers if issubclass(m.class_, OrgOwned))


@pytest.mark.feature("A18", "A19")
async def test_without_the_choke_point_there_is_nothing(
    two_orgs: TwoOrgs, service_connection: asyncpg.Connection
) -> None:
    for table in Base.metadata.tables:
        count = await service_connection.fetchval(f'SELECT count(*) FROM "{table}"')
        assert count == 0, table


async def test_an_organization_sees_and_writes_its_own_rows_only(
    two_orgs: TwoOrgs, service_connection: asyncpg.Connection
) -> None:
    mine, theirs = two_orgs.a.org_id, two_orgs.b.org_id
    async with service_connection.transaction():
        await service_connection.execute("SELECT set_config('app.org_id', $1, true)", str(mine))
        for name in OWNED:
            table = getattr(models, name)
            rows = await service_connection.fetch(f'SELECT org_id FROM "{table.__tablename__}"')
            assert {row["org_id"] for row in rows} <= {mine}
        emails = await service_connection.fetch('SELECT email FROM "user"')
        assert [row["email"] for row in emails] == [two_orgs.a.email]
        slugs = await service_connection.fetch("SELECT slug FROM organization")
        assert [row["slug"] for row in slugs] == [two_orgs.a.slug]
        assert not await service_connection.fetch("SELECT 1 FROM refresh_token")
        moved = await service_connection.execute(
            "UPDATE workflow SET name = 'stolen' WHERE org_id = $1", theirs
        )
        assert moved == "UPDATE 0"
    for statement in (
        "INSERT INTO workflow (org_id, name, slug, description) VALUES ($1, 'x', 'x', '')",
        "UPDATE workflow SET org_id = $1",
    ):
        async with service_connection.transaction():
            await service_connection.execute("SELECT set_config('app.org_id', $1, true)", str(mine))
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await service_connection.execute(statement, theirs)


async def test_references_cannot_leave_the_organization(
    two_orgs: TwoOrgs, database: EmbeddedPostgres
) -> None:
    admin = await asyncpg.connect(database.url("etlfabric"))
    try:
        theirs = await admin.fetchval(
            "SELECT id FROM workflow WHERE org_id = $1", two_orgs.b.org_id
        )
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await admin.execute(
                "INSERT INTO node (org_id, workflow_id, kind, name, slug, description, dataset,"
                " config, retries, version)"
                " VALUES ($1, $2, 'pipeline', 'x', 'x', '', 'raw', '{}', 1, 1)",
                two_orgs.a.org_id,
                theirs,
            )
    finally:
        await admin.close()


async def test_every_table_is_protected(database: EmbeddedPostgres) -> None:
    admin = await asyncpg.connect(database.url("etlfabric"))
    try:
        open_tables = await admin.fetch(
            "SELECT relname FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'"
            " AND NOT (relrowsecurity AND relforcerowsecurity)"
        )
        assert open_tables == []
        service = await admin.fetchrow(
            "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = 'etlfabric_service'"
        )
        assert not any(service)
        owned = await admin.fetch(
            "SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = 'etlfabric_service'"
        )
        assert owned == []
        unscoped = await admin.fetch(
            "SELECT i.indexrelid::regclass::text FROM pg_index i"
            " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'org_id'"
            " WHERE i.indisunique AND NOT i.indisprimary AND i.indkey[0] <> a.attnum"
        )
        assert unscoped == []  # a unique index over all organizations would tell of others' names
    finally:
        await admin.close()


async def test_the_audit_log_cannot_be_rewritten(
    two_orgs: TwoOrgs, service_connection: asyncpg.Connection
) -> None:
    for statement in ("UPDATE audit_entry SET action = 'x'", "DELETE FROM audit_entry"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service_connection.execute(statement)


@pytest.fixture
async def warehouse_role(
    app: FastAPI, two_orgs: TwoOrgs, database: EmbeddedPostgres
) -> AsyncIterator[asyncpg.Connection]:
    """A's own role in the warehouse, where B has a table with a canary."""
    managed, box = app.state.wiring.warehouse, app.state.wiring.box
    admin = await asyncpg.connect(database.url("warehouse"))
    for org in (two_orgs.a, two_orgs.b):
        schema = await warehouse.ensure_dataset(managed, org.slug, "raw")
        await admin.execute(f"SET ROLE org_{org.slug}")
        await admin.execute(f"CREATE TABLE {schema}.people AS SELECT 'canary {org.slug}' AS name")
        await admin.execute("RESET ROLE")
    await admin.close()
    service = await asyncpg.connect(database.url("etlfabric"))
    row = await service.fetchrow(
        "SELECT id, warehouse_password FROM organization WHERE slug = $1", two_orgs.a.slug
    )
    await service.close()
    password = box.open(row["warehouse_password"], context=row["id"])["password"]
    connection = await asyncpg.connect(
        database.url("warehouse", f"org_{two_orgs.a.slug}", password)
    )
    yield connection
    await connection.close()


async def test_a_warehouse_role_reaches_its_own_schemas_only(
    warehouse_role: asyncpg.Connection, two_orgs: TwoOrgs
) -> None:
    a, b = two_orgs.a.slug, two_orgs.b.slug
    assert await warehouse_role.fetchval(f"SELECT name FROM {a}_raw.people") == f"canary {a}"
    await warehouse_role.execute(f"CREATE TABLE {a}_raw_staging.x (id int)")
    await warehouse_role.execute("CREATE TEMPORARY TABLE t (id int)")
    refused = (
        f"SELECT * FROM {b}_raw.people",
        f"CREATE TABLE {b}_raw.x (id int)",
        f"DROP SCHEMA {b}_raw CASCADE",
        f"SET ROLE org_{b}",
        "SET ROLE etlfabric_warehouse",
        f"GRANT org_{b} TO org_{a}",
        f"CREATE SCHEMA {b}_next",
        "CREATE TABLE public.x (id int)",
        "CREATE ROLE intruder",
        "CREATE EXTENSION dblink",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT rolpassword FROM pg_authid",
    )
    for statement in refused:
        with pytest.raises(asyncpg.PostgresError):
            await warehouse_role.execute(statement)


async def test_a_dataset_is_made_by_many_at_once(app: FastAPI, two_orgs: TwoOrgs) -> None:
    managed = app.state.wiring.warehouse
    for number in range(3):
        made = await asyncio.gather(
            *(warehouse.ensure_dataset(managed, two_orgs.a.slug, f"d{number}") for _ in range(8))
        )
        assert set(made) == {f"{two_orgs.a.slug}_d{number}"}


async def test_a_warehouse_role_enters_no_other_database(
    warehouse_role: asyncpg.Connection, two_orgs: TwoOrgs, app: FastAPI, database: EmbeddedPostgres
) -> None:
    role, password = f"org_{two_orgs.a.slug}", "known to the test"
    admin = await asyncpg.connect(database.url())
    await admin.execute(f"ALTER ROLE {role} PASSWORD '{password}'")
    await admin.close()
    for name in ("etlfabric", "airflow", "postgres", "template1"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(database.url(name, role, password))


async def test_tables_show_the_own_organization_only(
    warehouse_role: asyncpg.Connection, two_orgs: TwoOrgs
) -> None:
    a, b = two_orgs.a, two_orgs.b
    listed = (await a.get("/api/v1/tables")).json()["items"]
    assert [(table["dataset"], table["name"]) for table in listed] == [("raw", "people")]
    assert listed[0]["columns"] == [{"name": "name", "type": "text"}]
    rows = (await a.get("/api/v1/tables/raw/people/rows")).json()
    assert rows["rows"] == [[f"canary {a.slug}"]]
    assert (await a.get("/api/v1/tables/raw/people/count")).json() == {"rows": 1}
    paths = (f"{b.slug}_raw/people", "raw/absent", "raw_staging/people", "pg_catalog/pg_roles")
    for path in paths:
        for question in ("rows", "count"):
            assert (await a.get(f"/api/v1/tables/{path}/{question}")).status_code == 404
    assert b.slug not in (await a.get("/api/v1/tables")).text


async def test_a_slow_view_is_stopped(
    warehouse_role: asyncpg.Connection, two_orgs: TwoOrgs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warehouse, "READ_TIMEOUT_MS", 200)
    schema = f"{two_orgs.a.slug}_raw"
    await warehouse_role.execute(f"CREATE VIEW {schema}.slow AS SELECT pg_sleep(60)::text AS x")
    await warehouse_role.execute(
        f"CREATE FUNCTION {schema}.f() RETURNS text LANGUAGE sql AS"
        f" 'INSERT INTO {schema}.people VALUES (1) RETURNING name'"
    )
    await warehouse_role.execute(f"CREATE VIEW {schema}.writes AS SELECT {schema}.f() AS x")
    for view, word in (("slow", "took longer"), ("writes", "read-only")):
        response = await two_orgs.a.get(f"/api/v1/tables/raw/{view}/rows")
        assert response.status_code == 422
        assert word in response.json()["message"]


def test_queries_on_owned_tables_start_at_the_choke_point() -> None:
    found = []
    for folder in ("api", "etlfabric_core"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path != ROOT / "etlfabric_core/db/scope.py":
                found += _bare_queries(path)
    assert found == []


def test_the_lint_finds_bare_queries(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(
        "a = select(Node).where(x)\nb = select(Node.id)\nc = session.get(Edge, 1)\n"
        "d = org_select(Node)\ne = select(User)\nf = config.get(Edge)\n"
    )
    assert len(_bare_queries(sample)) == 3


def _bare_queries(path: Path) -> list[str]:
    return [
        f"{path.name}:{call.lineno}"
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and _starts_query(call.func) and _names_owned(call)
    ]


def _starts_query(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        on_session = isinstance(function.value, ast.Name) and "session" in function.value.id
        return function.attr == "select" or (on_session and function.attr in ("get", "get_one"))
    return isinstance(function, ast.Name) and function.id == "select"


def _names_owned(call: ast.Call) -> bool:
    names = (node for argument in call.args for node in ast.walk(argument))
    return any(isinstance(node, ast.Name) and node.id in OWNED for node in names)
