"""Organizations: another one, settings, deletion with a grace period, restoring, the purge."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from api.chores import holdings
from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.db.scope import org_select, org_session, platform_session
from etlfabric_core.errors import Conflict, NotFound
from etlfabric_core.models import Base, Organization, Revision, Workflow
from etlfabric_core.orchestrator.client import AirflowClient
from etlfabric_core.orchestrator.port import RunsQuery
from etlfabric_core.services import (
    organization_deletion,
    organization_purge,
    principals,
    publications,
    warehouse,
)
from etlfabric_core.settings import Settings
from etlfabric_core.specs.document import DagSpec
from etlfabric_core.transform.plan import WarehouseLogin
from tests.api.conftest import USER_PASSWORD, MakeOrg, OrgClient, TwoOrgs, invite
from tests.api.runs_world import PURGED, SIMILAR, World, published
from tests.api.test_publishing import SQL, model
from tests.api.test_workflow_graph import make_pipeline

ONE = "/api/v1/organization"
MINE = "/api/v1/organizations"
MakeMember = Callable[..., Any]


@pytest.fixture
def airflow_side(settings: Settings) -> dict[str, str]:
    """The headers of Airflow's side."""
    return {"Authorization": f"Bearer {settings.internal_token.get_secret_value()}"}


@pytest.mark.feature("A1")
async def test_an_organization_changes_what_people_see_but_not_its_slug(make_org: MakeOrg) -> None:
    owner = await make_org()
    new = {"name": "Ünïcode & Söhne", "description": "Flights and trains"}
    assert (await owner.patch(ONE, json=new)).json() == owner.organization | new
    assert (await owner.patch(ONE, json={"name": "Short"})).json()["description"] == (
        "Flights and trains"
    )
    (entry, *_) = (await owner.get("/api/v1/audit", params={"action": "update"})).json()["items"]
    assert entry["old_values"] == {"name": "Ünïcode & Söhne"}
    assert entry["new_values"] == {"name": "Short"}
    for wrong in (
        {"slug": "x"},
        {"name": "a\u0000b"},
        {"name": ""},
        {"name": None},
        {"description": "x" * 5001},
        {"id": 1},
        {"deleted_at": None},
        {"airflow_operators": True},
    ):
        assert (await owner.patch(ONE, json=wrong)).status_code == 422, wrong


@pytest.mark.feature("A2")
async def test_another_organization_of_the_same_person(
    make_org: MakeOrg, client: httpx.AsyncClient, database: EmbeddedPostgres
) -> None:
    owner = await make_org()
    made = await owner.post(MINE, json={"name": f"Second of {owner.slug}"})
    assert made.status_code == 201, made.text
    slug = made.json()["slug"]
    me = (await owner.get("/api/v1/me")).json()
    assert {one["organization"]["slug"]: one["role"] for one in me["memberships"]} == {
        owner.slug: "owner",
        slug: "owner",
    }
    body = {"email": owner.email, "password": USER_PASSWORD, "organization": slug}
    there = (await client.post("/api/v1/auth/login", json=body)).json()
    client.headers["Authorization"] = f"Bearer {there['access_token']}"
    (workflow,) = (await client.get("/api/v1/workflows")).json()["items"]
    assert workflow["slug"] == "main"
    assert (await client.get("/api/v1/tables")).json()["items"] == []  # as its own role
    for wrong, status in (({"name": slug}, 409), ({"name": "…"}, 422), ({"name": ""}, 422)):
        refused = await owner.post(MINE, json=wrong)
        assert (refused.status_code, refused.json()["problems"][0]["field"]) == (status, "name")


@pytest.mark.feature("A11", "A17")
async def test_deleting_closes_it_for_everybody_at_once(
    make_org: MakeOrg, make_member: MakeMember, client: httpx.AsyncClient
) -> None:
    owner = await make_org()
    viewer: OrgClient = await make_member(owner, "viewer")
    key = await owner.post("/api/v1/api-keys", json={"name": "K", "scopes": ["workflows:read"]})
    for confirm in ("", "other", owner.slug.upper()):
        refused = await owner.delete(ONE, params={"confirm": confirm})
        assert (refused.status_code, refused.json()["problems"][0]["field"]) == (422, "confirm")
    assert (await owner.delete(ONE)).status_code == 422
    gone = await owner.delete(ONE, params={"confirm": owner.slug})
    assert gone.status_code == 200, gone.text
    with_key = {"Authorization": f"Bearer {key.json()['key']}"}
    for headers in (owner.headers, viewer.headers, with_key):
        for path in ("/workflows", "/organization", "/registry/kinds"):
            answer = await client.get(f"/api/v1{path}", headers=dict(headers))
            assert answer.status_code == 401, path
    body = {"email": viewer.email, "password": USER_PASSWORD}
    assert (await client.post("/api/v1/auth/login", json=body)).status_code == 401
    again = {"email": "x@example.com", "password": USER_PASSWORD, "name": "X"}
    taken = await client.post(
        "/api/v1/auth/register", json=again | {"organization": owner.organization["name"]}
    )
    assert taken.status_code == 409


