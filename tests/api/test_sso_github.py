"""Signing on at GitHub, which tests cannot reach: a local server stands in for its endpoints."""

import asyncio
from typing import Any

import pytest

from etlfabric_core.access.sign_on import github, providers
from etlfabric_core.settings import Settings
from tests.api.conftest import USER_PASSWORD
from tests.sso.browser import Browser, problem
from tests.sso.github import GitHubStandIn
from tests.sso.hostile import HostileProvider
from tests.sso.world import MakeBrowser

pytestmark = pytest.mark.feature("A12")


def _is(server: GitHubStandIn, number: Any, email: str, **entry: Any) -> None:
    """Who signs in at GitHub from now on."""
    server.user = {"id": number, "login": f"user-{number}", "name": None}
    server.emails = [
        {"email": "old@example.com", "primary": False, "verified": True},
        {"email": email, "primary": True, "verified": True, **entry},
    ]


async def _sign_on(browser: Browser) -> str | None:
    start = await browser.start("github")
    page = await browser.get(start.url)
    return problem(await browser.get(page.headers["location"]))


async def test_the_primary_verified_address_counts(
    hostile_browsers: MakeBrowser, github_stand_in: GitHubStandIn
) -> None:
    browser, again = await hostile_browsers(), await hostile_browsers()
    _is(github_stand_in, 4711, "Octo@example.com")
    assert await _sign_on(browser) is None
    me = await browser.me()
    assert (me["user"]["email"], me["user"]["name"]) == ("octo@example.com", "user-4711")
    assert me["organization"]["name"] == "user-4711"
    # The number stays when login and address change.
    _is(github_stand_in, 4711, "renamed@example.com")
    assert await _sign_on(again) is None
    assert (await again.me())["user"]["id"] == me["user"]["id"]
    (identity,) = await again.identities()
    assert (identity["provider"], identity["email"]) == ("github", "renamed@example.com")
    assert "github" in [
        session["method"] for session in (await again.get("/api/v1/me/sessions")).json()["items"]
    ]


@pytest.mark.parametrize(
    ("number", "emails", "refusal"),
    [
        (1, [{"email": "a@example.com", "primary": True, "verified": False}], "unverified"),
        (1, [{"email": "a@example.com", "primary": False, "verified": True}], "unverified"),
        (1, [], "unverified"),
        (1, {"message": "Not Found"}, "unverified"),
        (1, ["a@example.com"], "unverified"),
        ("1", [{"email": "a@example.com", "primary": True, "verified": True}], "failed"),
        (None, [{"email": "a@example.com", "primary": True, "verified": True}], "failed"),
        (True, [{"email": "a@example.com", "primary": True, "verified": True}], "failed"),
    ],
)
async def test_what_github_must_say(
    number: Any,
    emails: Any,
    refusal: str,
    hostile_browsers: MakeBrowser,
    github_stand_in: GitHubStandIn,
) -> None:
    github_stand_in.user = {"id": number, "login": "a", "name": "A"}
    github_stand_in.emails = emails
    assert await _sign_on(await hostile_browsers()) == refusal


async def test_a_code_is_traded_with_its_own_verifier(
    hostile_browsers: MakeBrowser, github_stand_in: GitHubStandIn
) -> None:
    """Somebody else's code, slipped into an own attempt, is worth nothing."""
    browser, thief = await hostile_browsers(), await hostile_browsers()
    _is(github_stand_in, 5, "five@example.com")
    page = await browser.get((await browser.start("github")).url)
    stolen = page.next_request.url.params["code"] if page.next_request else ""
    own = await thief.start("github")
    answer = await thief.come_back("github", code=stolen, state=own.query["state"])
    assert problem(answer) == "failed"


async def test_somebody_new_who_comes_twice_at_once_is_one(
    hostile_browsers: MakeBrowser, github_stand_in: GitHubStandIn
) -> None:
    _is(github_stand_in, 8, "twice@github.example")
    pair = [await hostile_browsers(), await hostile_browsers()]
    problems = await asyncio.gather(*(_sign_on(browser) for browser in pair))
    assert None in problems
    assert set(problems) <= {None, "failed"}
    for browser in pair:
        assert await _sign_on(browser) is None
    first, second = [await browser.me() for browser in pair]
    assert first["user"]["id"] == second["user"]["id"]
    assert len(first["memberships"]) == 1


async def test_the_same_address_at_two_providers_is_one_account_only_if_verified(
    hostile_browsers: MakeBrowser,
    github_stand_in: GitHubStandIn,
    honest_at_first: HostileProvider,
) -> None:
    first, second = await hostile_browsers(), await hostile_browsers()
    _is(github_stand_in, 6, "both@example.com")
    assert await _sign_on(first) is None
    honest_at_first.lie.claims = {
        "sub": "both",
        "email": "both@example.com",
        "email_verified": False,
    }
    for expected in ("unverified", None):
        start = await second.start("oidc")
        honest_at_first.nonce = start.query["nonce"]
        answer = await second.come_back(
            "oidc", code="c", state=start.query["state"], iss=honest_at_first.issuer
        )
        assert problem(answer) == expected
        honest_at_first.lie.claims["email_verified"] = True
    assert (await second.me())["user"]["email"] == "both@example.com"
    assert [one["provider"] for one in await second.identities()] == ["github", "oidc"]


async def test_a_password_account_is_not_taken_over(
    hostile_browsers: MakeBrowser, github_stand_in: GitHubStandIn
) -> None:
    owner, browser = await hostile_browsers(), await hostile_browsers()
    await owner.sign_up("taken@example.com", USER_PASSWORD)
    _is(github_stand_in, 7, "taken@example.com")
    assert await _sign_on(browser) == "link_required"
    assert await owner.identities() == []


def test_the_addresses_of_github_itself(settings: Settings) -> None:
    known = settings.model_copy(update={"github_client_id": "x", "google_client_id": "y"})
    both = providers.configured(known)
    assert both["google"].issuer == "https://accounts.google.com"
    assert both["google"].metadata is None
    assert both["github"].metadata == github.metadata("https://github.com")
    assert github.metadata("https://github.com")["user_endpoint"] == "https://api.github.com/user"
    assert "oidc" not in both
