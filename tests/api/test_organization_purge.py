"""The purge of a deleted organization: nothing of it is left, and nothing of others is touched."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from api.chores import holdings
from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.db.scope import platform_session
from etlfabric_core.errors import NotFound
from etlfabric_core.models import Base
from etlfabric_core.orchestrator.client import AirflowClient
from etlfabric_core.orchestrator.port import RunsQuery
from etlfabric_core.services import organization_deletion, organization_purge
from tests.api.conftest import USER_PASSWORD, MakeOrg, OrgClient, TwoOrgs
from tests.api.organization_contents import (
    MINE,
    ONE,
    fill,
    in_warehouse,
    kept_database,
    own_login,
    stored_rows,
)
from tests.api.runs_world import PURGED, SIMILAR, World, published
from tests.api.test_publishing import SQL, model


@pytest.mark.feature("A11")
async def test_a_purge_leaves_nothing_but_the_slug_and_the_audit_log(
    two_orgs: TwoOrgs,
    app: FastAPI,
    world: World,
    client: httpx.AsyncClient,
    airflow_side: dict[str, str],
    database: EmbeddedPostgres,
) -> None:
    a, b = two_orgs.a, two_orgs.b
    wiring = world.wiring
    for org in (a, b):
        await fill(org, app)
    await _publish_model(a)
    neighbours = wiring.storage.put_bytes("blobs", b.slug.encode())
    uploads = [Path(wiring.storage.path(f"uploads/{org.org_id}")) for org in (a, b)]
    blobs = Path(wiring.storage.path("blobs"))
    kept_files, blobs_before = _files(uploads[1]), _files(blobs)
    assert _files(uploads[0]) == kept_files  # the same bytes
    theirs = await stored_rows(database, b.org_id)
    await a.delete(ONE, params={"confirm": a.slug})
    other = f"{MINE}/{a.org_id}"
    assert (await a.delete(other, params={"confirm": b.slug})).status_code == 422
    login = await own_login(a, app)
    async with wiring.warehouse.connect(login.user, login.password) as at_work:
        await at_work.execute(f"BEGIN; LOCK TABLE {login.schema_name}.people")
        purged = await a.delete(other, params={"confirm": a.slug})
        assert purged.status_code == 204, purged.text
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await at_work.execute("SELECT 1")
    assert await stored_rows(database, b.org_id) == theirs
    left = {table: rows for table, rows in (await stored_rows(database, a.org_id)).items() if rows}
    kept = {"audit_entry", "audit_head", "login", "organization", "publication", "workflow"}
    assert set(left) == kept
    (row,) = left["organization"]
    assert (row["slug"], row["name"], row["warehouse_password"]) == (a.slug, "", b"")
    assert {line["spec"] for line in left["publication"]} == {None}
    assert {workflow["name"] for workflow in left["workflow"]} == {""}
    assert left["audit_entry"][-1]["action"] == "purge"
    assert not uploads[0].exists()
    assert [kept_database(org, app).exists() for org in (a, b)] == [False, True]
    assert _files(uploads[1]) == kept_files
    assert len(blobs_before - _files(blobs)) == 2  # a project and its manifest
    assert neighbours.sha256 in _files(blobs)
    assert await in_warehouse(database, a.slug) == (False, False)
    assert await in_warehouse(database, b.slug) == (True, True)
    spec = await client.get(f"/internal/v1/specs/{a.slug}/main", headers=airflow_side)
    assert spec.json()["spec"] is None
    assert (await a.post(f"{other}/restore")).status_code == 401  # not even the login's own
    assert (await b.get("/api/v1/tables")).json()["items"][0]["name"] == "people"
    again = {"email": "y@example.com", "password": USER_PASSWORD, "name": "Y"}
    taken = await client.post("/api/v1/auth/register", json=again | {"organization": a.slug})
    assert taken.status_code == 409


@pytest.mark.feature("A11")
async def test_a_purge_deletes_its_dags_and_runs_in_airflow(app: FastAPI, world: World) -> None:
    owner, airflow = await published(app, PURGED), world.wiring.orchestrator
    theirs = f"{SIMILAR}.main"
    for dag_id in (owner.dag_id, theirs):
        run = await airflow.trigger(dag_id, {}, None)
        while not (await airflow.run(dag_id, run.run_id)).ended:
            await asyncio.sleep(0.3)
    assert (await owner.http.delete(ONE, params={"confirm": owner.slug})).status_code == 200
    path, confirm = f"{MINE}/{owner.org_id}", {"confirm": owner.slug}
    away = replace(world.wiring, orchestrator=AirflowClient("http://127.0.0.1:9", "x", "x"))
    app.state.wiring = away
    assert (await owner.http.delete(path, params=confirm)).status_code == 502
    await away.orchestrator.close()
    app.state.wiring = world.wiring
    assert (await airflow.dag(owner.dag_id)).dag_id == owner.dag_id
    assert owner.org_id in await organization_purge.purge_expired(holdings(world.wiring))
    with pytest.raises(NotFound):
        await airflow.dag(owner.dag_id)
    assert (await airflow.runs((owner.dag_id,), RunsQuery(limit=1))).total_entries == 0
    assert (await airflow.dag(theirs)).dag_id == theirs
    assert (await airflow.run(theirs, run.run_id)).ended
    await airflow.forget(owner.slug)  # as often as one likes
    await owner.http.aclose()


async def test_a_restore_that_comes_too_late_gets_nothing(
    make_org: MakeOrg, app: FastAPI, database: EmbeddedPostgres
) -> None:
    """Also one whose transaction began before the purge, and where the service's clock is late."""
    owner = await make_org()
    user = (await owner.get("/api/v1/me")).json()["user"]["id"]
    await owner.delete(ONE, params={"confirm": owner.slug})
    async with platform_session(app.state.wiring.sessions) as session:
        await _set_purge_after(database, owner.org_id, timedelta(0))
        with pytest.raises(NotFound):
            await organization_deletion.restore(session, user, owner.org_id)


