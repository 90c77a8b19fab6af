"""What belongs to an organization: its routes, something in every place, what is found there."""

from pathlib import Path

import asyncpg
from fastapi import FastAPI

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.db.scope import org_session
from etlfabric_core.models import Base, Organization
from etlfabric_core.services import warehouse
from etlfabric_core.transform.plan import WarehouseLogin
from tests.api.conftest import INTERNAL_TOKEN, OrgClient, invite
from tests.api.test_workflow_graph import make_pipeline

ONE = "/api/v1/organization"
MINE = "/api/v1/organizations"


async def fill(org: OrgClient, app: FastAPI) -> None:
    """Something in every place: rows, a workflow, an upload, a database, a warehouse, a key."""
    pipeline = await make_pipeline(org)
    assert (await org.post(f"/api/v1/workflows/{pipeline['workflow_id']}/publish")).is_success
    await _find_change(org, pipeline["slug"])
    files = {"file": ("same.csv", b"a\n1\n")}
    assert (await org.post("/api/v1/uploads", files=files)).status_code == 201
    assert (await org.post("/api/v1/workflows", json={"name": "Never published"})).is_success
    await invite(org, "somebody@example.com", "viewer")
    await org.post("/api/v1/api-keys", json={"name": "K", "scopes": ["workflows:read"]})
    wiring, login = app.state.wiring, await own_login(org, app)
    kept = kept_database(org, app)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"rows")
    schema = await warehouse.ensure_dataset(wiring.warehouse, org.slug, "raw")
    async with wiring.warehouse.connect(login.user, login.password) as own:
        await own.execute(f"CREATE TABLE {schema}.people AS SELECT 1 AS id")
        await own.execute(f"CREATE VIEW {schema}.seen AS SELECT * FROM {schema}.people")


async def _find_change(org: OrgClient, node: str) -> None:
    """As a load of the published pipeline tells it."""
    run = {"dag_id": f"{org.slug}.main", "run_id": "manual__1", "run_type": "manual"}
    run |= {"node": node, "revision": 1, "try_number": 1}
    tables = [{"table": "people", "changes": [{"kind": "table_added"}]}]
    found = {"policy": "hold", "goes_on": False, "tables": tables}
    headers = {"Authorization": f"Bearer {INTERNAL_TOKEN}"}
    told = {"run": run, "found": found}
    answer = await org.post("/internal/v1/schema-changes", json=told, headers=headers)
    assert answer.status_code == 204, answer.text


def kept_database(org: OrgClient, app: FastAPI) -> Path:
    """The file of a database that the platform keeps for the organization."""
    folder: Path = app.state.wiring.settings.databases_dir
    return folder / str(org.org_id) / "1.duckdb"


async def own_login(org: OrgClient, app: FastAPI) -> WarehouseLogin:
    """How it reaches its own part of the warehouse."""
    wiring = app.state.wiring
    async with org_session(wiring.sessions, org.org_id) as session:
        row = await session.get_one(Organization, org.org_id)
    return warehouse.login(wiring.warehouse, wiring.box, row, f"{org.slug}_raw")


async def stored_rows(database: EmbeddedPostgres, org_id: int) -> dict[str, list[asyncpg.Record]]:
    """Every row of an organization, by table, below row-level security."""
    owners = {"organization": "id", "login": "organization_id"}
    admin = await asyncpg.connect(database.url("etlfabric"))
    found = {}
    for name, table in Base.metadata.tables.items():
        column = owners.get(name, "org_id")
        if column in table.columns:
            query = f'SELECT * FROM "{name}" WHERE {column} = $1 ORDER BY id'
            found[name] = await admin.fetch(query, org_id)
    await admin.close()
    return found


async def in_warehouse(database: EmbeddedPostgres, slug: str) -> tuple[bool, bool]:
    """Whether an organization has a role and schemas there."""
    admin = await asyncpg.connect(database.url("warehouse"))
    found = await admin.fetchrow(
        "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1),"
        " EXISTS (SELECT FROM pg_namespace WHERE starts_with(nspname, $2))",
        f"org_{slug}",
        f"{slug}_",
    )
    await admin.close()
    return tuple(found)
