"""Deleting an organization: closed at once, and everything as it was when it is restored."""

import httpx
import pytest
from fastapi import FastAPI

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.db.scope import org_select, org_session
from etlfabric_core.errors import Conflict
from etlfabric_core.models import Revision, Workflow
from etlfabric_core.services import principals, publications
from etlfabric_core.specs.document import DagSpec
from tests.api.conftest import USER_PASSWORD, MakeMember, MakeOrg, OrgClient, TwoOrgs
from tests.api.organization_contents import MINE, ONE, stored_rows
from tests.api.runs_world import World
from tests.api.test_workflow_graph import make_pipeline


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
    tables = await stored_rows(database, owner.org_id)
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
    again = await stored_rows(database, owner.org_id)
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
