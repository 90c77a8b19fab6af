"""Signing on at a real OpenID Connect provider: who gets in, as whom, what the browser keeps."""

from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from cli.stack.postgres import EmbeddedPostgres
from tests.api.conftest import USER_PASSWORD
from tests.sso.browser import PUBLIC_URL, SSO, Browser, as_start, problem
from tests.sso.world import MakeBrowser, running, with_values

pytestmark = pytest.mark.feature("A12")


@pytest.fixture
async def administrator(database: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    """The metadata database as its superuser."""
    connection = await asyncpg.connect(database.url("etlfabric"))
    yield connection
    await connection.close()


async def _users(administrator: asyncpg.Connection, email: str) -> int:
    return await administrator.fetchval('SELECT count(*) FROM "user" WHERE email = $1', email)


def _token(invited: httpx.Response) -> str:
    """What the invitation's link ends in."""
    token: str = invited.json()["link"].partition("#")[2].rpartition("=")[2]
    return token


async def _verify(administrator: asyncpg.Connection, email: str) -> None:
    statement = 'UPDATE "user" SET email_verified_at = now() WHERE email = $1'
    assert await administrator.execute(statement, email) == "UPDATE 1"


async def test_somebody_new_gets_an_account_and_an_organization(browsers: MakeBrowser) -> None:
    browser = await browsers()
    answer = await browser.sign_on("ada", next="/runs?state=failed")
    assert answer.headers["location"] == "/runs?state=failed"
    me = await browser.me()
    assert me["user"]["email"] == "ada@sso.example"
    assert me["user"]["email_verified"] is True
    assert me["user"]["has_password"] is False
    assert (me["organization"]["name"], me["role"]) == ("Ada Lovelace", "owner")
    made = await browser.get("/api/v1/connections")
    assert [item["slug"] for item in made.json()["items"]] == ["warehouse"]
    (identity,) = await browser.identities()
    assert (identity["provider"], identity["email"]) == ("oidc", "ada@sso.example")
    log = (await browser.get("/api/v1/audit")).json()["items"]
    assert {"create", "link", "login"} <= {entry["action"] for entry in log}
    again = await browsers()
    assert problem(await again.sign_on("ada")) is None
    assert (await again.me())["user"]["id"] == me["user"]["id"]
    assert len((await again.me())["memberships"]) == 1


async def test_names_that_give_no_organization_or_a_taken_one(browsers: MakeBrowser) -> None:
    unwritable = await browsers()
    assert problem(await unwritable.sign_on("cyd")) is None
    me = await unwritable.me()
    assert (me["user"]["email"], me["user"]["name"]) == ("cyd@sso.example", "Кид")
    assert me["organization"]["name"] == "cyd"
    await (await browsers()).post(
        "/api/v1/auth/register",
        json={
            "email": "first@other.example",
            "password": USER_PASSWORD,
            "name": "First",
            "organization": "Lou",
        },
    )
    taken = await browsers()
    assert problem(await taken.sign_on("lou")) is None
    organization = (await taken.me())["organization"]
    assert organization["slug"] != "lou"
    assert organization["name"].startswith("Lou ")


@pytest.mark.parametrize("account", ["eve", "nil"])
async def test_an_address_that_the_provider_does_not_vouch_for(
    account: str, browsers: MakeBrowser, administrator: asyncpg.Connection
) -> None:
    browser = await browsers()
    assert problem(await browser.sign_on(account)) == "unverified"
    assert "etlfabric_refresh" not in browser.cookies
    assert await _users(administrator, f"{account}@sso.example") == 0


async def test_an_account_with_a_verified_address_is_linked(
    browsers: MakeBrowser, administrator: asyncpg.Connection
) -> None:
    before, browser = await browsers(), await browsers()
    known = await before.sign_up("bob@sso.example", USER_PASSWORD)
    await _verify(administrator, "bob@sso.example")
    assert problem(await browser.sign_on("bob")) is None
    assert (await browser.me())["user"]["id"] == known["user"]["id"]
    # What was signed in before the link is not any more: it may have been somebody else. The
    # password as well: whoever registered the address first knows it.
    assert (await before.get("/api/v1/me")).status_code == 401
    body = {"email": "bob@sso.example", "password": USER_PASSWORD}
    assert (await before.post("/api/v1/auth/login", json=body)).status_code == 401
    assert (await browser.me())["user"]["has_password"] is False
    log = (await browser.get("/api/v1/audit", params={"action": "link"})).json()["items"]
    assert log[0]["new_values"]["password_removed"] is True


async def test_an_account_that_never_verified_its_address_is_not_linked(
    browsers: MakeBrowser, administrator: asyncpg.Connection
) -> None:
    """Whoever registered somebody's address first must not share the account with its owner."""
    squatter, browser = await browsers(), await browsers()
    known = await squatter.sign_up("ivy@sso.example", USER_PASSWORD)
    assert problem(await browser.sign_on("ivy")) == "link_required"
    assert "etlfabric_refresh" not in browser.cookies
    assert await squatter.identities() == []
    # Signed in with its password, the account can be linked, which verifies the address.
    start = await squatter.begin_to_link("oidc")
    linked = await squatter.walk(start.url, "ivy")
    assert linked.headers["location"] == "/profile"
    assert problem(await browser.sign_on("ivy")) is None
    me = await browser.me()
    assert (me["user"]["id"], me["user"]["email_verified"]) == (known["user"]["id"], True)


async def test_an_invitation_is_accepted_by_its_link_alone(browsers: MakeBrowser) -> None:
    """Anybody can invite an address: a stranger must not choose where its owner works."""
    owner, browser = await browsers(), await browsers()
    inviting = await owner.sign_up("inviting@other.example", USER_PASSWORD)
    body = {"email": "hal@sso.example", "role": "editor"}
    invited = await owner.post("/api/v1/invitations", json=body)
    assert invited.status_code == 201, invited.text
    assert problem(await browser.sign_on("hal")) is None
    me = await browser.me()
    assert (me["organization"]["name"], me["role"]) == ("Hal", "owner")
    assert len(me["memberships"]) == 1
    (waiting,) = (await owner.get("/api/v1/invitations")).json()["items"]
    assert waiting["email"] == "hal@sso.example"
    token = {"token": _token(invited)}
    accepted = await browser.post("/api/v1/auth/invitations/accept", json=token)
    assert accepted.status_code == 200, accepted.text
    browser.headers["Authorization"] = f"Bearer {accepted.json()['access_token']}"
    me = (await browser.get("/api/v1/me")).json()
    assert (me["organization"]["id"], me["role"]) == (inviting["organization"]["id"], "editor")
    assert len(me["memberships"]) == 2


async def test_who_is_left_without_an_organization_signs_on_to_none(
    browsers: MakeBrowser, administrator: asyncpg.Connection
) -> None:
    owner, browser = await browsers(), await browsers()
    await owner.sign_up("leaving@other.example", USER_PASSWORD)
    assert problem(await browser.sign_on("sue")) is None
    user_id = (await browser.me())["user"]["id"]
    await administrator.execute("DELETE FROM membership WHERE user_id = $1", user_id)
    body = {"email": "sue@sso.example", "role": "viewer"}
    assert (await owner.post("/api/v1/invitations", json=body)).status_code == 201
    assert problem(await browser.sign_on("sue")) == "no_organization"


async def test_who_has_only_a_deleted_organization_signs_on_to_restore_it(
    browsers: MakeBrowser,
) -> None:
    browser = await browsers()
    assert problem(await browser.sign_on("tim")) is None
    organization = (await browser.me())["organization"]
    confirm = {"confirm": organization["slug"]}
    gone = await browser.delete("/api/v1/organization", params=confirm)
    assert gone.status_code == 200, gone.text
    assert problem(await browser.sign_on("tim")) is None
    assert (await browser.me())["memberships"] == []
    restored = await browser.post(f"/api/v1/organizations/{organization['id']}/restore")
    assert restored.status_code == 200, restored.text
    assert (await browser.get("/api/v1/workflows")).status_code == 200


async def test_coming_back_is_not_counted_with_setting_out(sso_app: FastAPI) -> None:
    """A whole office comes back from one address, and what was begun can be finished."""
    settings = sso_app.state.wiring.settings
    limits = settings.rate_limits | {"sso": "1/month", "sso_return": "2/month"}
    async with (
        running(with_values(settings, rate_limits=limits)) as application,
        Browser(application) as browser,
    ):
        await browser.start("oidc")
        assert (await browser.get(f"{SSO}/oidc/start")).status_code == 429
        answers = [await browser.come_back("oidc") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [302, 302, 429]


async def test_a_code_is_good_once(browsers: MakeBrowser) -> None:
    browser = await browsers()
    start = await browser.start("oidc")
    kept = httpx.Cookies(browser.cookies)
    answer = await browser.walk(start.url, "jon")
    assert problem(answer) is None
    assert problem(await browser.get(answer.url)) == "expired"
    for cookie in kept.jar:
        browser.cookies.jar.set_cookie(cookie)
    assert problem(await browser.get(answer.url)) == "failed"


async def test_the_person_can_cancel(browsers: MakeBrowser) -> None:
    browser = await browsers()
    start = await browser.start("oidc")
    page = await browser.get(start.url, follow_redirects=True)
    abort = page.text.split('href="')[1:]
    cancel = next(part.split('"')[0] for part in abort if "/abort" in part.split('"')[0])
    answer = await browser.walk(str(page.url.join(cancel)), "kim")
    assert problem(answer) == "cancelled"
    assert answer.headers["location"] == "/sign-in?problem=cancelled"


async def test_only_the_browser_that_began_can_finish(browsers: MakeBrowser) -> None:
    victim, attacker = await browsers(), await browsers()
    start = await attacker.start("oidc")
    page = await attacker.walk_to_callback(start.url, "kim")
    assert problem(await victim.get(page)) == "expired"
    await victim.start("oidc")
    assert problem(await victim.get(page)) == "expired"
    assert "etlfabric_refresh" not in victim.cookies


async def test_what_the_browser_keeps_and_what_it_sends(browsers: MakeBrowser) -> None:
    browser = await browsers()
    begun = await browser.get(f"{SSO}/oidc/start")
    (cookie,) = begun.headers.get_list("set-cookie")
    for part in ("HttpOnly", "SameSite=lax", f"Path={SSO}/oidc/callback", "Max-Age=600"):
        assert part in cookie
    start = await browser.start("oidc")
    assert start.query["redirect_uri"] == f"{PUBLIC_URL}{SSO}/oidc/callback"
    assert start.query["response_type"] == "code"
    assert start.query["code_challenge_method"] == "S256"
    assert start.query["scope"] == "openid email profile"
    for secret in ("state", "nonce", "code_challenge"):
        assert len(start.query[secret]) == 43
        assert start.query[secret] not in cookie
    answer = await browser.walk(start.url, "max")
    gone, kept = answer.headers.get_list("set-cookie")[::-1]
    assert 'etlfabric_sign_on=""' in gone
    assert "Max-Age=0" in gone
    assert "SameSite=strict" in kept


async def test_over_https_the_cookies_are_secure(sso_app: FastAPI) -> None:
    public_url = "https://service.test"
    settings = with_values(sso_app.state.wiring.settings, public_url=public_url)
    async with running(settings) as application, Browser(application, public_url) as browser:
        begun = await browser.get(f"{SSO}/oidc/start")
    (cookie,) = begun.headers.get_list("set-cookie")
    assert cookie.startswith("__Secure-etlfabric_sign_on=")
    assert "; Secure" in cookie
    redirect_uri = as_start(begun.headers["location"]).query["redirect_uri"]
    assert redirect_uri == f"{public_url}{SSO}/oidc/callback"


async def test_the_providers_of_this_service(
    browsers: MakeBrowser, client: httpx.AsyncClient
) -> None:
    browser: Browser = await browsers()
    listed = (await browser.get("/api/v1/auth/providers")).json()
    assert listed == {
        "items": [
            {"name": "github", "label": "GitHub"},
            {"name": "oidc", "label": "Single sign-on"},
        ],
        "mail": False,
    }
    assert (await client.get("/api/v1/auth/providers")).json() == {"items": [], "mail": False}
    for path in ("start", "callback"):
        unknown = await browser.get(f"{SSO}/google/{path}")
        assert (unknown.status_code, unknown.json()["error"]) == (404, "not_found")
        assert (await browser.get(f"{SSO}/x%2Fy/{path}")).status_code == 404


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/\t/evil.example",
        "/ok\r\nSet-Cookie: x=y",
        "",
        "/" + "a" * 500,
    ],
)
async def test_next_stays_here(elsewhere: str, browsers: MakeBrowser) -> None:
    answer = await (await browsers()).get(f"{SSO}/oidc/start", params={"next": elsewhere})
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid")