@pytest.mark.feature("A11")
async def test_who_has_nothing_else_signs_in_to_restore_it(
    make_org: MakeOrg, client: httpx.AsyncClient
) -> None:
    owner = await make_org()
    await owner.delete(ONE, params={"confirm": owner.slug})
    body = {"email": owner.email, "password": USER_PASSWORD}
    tokens = (await client.post("/api/v1/auth/login", json=body)).json()
    assert tokens["organization"]["deleted_at"] is not None
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    me = (await client.get("/api/v1/me")).json()
    assert (me["permissions"], me["memberships"]) == ([], [])
    assert (await client.get("/api/v1/workflows")).status_code == 401
    refreshed = await client.post(
        "/api/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]}
    )
    assert refreshed.status_code == 200
    (listed,) = (await client.get(f"{MINE}/deleted")).json()["items"]
    assert listed["slug"] == owner.slug
    assert (await client.post(f"{MINE}/{owner.org_id}/restore")).status_code == 200
    assert (await client.get("/api/v1/workflows")).status_code == 200


async def test_only_owners_restore_and_purge(
    two_orgs: TwoOrgs, make_member: MakeMember, client: httpx.AsyncClient
) -> None:
    a, b = two_orgs.a, two_orgs.b
    admin: OrgClient = await make_member(b, "admin")
    await admin.post(MINE, json={"name": f"Own of {b.slug}"})
    body = {"email": admin.email, "password": USER_PASSWORD, "organization": f"ownof{b.slug}"}
    tokens = (await client.post("/api/v1/auth/login", json=body)).json()
    admin.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    living = await b.post(f"{MINE}/{b.org_id}/restore")
    await b.delete(ONE, params={"confirm": b.slug})
    answers = [living]
    for client_ in (a, admin):
        assert (await client_.get(f"{MINE}/deleted")).json()["items"] == []
        answers.append(await client_.post(f"{MINE}/{b.org_id}/restore"))
        answers.append(await client_.delete(f"{MINE}/{b.org_id}", params={"confirm": b.slug}))
    missing = await a.post(f"{MINE}/999999999/restore")
    for answer in answers:
        assert answer.status_code == 404
        assert answer.text.replace(str(b.org_id), "999999999") == missing.text
    assert (await a.delete(f"{MINE}/{a.org_id}", params={"confirm": a.slug})).status_code == 404
    key = (await a.post("/api/v1/api-keys", json={"name": "K", "scopes": _ALL})).json()["key"]
    bearer = {"Authorization": f"Bearer {key}"}
    for method, path in (
        ("POST", MINE),
        ("GET", f"{MINE}/deleted"),
        ("POST", f"{MINE}/{b.org_id}/restore"),
        ("DELETE", f"{MINE}/{b.org_id}?confirm=x"),
        ("DELETE", f"{ONE}?confirm={a.slug}"),
        ("POST", f"{ONE}/transfer"),
        ("DELETE", "/api/v1/members/me"),
    ):
        bodies = {MINE: {"name": "x"}, f"{ONE}/transfer": {"member_id": 1, "confirm": a.slug}}
        answer = await a.request(method, path, headers=bearer, json=bodies.get(path))
        assert answer.status_code == 403, (method, path, answer.text)
    assert (await a.get("/api/v1/workflows")).status_code == 200


_ALL = ["organization:read", "organization:write", "organization:delete", "members:write"]