async def test_what_was_restored_meanwhile_is_not_purged(
    make_org: MakeOrg, app: FastAPI, database: EmbeddedPostgres
) -> None:
    owner = await make_org()
    await fill(owner, app)
    before = await stored_rows(database, owner.org_id)
    await organization_purge._purge(holdings(app.state.wiring), owner.org_id)
    assert await stored_rows(database, owner.org_id) == before
    assert await in_warehouse(database, owner.slug) == (True, True)


async def test_the_purge_comes_by_itself_and_is_taken_up_again(
    two_orgs: TwoOrgs, app: FastAPI, world: World, database: EmbeddedPostgres
) -> None:
    a, b = two_orgs.a, two_orgs.b
    wiring = world.wiring
    for org in (a, b):
        await fill(org, app)
        await org.delete(ONE, params={"confirm": org.slug})
    await _set_purge_after(database, a.org_id, timedelta(seconds=1))
    assert (await a.get(f"{MINE}/deleted")).status_code == 401
    unreachable = replace(wiring.warehouse, port=9)
    away = replace(holdings(wiring), warehouse=unreachable)
    assert a.org_id not in await organization_purge.purge_expired(away)
    assert await in_warehouse(database, a.slug) == (True, True)
    purged = await asyncio.gather(
        organization_purge.purge_expired(holdings(wiring)),
        organization_purge.purge_expired(holdings(wiring)),
    )
    assert a.org_id in purged[0] + purged[1]
    assert b.org_id not in purged[0] + purged[1]
    assert await in_warehouse(database, a.slug) == (False, False)
    assert await in_warehouse(database, b.slug) == (True, True)
    assert (await b.post(f"{MINE}/{b.org_id}/restore")).status_code == 200
    entries = (await stored_rows(database, a.org_id))["audit_entry"]
    assert [entry["action"] for entry in entries].count("purge") == 1


async def test_the_service_cannot_purge_the_living(
    two_orgs: TwoOrgs, service_connection: asyncpg.Connection, database: EmbeddedPostgres
) -> None:
    a, b = two_orgs.a, two_orgs.b
    await b.delete(ONE, params={"confirm": b.slug})
    for org in (a, b):  # b can still be restored
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service_connection.execute("SELECT purge_organization($1)", org.org_id)
    for statement in ("DELETE FROM revision", "DELETE FROM publication"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service_connection.execute(statement)
    admin = await asyncpg.connect(database.url("etlfabric"))
    granted = await admin.fetch(
        "SELECT grantee FROM information_schema.routine_privileges"
        " WHERE routine_name = 'purge_organization' AND privilege_type = 'EXECUTE'"
    )
    await admin.close()
    assert {row["grantee"] for row in granted} == {"etlfabric_owner", "etlfabric_service"}


async def test_the_purge_knows_every_table(database: EmbeddedPostgres) -> None:
    admin = await asyncpg.connect(database.url("etlfabric"))
    source = await admin.fetchval("SELECT prosrc FROM pg_proc WHERE proname = 'purge_organization'")
    await admin.close()
    owned = {
        name
        for name, table in Base.metadata.tables.items()
        if "org_id" in table.columns and not name.startswith("audit_")
    }
    assert {name for name in owned if f"DELETE FROM public.{name} WHERE" not in source} == set()


async def test_the_purge_waits_for_no_line_of_the_audit_log(
    make_org: MakeOrg, database: EmbeddedPostgres, service_connection: asyncpg.Connection
) -> None:
    """A line that is being written refers to the organization's row: both go on at once."""
    org = await make_org()
    admin = await asyncpg.connect(database.url("etlfabric"))
    try:
        await admin.execute(
            "UPDATE organization SET deleted_at = now(), purge_after = now() WHERE id = $1",
            org.org_id,
        )
        async with admin.transaction():
            await admin.execute(
                "INSERT INTO audit_entry (org_id, action, resource_type, resource_id) "
                "VALUES ($1, 'noted', 'organization', '')",
                org.org_id,
            )
            await service_connection.execute("SET lock_timeout = '5s'")
            await service_connection.execute("SELECT purge_organization($1)", org.org_id)
    finally:
        await admin.close()


async def _publish_model(org: OrgClient) -> None:
    """What leaves a dbt project and its manifest in the storage."""
    workflow = (await org.get("/api/v1/workflows")).json()["items"][0]["id"]
    made = await org.post("/api/v1/transformations", json=model(workflow, "stg_orders", SQL))
    assert made.is_success, made.text
    published = await org.post(f"/api/v1/workflows/{workflow}/publish")
    assert published.json()["changed"] is True


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def _set_purge_after(database: EmbeddedPostgres, org_id: int, ago: timedelta) -> None:
    admin = await asyncpg.connect(database.url("etlfabric"))
    await admin.execute(
        "UPDATE organization SET purge_after = now() - $2::interval WHERE id = $1", org_id, ago
    )
    await admin.close()
