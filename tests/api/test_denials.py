"""Whoever is turned away is in the audit log: once, bounded, and without a change of the answer."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core import clock
from etlfabric_core.access.throttle import Rule
from etlfabric_core.settings import Settings
from tests.api.conftest import MakeMember, MakeOrg, OrgClient
from tests.api.other_service import WEB, other_service, sign_in
from tests.api.test_throttle import MANY

AUTH = "/api/v1/auth"


class Refused:
    """Sends requests that are refused, each with an id by which its entries are found."""

    def __init__(self, admin: asyncpg.Connection) -> None:
        self.admin = admin

    async def __call__(
        self, client: httpx.AsyncClient, status: int, method: str, path: str, **given: Any
    ) -> list[asyncpg.Record]:
        """The entries that the request left."""
        request_id = uuid4().hex
        headers = given.pop("headers", {}) | {"X-Request-ID": request_id}
        answer = await client.request(method, path, headers=headers, **given)
        assert answer.status_code == status, answer.text
        return await self.admin.fetch(
            "SELECT org_id, user_id, api_key_id, action, resource_type, address,"
            " new_values->>'code' AS code, new_values->>'method' AS method"
            " FROM audit_entry WHERE request_id = $1",
            request_id,
        )


@pytest.fixture
async def refused(database: EmbeddedPostgres) -> Any:
    """Sends refused requests."""
    admin = await asyncpg.connect(database.url("etlfabric"))
    yield Refused(admin)
    await admin.close()


@pytest.mark.feature("A15")
async def test_who_may_not_is_in_the_log_of_the_organization(
    make_org: MakeOrg, make_member: MakeMember, refused: Refused
) -> None:
    owner = await make_org()
    admin: OrgClient = await make_member(owner, "admin")
    viewer: OrgClient = await make_member(owner, "viewer")
    members = (await owner.get("/api/v1/members")).json()["items"]
    users = {one["email"]: one["user_id"] for one in members}
    own = next(one["id"] for one in members if one["email"] == owner.email)
    theirs = next(one["id"] for one in members if one["email"] == viewer.email)
    key = (await owner.post("/api/v1/api-keys", json={"name": "K", "scopes": ["runs:read"]})).json()
    by_key = {"Authorization": f"Bearer {key['key']}"}
    invitation = {"email": "x@example.com", "role": "owner"}
    change, me = "/api/v1/members/{id}", "/api/v1/me/password"
    password = {"current": "not the present one", "new": "a wholly other passphrase"}
    platform = "/api/v1/platform/organizations"
    for client, status, method, path, route, given in (
        (viewer, 403, "GET", "/api/v1/audit", None, {}),
        (owner, 403, "GET", "/api/v1/workflows", None, {"headers": by_key}),
        (owner, 403, "GET", "/api/v1/me/sessions", None, {"headers": by_key}),
        (owner, 403, "GET", platform, None, {}),
        (admin, 403, "POST", "/api/v1/invitations", None, {"json": invitation}),
        (admin, 403, "PATCH", f"/api/v1/members/{theirs}", change, {"json": {"role": "owner"}}),
        (admin, 403, "DELETE", f"/api/v1/members/{own}", change, {}),
        (owner, 409, "DELETE", f"/api/v1/members/{own}", change, {}),
        (owner, 409, "DELETE", "/api/v1/members/me", None, {}),
        (owner, 422, "POST", me, None, {"json": password}),
    ):
        (entry,) = await refused(client, status, method, path, **given)
        code = {403: "forbidden", 409: "conflict", 422: "invalid"}[status]
        assert dict(entry) == {
            "org_id": owner.org_id,
            "user_id": users[client.email],
            "api_key_id": key["id"] if given.get("headers") else None,
            "action": "refused",
            "resource_type": route or path,
            "address": "127.0.0.1",
            "code": code,
            "method": method,
        }
    seen = (await owner.get("/api/v1/audit", params={"action": "refused"})).json()["items"]
    assert len(seen) == 10
    assert (await owner.get("/api/v1/audit/verify")).json()["intact"] is True


@pytest.mark.feature("A15")
async def test_who_is_nobody_is_in_the_log_of_the_platform(
    make_org: MakeOrg, client: httpx.AsyncClient, refused: Refused
) -> None:
    owner = await make_org()
    tokens = (await sign_in(client, owner.email)).json()
    await client.post(f"{AUTH}/logout", json={"refresh_token": tokens["refresh_token"]})
    ended = {"Authorization": f"Bearer {tokens['access_token']}"}
    new = {"token": "x" * 43, "password": "a wholly other passphrase"}
    cookie = {"Cookie": "etlfabric_refresh=x", "Origin": "https://evil.example"} | WEB
    for status, method, path, given in (
        (401, "GET", "/api/v1/me", {"headers": {"Authorization": "Bearer forged"}}),
        (401, "GET", "/api/v1/me", {"headers": {"Authorization": f"Bearer etf_1_{'x' * 43}"}}),
        (401, "GET", "/api/v1/me", {"headers": ended}),
        (401, "POST", f"{AUTH}/refresh", {"json": {"refresh_token": "unknown"}}),
        (401, "POST", f"{AUTH}/refresh", {"json": {"refresh_token": tokens["refresh_token"]}}),
        (403, "POST", f"{AUTH}/refresh", {"headers": cookie}),
        (403, "POST", f"{AUTH}/logout", {"headers": cookie}),
        (404, "POST", f"{AUTH}/password/reset", {"json": new}),
        (404, "POST", f"{AUTH}/email/verify", {"json": {"token": "x" * 43}}),
        (404, "POST", f"{AUTH}/invitations/look", {"json": {"token": "x" * 43}}),
        (404, "POST", f"{AUTH}/invitations/accept", {"json": new | {"name": "X"}}),
        (401, "POST", "/internal/v1/reports", {"headers": {"Authorization": "Bearer x"}}),
    ):
        (entry,) = await refused(client, status, method, path, **given)
        assert (entry["org_id"], entry["user_id"]) == (None, None)
        assert (entry["action"], entry["resource_type"]) == ("refused", path)
        assert entry["method"] == method


async def test_an_expired_refresh_token_is_noted_and_a_reused_one_once(
    make_org: MakeOrg,
    client: httpx.AsyncClient,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner = await make_org()
    expired, used = [(await sign_in(client, owner.email)).json() for _ in range(2)]
    body = {"refresh_token": used["refresh_token"]}
    assert (await client.post(f"{AUTH}/refresh", json=body)).status_code == 200
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=1))
    (entry,) = await refused(client, 401, "POST", f"{AUTH}/refresh", json=body)
    assert entry["action"] == "refresh_token_reused"
    (entry,) = await refused(client, 401, "POST", f"{AUTH}/refresh", json=body)
    assert entry["action"] == "refused"
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=400))
    body = {"refresh_token": expired["refresh_token"]}
    (entry,) = await refused(client, 401, "POST", f"{AUTH}/refresh", json=body)
    assert (entry["action"], entry["code"]) == ("refused", "unauthenticated")


async def test_what_is_no_attempt_or_noted_already_adds_nothing(
    make_org: MakeOrg,
    client: httpx.AsyncClient,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner = await make_org()
    for path in ("/api/v1/me", "/api/v1/workflows"):
        assert await refused(client, 401, "GET", path) == []
    assert await refused(client, 401, "POST", f"{AUTH}/refresh") == []
    assert await refused(client, 401, "POST", "/internal/v1/reports", json={}) == []
    assert await refused(owner, 404, "GET", "/api/v1/workflows/999999999") == []
    body = {"email": owner.email, "password": "a wrong one"}
    (entry,) = await refused(client, 401, "POST", f"{AUTH}/login", json=body)
    assert entry["action"] == "login_failed"
    earlier = clock.now() - timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: earlier)
    old = (await sign_in(client, owner.email)).json()["access_token"]
    monkeypatch.undo()
    bearer = {"Authorization": f"Bearer {old}"}
    assert await refused(client, 401, "GET", "/api/v1/me", headers=bearer) == []


async def test_a_flood_leaves_a_bounded_number_and_hides_nobody_elses(
    make_org: MakeOrg, make_member: MakeMember, settings: Settings
) -> None:
    owner = await make_org()
    viewer, editor = await make_member(owner, "viewer"), await make_member(owner, "editor")
    limits = MANY | {Rule.AUDITED_REFUSAL: "10/month"}
    async with other_service(settings, rate_limits=limits) as service, service.client() as client:

        async def ask(who: OrgClient, times: int) -> set[int]:
            bearer = {"Authorization": who.headers["Authorization"]}
            asked = (client.get("/api/v1/audit", headers=bearer) for _ in range(times))
            return {answer.status_code for answer in await asyncio.gather(*asked)}

        for _ in range(50):
            assert await ask(viewer, 20) == {403}
        assert await ask(editor, 1) == {403}
    found = await owner.get("/api/v1/audit", params={"action": "refused", "limit": 100})
    emails = [entry["user"]["email"] for entry in found.json()["items"]]
    assert (emails.count(viewer.email), emails.count(editor.email)) == (10, 1)


async def test_an_answer_stands_when_it_cannot_be_noted(settings: Settings) -> None:
    away = "postgresql://nobody@127.0.0.1:9/nothing"
    async with (
        other_service(settings, database_url=away) as service,
        service.client("198.51.100.77") as client,
    ):
        forged = {"Authorization": "Bearer forged"}
        answer = await client.get("/api/v1/me", headers=forged)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthenticated")
