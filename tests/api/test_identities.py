"""Linking providers to an account, and taking them away again."""

import asyncio

import asyncpg
import httpx
import pytest

from tests.api.conftest import USER_PASSWORD, MakeOrg
from tests.sso.browser import Browser, problem
from tests.sso.world import MakeBrowser

pytestmark = pytest.mark.feature("A12")

IDENTITIES = "/api/v1/me/identities"


async def _link(browser: Browser, account: str) -> httpx.Response:
    start = await browser.begin_to_link("oidc")
    return await browser.walk(start.url, account)


async def test_linking_ends_every_other_session(browsers: MakeBrowser) -> None:
    browser, elsewhere = await browsers(), await browsers()
    me = await browser.sign_up("fay@sso.example", USER_PASSWORD)
    await elsewhere.sign_in("fay@sso.example", USER_PASSWORD)
    assert await browser.identities() == []
    linked = await _link(browser, "fay")
    assert linked.headers["location"] == "/profile"
    (identity,) = await browser.identities()
    assert set(identity) == {"id", "provider", "email", "created_at"}
    assert (await elsewhere.get("/api/v1/me")).status_code == 401
    assert (await browser.me())["user"]["email_verified"] is True
    # Again changes nothing, and both ways lead to the same account.
    assert problem(await _link(browser, "fay")) is None
    assert [one["id"] for one in await browser.identities()] == [identity["id"]]
    assert problem(await elsewhere.sign_on("fay")) is None
    assert (await elsewhere.me())["user"]["id"] == me["user"]["id"]
    log = (await browser.get("/api/v1/audit", params={"action": "link"})).json()["items"]
    assert log[0]["new_values"]["provider"] == "oidc"
    # The person proved to know the password, which stays.
    assert log[0]["new_values"]["password_removed"] is False
    assert (await browser.me())["user"]["has_password"] is True


async def test_an_identity_belongs_to_one_account(browsers: MakeBrowser) -> None:
    first, second = await browsers(), await browsers()
    assert problem(await first.sign_on("gil")) is None
    await second.sign_up("second@other.example", USER_PASSWORD)
    answer = await _link(second, "gil")
    assert answer.headers["location"] == "/profile?problem=already_linked"
    assert await second.identities() == []


async def test_an_unverified_account_takes_no_other_address(browsers: MakeBrowser) -> None:
    """Else whoever registered somebody's address would keep a way in when its owner takes over."""
    squatter = await browsers()
    await squatter.sign_up("somebody-elses@other.example", USER_PASSWORD)
    assert problem(await _link(squatter, "ned")) == "confirm_email"
    assert await squatter.identities() == []


async def test_only_the_browser_and_session_that_began_can_link(browsers: MakeBrowser) -> None:
    browser, other = await browsers(), await browsers()
    await browser.sign_up("oda@sso.example", USER_PASSWORD)
    # The link's address alone, sent to somebody else, gives the sender nothing.
    start = await browser.begin_to_link("oidc")
    page = await other.walk_to_callback(start.url, "oda")
    assert problem(await other.get(page)) == "expired"
    # A session that was ended in between links nothing.
    start = await browser.begin_to_link("oidc")
    page = await browser.walk_to_callback(start.url, "oda")
    left = await browser.post("/api/v1/auth/logout", headers={"X-Requested-With": "etlfabric-web"})
    assert left.status_code == 204
    assert problem(await browser.get(page)) == "expired"
    await browser.sign_in("oda@sso.example", USER_PASSWORD)
    assert await browser.identities() == []


async def test_the_last_way_in_stays(browsers: MakeBrowser) -> None:
    browser = await browsers()
    assert problem(await browser.sign_on("pam")) is None
    await browser.me()
    (identity,) = await browser.identities()
    only = await browser.delete(f"{IDENTITIES}/{identity['id']}")
    assert (only.status_code, only.json()["error"]) == (409, "conflict")
    assert only.json()["hint"]
    assert len(await browser.identities()) == 1


async def test_two_ways_in_are_not_both_taken_away_at_once(
    browsers: MakeBrowser, service_connection: asyncpg.Connection
) -> None:
    browser = await browsers()
    await browser.sign_up("rex@sso.example", USER_PASSWORD)
    assert problem(await _link(browser, "rex")) is None
    (identity,) = await browser.identities()
    user_id = (await browser.me())["user"]["id"]
    # As if linked at another provider too, and without a password: two ways in are left.
    async with service_connection.transaction():
        await service_connection.execute("SELECT set_config('app.platform', 'on', true)")
        await service_connection.execute(
            "INSERT INTO identity (user_id, provider, issuer, subject, email) "
            "SELECT user_id, provider, issuer, 'another', email FROM identity WHERE id = $1",
            identity["id"],
        )
        await service_connection.execute(
            'UPDATE "user" SET password_hash = NULL WHERE id = $1', user_id
        )
    both = [f"{IDENTITIES}/{one['id']}" for one in await browser.identities()]
    answers = await asyncio.gather(*(browser.delete(path) for path in both))
    assert sorted(answer.status_code for answer in answers) == [204, 409]
    assert len(await browser.identities()) == 1
    log = (await browser.get("/api/v1/audit", params={"action": "unlink"})).json()["items"]
    assert log[0]["old_values"]["provider"] == "oidc"


async def test_a_provider_that_is_not_configured_any_more_is_no_way_in(
    browsers: MakeBrowser, service_connection: asyncpg.Connection
) -> None:
    browser = await browsers()
    assert problem(await browser.sign_on("kim")) is None
    me = await browser.me()
    async with service_connection.transaction():
        await service_connection.execute("SELECT set_config('app.platform', 'on', true)")
        await service_connection.execute(
            "INSERT INTO identity (user_id, provider, issuer, subject, email) "
            "VALUES ($1, 'oidc', 'https://gone.example', 'kim', 'kim@sso.example')",
            me["user"]["id"],
        )
    living, gone = await browser.identities()
    assert (await browser.delete(f"{IDENTITIES}/{living['id']}")).status_code == 409
    assert (await browser.delete(f"{IDENTITIES}/{gone['id']}")).status_code == 204


async def test_somebody_elses_identity_does_not_exist(
    browsers: MakeBrowser, make_org: MakeOrg
) -> None:
    browser, stranger = await browsers(), await make_org()
    assert problem(await browser.sign_on("quy")) is None
    await browser.me()
    (identity,) = await browser.identities()
    assert (await stranger.get(IDENTITIES)).json()["items"] == []
    for id in (identity["id"], 999_999):
        assert (await stranger.delete(f"{IDENTITIES}/{id}")).status_code == 404
    assert [one["id"] for one in await browser.identities()] == [identity["id"]]
    assert (await browser.post(f"{IDENTITIES}/nowhere")).status_code == 404
    assert (await stranger.post(f"{IDENTITIES}/oidc")).status_code == 404
    key = await stranger.post("/api/v1/api-keys", json={"name": "k", "scopes": ["runs:read"]})
    assert key.status_code == 201, key.text
    header = {"Authorization": f"Bearer {key.json()['key']}"}
    for method, path in (("GET", ""), ("POST", "/oidc"), ("DELETE", "/1")):
        answer = await stranger.request(method, f"{IDENTITIES}{path}", headers=header)
        assert answer.status_code == 403, answer.text
