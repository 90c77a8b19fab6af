"""Sign-up, sign-in, refresh, sign-out."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import asyncpg
import httpx
import pytest

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.settings import Settings
from tests.api.conftest import USER_PASSWORD, MakeOrg, OrgClient
from tests.core.forged_tokens import forged

REGISTER = "/api/v1/auth/register"
LOGIN = "/api/v1/auth/login"
REFRESH = "/api/v1/auth/refresh"


def person(email: str, organization: str) -> dict[str, str]:
    return {
        "email": email,
        "password": USER_PASSWORD,
        "name": "Someone",
        "organization": organization,
    }


@pytest.mark.feature("A3", "A1")
async def test_register_makes_user_organization_and_ownership(client: httpx.AsyncClient) -> None:
    response = await client.post(REGISTER, json=person("Mixed.Case@Example.com", "Sky & Sea"))
    assert response.status_code == 201
    answer = response.json()
    assert answer["organization"]["slug"] == "skysea"
    assert answer["organization"]["name"] == "Sky & Sea"
    assert (answer["role"], answer["token_type"], answer["expires_in"]) == ("owner", "bearer", 900)
    bearer = {"Authorization": f"Bearer {answer['access_token']}"}
    me = (await client.get("/api/v1/me", headers=bearer)).json()
    assert me["user"]["email"] == "mixed.case@example.com"
    assert "organization:write" in me["permissions"]
    assert [m["organization"]["slug"] for m in me["memberships"]] == ["skysea"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": "a@b"}, "email"),
        ({"email": "x" * 250 + "@example.com"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 1025}, "password"),
        ({"organization": ""}, "organization"),
        ({"organization": "x" * 121}, "organization"),
        ({"organization": "日本語"}, "organization"),
        ({"name": "   "}, "name"),
        ({"is_admin": True}, "is_admin"),
    ],
)
async def test_register_refuses_bad_input_and_names_the_field(
    client: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    response = await client.post(REGISTER, json=person("ok@example.com", "Fine Name") | change)
    assert response.status_code == 422
    answer = response.json()
    assert set(answer) == {"error", "message", "hint", "problems"}
    assert answer["problems"][0]["field"] == field
    password = change.get("password")
    assert password is None or password not in response.text


async def test_a_taken_address_leaves_nothing_behind(
    make_org: MakeOrg, client: httpx.AsyncClient, database: EmbeddedPostgres
) -> None:
    taken = await make_org()
    response = await client.post(REGISTER, json=person(taken.email, "Second Try"))
    assert response.status_code == 409
    assert "already registered" in response.json()["message"]
    admin = await asyncpg.connect(database.url("etlfabric"))
    try:
        assert not await admin.fetch("SELECT 1 FROM organization WHERE slug = 'secondtry'")
        assert not await admin.fetch("SELECT 1 FROM pg_roles WHERE rolname = 'org_secondtry'")
    finally:
        await admin.close()


async def test_a_taken_organization_name_is_a_conflict(
    make_org: MakeOrg, client: httpx.AsyncClient
) -> None:
    taken = await make_org()
    response = await client.post(REGISTER, json=person("late@example.com", taken.slug.upper()))
    assert response.status_code == 409
    assert response.json()["problems"][0]["field"] == "organization"


@pytest.mark.feature("A4")
async def test_wrong_password_and_unknown_user_get_the_same_answer(
    make_org: MakeOrg, client: httpx.AsyncClient
) -> None:
    known = await make_org()
    wrong = await client.post(LOGIN, json={"email": known.email, "password": "not this one"})
    unknown = await client.post(LOGIN, json={"email": "no@example.com", "password": "not this"})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert wrong.json()["hint"]


@pytest.mark.feature("A2", "A4")
async def test_a_member_of_two_organizations_chooses_one(
    make_org: MakeOrg, make_member: Callable[..., Any], client: httpx.AsyncClient
) -> None:
    owner = await make_org()
    member: OrgClient = await make_member(owner, "viewer")
    own = await member.post("/api/v1/organizations", json={"name": f"own{owner.slug}"})
    assert own.status_code == 201
    me = (await member.get("/api/v1/me")).json()
    assert me["organization"]["slug"] == owner.slug
    assert me["role"] == "viewer"
    assert {m["role"] for m in me["memberships"]} == {"owner", "viewer"}
    login = {"email": member.email, "password": USER_PASSWORD}
    first = await client.post(LOGIN, json=login)
    assert first.json()["role"] == "viewer"  # the oldest membership
    chosen = await client.post(LOGIN, json=login | {"organization": own.json()["slug"]})
    assert chosen.json()["role"] == "owner"
    stranger = {"email": owner.email, "password": USER_PASSWORD, "organization": "elsewhere"}
    assert (await client.post(LOGIN, json=stranger)).status_code == 401


@pytest.mark.feature("A6")
async def test_refresh_rotates_and_a_reused_token_ends_the_family(
    make_org: MakeOrg, client: httpx.AsyncClient, database: EmbeddedPostgres
) -> None:
    known = await make_org()
    login = {"email": known.email, "password": USER_PASSWORD}
    first = (await client.post(LOGIN, json=login)).json()["refresh_token"]
    second = (await client.post(REFRESH, json={"refresh_token": first})).json()["refresh_token"]
    assert second != first
    at_once = await client.post(REFRESH, json={"refresh_token": first})
    assert at_once.status_code == 409  # two windows at the same moment are no theft
    third = await client.post(REFRESH, json={"refresh_token": second})
    assert third.status_code == 200
    admin = await asyncpg.connect(database.url("etlfabric"))
    try:
        await admin.execute("UPDATE refresh_token SET used_at = used_at - interval '1 minute'")
    finally:
        await admin.close()
    assert (await client.post(REFRESH, json={"refresh_token": first})).status_code == 401
    last = third.json()["refresh_token"]
    assert (await client.post(REFRESH, json={"refresh_token": last})).status_code == 401


@pytest.mark.feature("A8")
async def test_the_web_interface_gets_its_refresh_token_in_a_cookie_only(
    make_org: MakeOrg, client: httpx.AsyncClient
) -> None:
    known = await make_org()
    response = await client.post(
        LOGIN,
        json={"email": known.email, "password": USER_PASSWORD},
        headers={"X-Requested-With": "etlfabric-web"},
    )
    assert response.json()["refresh_token"] is None
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/api/v1/auth" in cookie
    headers = {"X-Requested-With": "etlfabric-web"}
    renewed = await client.post(REFRESH, headers=headers)
    assert renewed.status_code == 200
    assert renewed.json()["refresh_token"] is None
    bearer = {"Authorization": f"Bearer {renewed.json()['access_token']}"}
    assert (await client.get("/api/v1/me", headers=bearer)).status_code == 200


async def test_logout_ends_the_session(make_org: MakeOrg, client: httpx.AsyncClient) -> None:
    known = await make_org()
    login = {"email": known.email, "password": USER_PASSWORD}
    token = (await client.post(LOGIN, json=login)).json()["refresh_token"]
    out = await client.post("/api/v1/auth/logout", json={"refresh_token": token})
    assert out.status_code == 204
    again = await client.post(REFRESH, json={"refresh_token": token})
    assert again.status_code == 401


@pytest.mark.feature("A4", "A6", "A7")
async def test_forged_tokens_are_refused(
    make_org: MakeOrg, client: httpx.AsyncClient, settings: Settings
) -> None:
    known = await make_org()
    good = known.headers["Authorization"].removeprefix("Bearer ")
    secret = settings.jwt_secret.get_secret_value()
    answers = Counter()
    for what, token in forged(good, secret):
        response = await client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == 401, what
        answers[response.json()["error"]] += 1
    assert answers.total() >= 30
    assert set(answers) == {"unauthenticated"}
    for header in ("", "Bearer", "Bearer ", f"Basic {good}", good, f"Bearer {good} {good}"):
        headers = {"Authorization": header}
        assert (await client.get("/api/v1/me", headers=headers)).status_code == 401, header
    assert (await client.get("/api/v1/me")).status_code == 401
    body = {"refresh_token": good}  # and an access token is no refresh token
    assert (await client.post(REFRESH, json=body)).status_code in (401, 422)
    assert (await known.get("/api/v1/me")).status_code == 200


@pytest.mark.feature("A7", "A9")
async def test_a_role_counts_from_the_next_request_on(
    make_org: MakeOrg, make_member: Callable[..., Any]
) -> None:
    owner = await make_org()
    member: OrgClient = await make_member(owner, "viewer")
    body = {"name": "Nightly"}
    assert (await member.post("/api/v1/workflows", json=body)).status_code == 403
    items = (await owner.get("/api/v1/members")).json()["items"]
    one = next(item["id"] for item in items if item["email"] == member.email)
    await owner.patch(f"/api/v1/members/{one}", json={"role": "editor"})
    assert (await member.post("/api/v1/workflows", json=body)).status_code == 201
    await owner.patch(f"/api/v1/members/{one}", json={"role": "viewer"})
    assert (await member.post("/api/v1/workflows", json={"name": "Other"})).status_code == 403
    assert (await owner.delete(f"/api/v1/members/{one}")).status_code == 204
    assert (await member.get("/api/v1/workflows")).status_code == 401