@pytest.mark.feature("A11", "A17")
async def test_dags_leave_and_come_back_as_they_were(
    make_org: MakeOrg,
    client: httpx.AsyncClient,
    airflow_side: dict[str, str],
    database: EmbeddedPostgres,
) -> None:
    owner = await make_org()
    workflow = (await make_pipeline(owner))["workflow_id"]
    published = await owner.post(f"/api/v1/workflows/{workflow}/publish")
    assert published.status_code == 200, published.text
    specs = f"/internal/v1/specs/{owner.slug}/main"
    before = (await client.get(specs, headers=airflow_side)).json()
    tables = await _rows(database, owner.org_id)
    await owner.delete(ONE, params={"confirm": owner.slug})
    gone = (await client.get(specs, headers=airflow_side)).json()
    assert (gone["spec"], gone["seq"] > before["seq"]) == (None, True)
    lease = {"run": {"dag_id": f"{owner.slug}.main", "run_id": "r", "run_type": "manual"}}
    lease["run"] |= {"node": "orders", "revision": 1, "try_number": 1}
    asked = await client.post("/internal/v1/run-context", json=lease, headers=airflow_side)
    assert asked.status_code == 404, asked.text
    assert (await owner.post(f"{MINE}/{owner.org_id}/restore")).status_code == 200
    after = (await client.get(specs, headers=airflow_side)).json()
    assert after["spec"] == before["spec"]
    assert after["seq"] > gone["seq"]
    again = await _rows(database, owner.org_id)
    changed = {table for table in tables if tables[table] != again[table]}
    assert changed <= {"audit_entry", "audit_head", "publication", "organization"}
    unchanged = await owner.post(f"/api/v1/workflows/{workflow}/publish")
    assert unchanged.json()["changed"] is False


async def test_nothing_is_published_in_a_deleted_organization(
    make_org: MakeOrg, app: FastAPI
) -> None:
    """A publication that was under way when the organization was deleted."""
    owner = await make_org()
    workflow = (await make_pipeline(owner))["workflow_id"]
    await owner.post(f"/api/v1/workflows/{workflow}/publish")
    async with org_session(app.state.wiring.sessions, owner.org_id) as session:
        row = (await session.scalars(org_select(Workflow))).one()
        spec = DagSpec.model_validate((await session.scalars(org_select(Revision))).one().spec)
        me = (await owner.get("/api/v1/me")).json()["user"]["id"]
        principal = await principals.of_member(session, me)
    await owner.delete(ONE, params={"confirm": owner.slug})
    with pytest.raises(Conflict):
        async with org_session(app.state.wiring.sessions, owner.org_id) as session:
            await publications.announce(session, principal, row, spec)


async def test_runs_are_cancelled(app: FastAPI, world: World) -> None:
    a = world.a
    run = await world.wiring.orchestrator.trigger(a.dag_id, {"wait": True}, None)
    theirs = await world.wiring.orchestrator.trigger(world.b.dag_id, {"wait": True}, None)
    gone = await a.http.delete(ONE, params={"confirm": a.slug})
    assert gone.status_code == 200, gone.text
    ended = await world.wiring.orchestrator.run(a.dag_id, run.run_id)
    assert (ended.state, ended.note) == ("failed", "cancelled")
    untouched = await world.wiring.orchestrator.run(world.b.dag_id, theirs.run_id)
    assert untouched.note is None
    assert (await a.http.post(f"{MINE}/{a.org_id}/restore")).status_code == 200
    await world.wiring.orchestrator.cancel(world.b.dag_id, theirs.run_id, note="test")


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
        await _fill(org, app)
    await _publish_model(a)
    neighbours = wiring.storage.put_bytes("blobs", b.slug.encode())
    uploads = [Path(wiring.storage.path(f"uploads/{org.org_id}")) for org in (a, b)]
    blobs = Path(wiring.storage.path("blobs"))
    kept_files, blobs_before = _files(uploads[1]), _files(blobs)
    assert _files(uploads[0]) == kept_files  # the same bytes
    theirs = await _rows(database, b.org_id)
    await a.delete(ONE, params={"confirm": a.slug})
    other = f"{MINE}/{a.org_id}"
    assert (await a.delete(other, params={"confirm": b.slug})).status_code == 422
    login = await _login(a, app)
    async with wiring.warehouse.connect(login.user, login.password) as at_work:
        await at_work.execute(f"BEGIN; LOCK TABLE {login.schema_name}.people")
        purged = await a.delete(other, params={"confirm": a.slug})
        assert purged.status_code == 204, purged.text
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await at_work.execute("SELECT 1")
    assert await _rows(database, b.org_id) == theirs
    left = {table: rows for table, rows in (await _rows(database, a.org_id)).items() if rows}
    kept = {"audit_entry", "audit_head", "login", "organization", "publication", "workflow"}
    assert set(left) == kept
    (row,) = left["organization"]
    assert (row["slug"], row["name"], row["warehouse_password"]) == (a.slug, "", b"")
    assert {line["spec"] for line in left["publication"]} == {None}
    assert {workflow["name"] for workflow in left["workflow"]} == {""}
    assert left["audit_entry"][-1]["action"] == "purge"
    assert not uploads[0].exists()
    assert _files(uploads[1]) == kept_files
    assert len(blobs_before - _files(blobs)) == 2  # a project and its manifest
    assert neighbours.sha256 in _files(blobs)
    assert await _in_warehouse(database, a.slug) == (False, False)
    assert await _in_warehouse(database, b.slug) == (True, True)
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
    await _fill(owner, app)
    before = await _rows(database, owner.org_id)
    await organization_purge._purge(holdings(app.state.wiring), owner.org_id)
    assert await _rows(database, owner.org_id) == before
    assert await _in_warehouse(database, owner.slug) == (True, True)


