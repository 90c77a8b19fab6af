"""Sessions: rotation, replay, switching, ending; and a model that tries them in any order."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import asyncpg
import httpx
import pytest

from cli.stack.postgres import EmbeddedPostgres
from tests.api.conftest import MakeOrg, OrgClient, TwoOrgs, invite
from tests.api.other_service import sign_in
from tests.api.session_model import run_session_model

AUTH = "/api/v1/auth"
SESSIONS = "/api/v1/me/sessions"


async def refresh(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post(f"{AUTH}/refresh", json={"refresh_token": token})


async def switch(client: httpx.AsyncClient, token: str, slug: str) -> httpx.Response:
    body = {"refresh_token": token, "organization": slug}
    return await client.post(f"{AUTH}/switch", json=body)


@pytest.mark.feature("A6")
async def test_of_twenty_parallel_refreshes_one_wins(
    make_org: MakeOrg, client: httpx.AsyncClient
) -> None:
    known = await make_org()
    token = (await sign_in(client, known.email)).json()["refresh_token"]
    answers = await asyncio.gather(*(refresh(client, token) for _ in range(20)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 19}
    (winner,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert (await refresh(client, winner["refresh_token"])).status_code == 200


@pytest.mark.feature("A2", "A4")
async def test_switching_organization_takes_the_session_along(
    make_org: MakeOrg, make_member: Callable[..., Any], client: httpx.AsyncClient
) -> None:
    a, b, stranger = await make_org(), await make_org(), await make_org()
    member: OrgClient = await make_member(a, "viewer")
    await _add_to(b, member, "editor")
    first = (await sign_in(client, member.email, organization=a.slug)).json()
    for slug in (stranger.slug, "no-such", "", "x' OR 1=1", a.slug.upper()):
        refused = await switch(client, first["refresh_token"], slug)
        assert refused.status_code == 404
        assert refused.json()["message"] == "there is no such organization among yours"
    second = await switch(client, first["refresh_token"], b.slug)
    assert (second.json()["organization"]["slug"], second.json()["role"]) == (b.slug, "editor")
    bearer = {"Authorization": f"Bearer {second.json()['access_token']}"}
    assert (await client.get("/api/v1/me", headers=bearer)).json()["organization"]["id"] == b.org_id
    left = {"Authorization": f"Bearer {first['access_token']}"}
    assert (await client.get("/api/v1/me", headers=left)).status_code == 401
    renewed = await refresh(client, second.json()["refresh_token"])
    assert renewed.json()["organization"]["slug"] == b.slug
    assert (await switch(client, "unknown", b.slug)).status_code == 401
    log = (await b.get("/api/v1/audit", params={"action": "switch"})).json()["items"]
    assert [entry["user"]["email"] for entry in log] == [member.email]
    assert (await a.get("/api/v1/audit", params={"action": "switch"})).json()["items"] == []


@pytest.mark.feature("A6")
async def test_a_session_that_joins_an_organization_leaves_its_old_tokens_behind(
    two_orgs: TwoOrgs, client: httpx.AsyncClient
) -> None:
    first = (await sign_in(client, two_orgs.a.email)).json()
    token = await invite(two_orgs.b, two_orgs.a.email, "viewer")
    left = {"Authorization": f"Bearer {first['access_token']}"}
    accept = f"{AUTH}/invitations/accept"
    joined = await client.post(accept, json={"token": token}, headers=left)
    assert joined.json()["organization"]["slug"] == two_orgs.b.slug
    assert (await client.get("/api/v1/me", headers=left)).status_code == 401
    assert (await refresh(client, first["refresh_token"])).status_code == 409  # used just now
    renewed = await refresh(client, joined.json()["refresh_token"])
    assert renewed.json()["organization"]["slug"] == two_orgs.b.slug


@pytest.mark.feature("A6")
async def test_an_organization_sees_the_logins_into_it_alone(
    two_orgs: TwoOrgs, client: httpx.AsyncClient, service_connection: asyncpg.Connection
) -> None:
    """Of a member of both, PostgreSQL shows either one the sessions that are in it."""
    await _add_to(two_orgs.b, two_orgs.a, "viewer")
    for number, org in enumerate((two_orgs.a, two_orgs.a, two_orgs.b)):
        answer = await sign_in(client, two_orgs.a.email, organization=org.slug)
        assert answer.status_code == 200, number
    for org in (two_orgs.a, two_orgs.b):
        await service_connection.execute(
            "SELECT set_config('app.org_id', $1, false)", str(org.org_id)
        )
        rows = await service_connection.fetch("SELECT organization_id FROM login")
        assert len(rows) >= 2
        assert {row["organization_id"] for row in rows} == {org.org_id}


async def _add_to(owner: OrgClient, member: OrgClient, role: str) -> None:
    body = {"email": member.email, "role": role}
    invited = await owner.post("/api/v1/invitations", json=body)
    token = invited.json()["link"].partition("#token=")[2]
    accepted = await member.post(f"{AUTH}/invitations/accept", json={"token": token})
    assert accepted.status_code == 200, accepted.text


@pytest.mark.feature("A4")
async def test_sessions_are_listed_and_ended_by_their_owner(
    make_org: MakeOrg, client: httpx.AsyncClient
) -> None:
    known, other = await make_org(), await make_org()
    client.headers["User-Agent"] = "Browser <b>7</b>" + "x" * 400
    tokens = [(await sign_in(client, known.email)).json() for _ in range(2)]
    items = (await known.get(SESSIONS)).json()["items"]
    assert [item["current"] for item in items] == [False, False, True]
    assert items[0].keys() == {
        *("id", "method", "address", "user_agent", "created_at", "last_used_at", "current"),
        "organization",
    }
    assert items[0]["organization"]["slug"] == known.slug
    assert items[0]["method"] == "password"
    assert items[0]["user_agent"].startswith("Browser <b>7</b>x")
    assert len(items[0]["user_agent"]) == 300
    theirs = (await other.get(SESSIONS)).json()["items"][0]["id"]
    for id in (theirs, 2**40):
        answer = await known.delete(f"{SESSIONS}/{id}")
        assert answer.status_code == 404
    assert (await other.get("/api/v1/me")).status_code == 200
    assert (await known.delete(f"{SESSIONS}/{items[0]['id']}")).status_code == 204
    assert (await known.delete(f"{SESSIONS}/{items[0]['id']}")).status_code == 404
    assert (await refresh(client, tokens[1]["refresh_token"])).status_code == 401
    assert (await known.delete(SESSIONS)).status_code == 204
    assert (await refresh(client, tokens[0]["refresh_token"])).status_code == 401
    assert [item["current"] for item in (await known.get(SESSIONS)).json()["items"]] == [True]
    assert len((await other.get(SESSIONS)).json()["items"]) == 1


@pytest.mark.feature("A6")
async def test_a_replayed_token_is_noted_in_the_organization_s_audit_log(
    make_org: MakeOrg, client: httpx.AsyncClient, database: EmbeddedPostgres
) -> None:
    known = await make_org()
    first = (await sign_in(client, known.email)).json()["refresh_token"]
    assert (await refresh(client, first)).status_code == 200
    admin = await asyncpg.connect(database.url("etlfabric"))
    try:
        await admin.execute(
            "UPDATE refresh_token SET used_at = used_at - interval '6 seconds' "
            "WHERE token_hash = sha256($1)",
            first.encode(),
        )
        stored = await admin.fetchval("SELECT string_agg(t::text, ' ') FROM refresh_token t")
    finally:
        await admin.close()
    assert first not in stored
    for _ in range(2):
        assert (await refresh(client, first)).status_code == 401
    log = await known.get("/api/v1/audit", params={"action": "refresh_token_reused"})
    assert len(log.json()["items"]) == 1


@pytest.mark.feature("A4", "A6")
def test_sessions_in_any_order(settings: Any, database: EmbeddedPostgres) -> None:
    run_session_model(settings, database, examples=int(os.environ.get("ETLFABRIC_EXAMPLES", "4")))