async def test_the_purge_comes_by_itself_and_is_taken_up_again(
    two_orgs: TwoOrgs, app: FastAPI, world: World, database: EmbeddedPostgres
) -> None:
    a, b = two_orgs.a, two_orgs.b
    wiring = world.wiring
    for org in (a, b):
        await _fill(org, app)
        await org.delete(ONE, params={"confirm": org.slug})
    await _set_purge_after(database, a.org_id, timedelta(seconds=1))
    assert (await a.get(f"{MINE}/deleted")).status_code == 401
    unreachable = replace(wiring.warehouse, port=9)
    away = replace(holdings(wiring), warehouse=unreachable)
    assert a.org_id not in await organization_purge.purge_expired(away)
    assert await _in_warehouse(database, a.slug) == (True, True)
    purged = await asyncio.gather(
        organization_purge.purge_expired(holdings(wiring)),
        organization_purge.purge_expired(holdings(wiring)),
    )
    assert a.org_id in purged[0] + purged[1]
    assert b.org_id not in purged[0] + purged[1]
    assert await _in_warehouse(database, a.slug) == (False, False)
    assert await _in_warehouse(database, b.slug) == (True, True)
    assert (await b.post(f"{MINE}/{b.org_id}/restore")).status_code == 200
    entries = (await _rows(database, a.org_id))["audit_entry"]
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


async def _fill(org: OrgClient, app: FastAPI) -> None:
    """Something in every place: rows, a published workflow, an upload, a warehouse, a key."""
    workflow = (await make_pipeline(org))["workflow_id"]
    assert (await org.post(f"/api/v1/workflows/{workflow}/publish")).is_success
    files = {"file": ("same.csv", b"a\n1\n")}
    assert (await org.post("/api/v1/uploads", files=files)).status_code == 201
    assert (await org.post("/api/v1/workflows", json={"name": "Never published"})).is_success
    await invite(org, "somebody@example.com", "viewer")
    await org.post("/api/v1/api-keys", json={"name": "K", "scopes": ["workflows:read"]})
    wiring, login = app.state.wiring, await _login(org, app)
    schema = await warehouse.ensure_dataset(wiring.warehouse, org.slug, "raw")
    async with wiring.warehouse.connect(login.user, login.password) as own:
        await own.execute(f"CREATE TABLE {schema}.people AS SELECT 1 AS id")
        await own.execute(f"CREATE VIEW {schema}.seen AS SELECT * FROM {schema}.people")


async def _login(org: OrgClient, app: FastAPI) -> WarehouseLogin:
    wiring = app.state.wiring
    async with org_session(wiring.sessions, org.org_id) as session:
        row = await session.get_one(Organization, org.org_id)
    return warehouse.login(wiring.warehouse, wiring.box, row, f"{org.slug}_raw")


async def _publish_model(org: OrgClient) -> None:
    """What leaves a dbt project and its manifest in the storage."""
    workflow = (await org.get("/api/v1/workflows")).json()["items"][0]["id"]
    made = await org.post("/api/v1/transformations", json=model(workflow, "stg_orders", SQL))
    assert made.is_success, made.text
    published = await org.post(f"/api/v1/workflows/{workflow}/publish")
    assert published.json()["changed"] is True


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def _rows(database: EmbeddedPostgres, org_id: int) -> dict[str, list[asyncpg.Record]]:
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


async def _in_warehouse(database: EmbeddedPostgres, slug: str) -> tuple[bool, bool]:
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


async def _set_purge_after(database: EmbeddedPostgres, org_id: int, ago: timedelta) -> None:
    admin = await asyncpg.connect(database.url("etlfabric"))
    await admin.execute(
        "UPDATE organization SET purge_after = now() - $2::interval WHERE id = $1", org_id, ago
    )
    await admin.close()


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
