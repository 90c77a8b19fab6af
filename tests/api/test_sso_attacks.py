"""A provider that lies, and answers that are replayed: nobody gets in, nothing changes.

`tests/sso/hostile.py` stands in for a provider that was taken over. Each lie is told alone: the
first test shows that the same provider gets somebody in when it does not lie.
"""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core import clock
from tests.api.conftest import USER_PASSWORD
from tests.sso.browser import SSO, Browser, Start, problem
from tests.sso.hostile import HostileProvider, Lie
from tests.sso.lies import Attack, lies
from tests.sso.world import MakeBrowser, running, with_values

pytestmark = pytest.mark.feature("A12")

TABLES = ("user", "identity", "login", "refresh_token", "organization", "membership", "invitation")


@pytest.fixture
async def administrator(database: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    """The metadata database as its superuser."""
    connection = await asyncpg.connect(database.url("etlfabric"))
    yield connection
    await connection.close()


async def _stored(administrator: asyncpg.Connection) -> dict[str, str]:
    """Every row of an account, as text."""
    return {
        table: await administrator.fetchval(
            f"SELECT md5(coalesce(string_agg(t::text, ',' ORDER BY t.id), '')) FROM \"{table}\" t"
        )
        for table in TABLES
    }


async def _refusals(administrator: asyncpg.Connection) -> list[dict[str, Any]]:
    rows = await administrator.fetch(
        "SELECT new_values FROM audit_entry WHERE action = 'sign_on_refused' ORDER BY id"
    )
    return [json.loads(row["new_values"]) for row in rows]


def _answer(start: Start, provider: HostileProvider, **changed: str | None) -> dict[str, str]:
    """How the provider sends the browser back."""
    provider.nonce = start.query["nonce"]
    told = {"code": "a-code", "state": start.query["state"], "iss": provider.issuer}
    return {name: value for name, value in (told | changed).items() if value is not None}


async def _sign_on(browser: Browser, provider: HostileProvider) -> httpx.Response:
    start = await browser.start("oidc")
    return await browser.come_back("oidc", **_answer(start, provider))


async def test_without_a_lie_somebody_gets_in(
    hostile_browsers: MakeBrowser, honest_at_first: HostileProvider
) -> None:
    browser = await hostile_browsers()
    assert problem(await _sign_on(browser, honest_at_first)) is None
    assert (await browser.me())["user"]["email"] == "somebody@example.com"
    (asked,) = [one for one in honest_at_first.requests if one.path == "/token"]
    assert asked.form["code"] == "a-code"
    assert len(asked.form["code_verifier"]) == 43


@pytest.mark.parametrize("attack", lies(), ids=lambda attack: attack.name)
async def test_each_lie_keeps_everybody_out(
    attack: Attack,
    hostile_browsers: MakeBrowser,
    honest_at_first: HostileProvider,
    administrator: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if any(reply.after for reply in attack.lie.replies.values()):
        monkeypatch.setattr("etlfabric_core.access.sign_on.exchange.SECONDS", 2)
    browser, provider = await hostile_browsers(), honest_at_first
    stored, refused = await _stored(administrator), len(await _refusals(administrator))
    # A subject that nobody has yet: only the lie stands between it and a new account.
    new = {"sub": f"new {attack.name}", "email": "new@example.com"}
    attack.lie.claims.update({name: new[name] for name in new if name not in attack.lie.claims})
    provider.lie = attack.lie
    if attack.at_start:
        answer = await browser.get(f"{SSO}/oidc/start")
    else:
        start = await browser.start("oidc")
        query = _answer(start, provider, **attack.query)
        answer = await browser.come_back("oidc", **query)
    assert problem(answer) == attack.refusal
    assert answer.headers["location"] == f"/sign-in?problem={attack.refusal}"
    assert not {"etlfabric_refresh", "etlfabric_sign_on"} & set(browser.cookies)
    assert await _stored(administrator) == stored
    noted = await _refusals(administrator)
    assert len(noted) == refused + 1
    assert noted[-1]["refusal"] == attack.refusal
    assert attack.reason in noted[-1]["reason"]


async def test_the_code_of_a_mix_up_reaches_nobody(
    hostile_browsers: MakeBrowser, honest_at_first: HostileProvider
) -> None:
    """A liar that sends the browser on to an honest provider wants the honest one's code."""
    browser = await hostile_browsers()
    start = await browser.start("oidc")
    honest_code = _answer(
        start, honest_at_first, code="of-the-honest", iss="https://honest.example"
    )
    assert problem(await browser.come_back("oidc", **honest_code)) == "failed"
    # Nor does the cookie of one provider open the callback of another: browsers do not send it
    # there, and who sends it by hand gets no further.
    start = await browser.start("oidc")
    kept = {"Cookie": f"etlfabric_sign_on={browser.cookies['etlfabric_sign_on']}"}
    query = {"code": "of-the-honest", "state": start.query["state"]}
    for headers in ({}, kept):
        answer = await browser.get(f"{SSO}/github/callback", params=query, headers=headers)
        assert problem(answer) == "expired"
    assert "/token" not in [one.path for one in honest_at_first.requests]


async def test_documents_do_not_lead_into_the_installation(
    hostile_browsers: MakeBrowser, honest_at_first: HostileProvider
) -> None:
    """The issuer's own host may be private, as the operator named it; nothing that it names."""
    browser, provider = await hostile_browsers(), honest_at_first
    inside = provider.issuer.replace("localhost", "127.0.0.1")
    for name in ("jwks_uri", "userinfo_endpoint", "token_endpoint"):
        path = f"/canary-{name}"
        provider.lie = Lie(metadata={name: inside + path}, claims={"email": None, "sub": "canary"})
        assert problem(await _sign_on(browser, provider)) == "failed", name
        assert path not in [one.path for one in provider.requests]
    provider.lie = Lie(metadata={"jwks_uri": "http://169.254.169.254/latest/meta-data"})
    assert problem(await _sign_on(browser, provider)) == "failed"


async def test_answers_out_of_order_and_again(
    hostile_browsers: MakeBrowser,
    honest_at_first: HostileProvider,
    administrator: asyncpg.Connection,
) -> None:
    browser, other = await hostile_browsers(), await hostile_browsers()
    early = await browser.come_back("oidc", code="a-code", state="x", iss=honest_at_first.issuer)
    assert problem(early) == "expired"
    first = await browser.start("oidc")
    second = await browser.start("oidc")
    stored = await _stored(administrator)
    assert problem(await browser.come_back("oidc", **_answer(first, honest_at_first))) == "expired"
    late = await browser.come_back("oidc", **_answer(second, honest_at_first))
    assert problem(late) == "expired"  # one answer, one attempt: the first one used it up
    await other.start("oidc")
    swapped = _answer(await browser.start("oidc"), honest_at_first)
    assert problem(await other.come_back("oidc", **swapped)) == "expired"
    assert await _stored(administrator) == stored
    assert problem(await browser.come_back("oidc", **swapped)) is None
    assert problem(await browser.come_back("oidc", **swapped)) == "expired"


async def test_an_attempt_cannot_be_made_up_or_kept(
    hostile_browsers: MakeBrowser,
    honest_at_first: HostileProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    browser, path = await hostile_browsers(), f"{SSO}/oidc/callback"
    start = await browser.start("oidc")
    query = _answer(start, honest_at_first)
    good = browser.cookies["etlfabric_sign_on"]
    for forged in (good[:-2] + "AA", good[:30] + "A" + good[31:], "", "x", "é"):
        browser.cookies.clear()
        cookie = {"Cookie": f"etlfabric_sign_on={forged}".encode()}
        assert problem(await browser.get(path, params=query, headers=cookie)) == "expired"
    later = clock.now() + timedelta(minutes=10, seconds=1)
    with monkeypatch.context() as patched:
        patched.setattr("etlfabric_core.clock.now", lambda: later)
        cookie = {"Cookie": f"etlfabric_sign_on={good}".encode()}
        assert problem(await browser.get(path, params=query, headers=cookie)) == "expired"
    # Nothing but the document, for the start.
    assert len(honest_at_first.requests) == 1


async def test_without_a_warehouse_nothing_is_left_half_made(
    hostile_app: FastAPI, honest_at_first: HostileProvider, administrator: asyncpg.Connection
) -> None:
    away = "postgresql://etlfabric_warehouse:nobody-is-there@127.0.0.1:9/warehouse"
    known = with_values(hostile_app.state.wiring.settings, warehouse_url=away)
    stored = await _stored(administrator)
    honest_at_first.lie = Lie(claims={"sub": "too early", "email": "early@example.com"})
    async with running(known) as application, Browser(application) as browser:
        assert problem(await _sign_on(browser, honest_at_first)) == "failed"
    assert await _stored(administrator) == stored
    assert "warehouse cannot be reached" in (await _refusals(administrator))[-1]["reason"]


async def test_a_changed_address_opens_no_other_account(
    hostile_browsers: MakeBrowser,
    honest_at_first: HostileProvider,
    administrator: asyncpg.Connection,
) -> None:
    """The subject decides. What the provider says of addresses later on moves nobody."""
    browser, victim = await hostile_browsers(), await hostile_browsers()
    owner = await victim.sign_up("victim@example.com", USER_PASSWORD)
    verified = 'UPDATE "user" SET email_verified_at = now() WHERE email = $1'
    await administrator.execute(verified, "victim@example.com")
    honest_at_first.lie = Lie(claims={"sub": "mallory", "email": "mallory@example.com"})
    assert problem(await _sign_on(browser, honest_at_first)) is None
    mallory = (await browser.me())["user"]
    honest_at_first.lie = Lie(claims={"sub": "mallory", "email": "victim@example.com"})
    assert problem(await _sign_on(browser, honest_at_first)) is None
    me = (await browser.me())["user"]
    assert (me["id"], me["email"]) == (mallory["id"], "mallory@example.com")
    assert me["id"] != owner["user"]["id"]
    assert (await victim.get("/api/v1/me")).status_code == 200
    assert await victim.identities() == []


async def test_a_verified_address_at_a_second_subject_joins_its_account(
    hostile_browsers: MakeBrowser, honest_at_first: HostileProvider
) -> None:
    """The operator trusts the provider to verify addresses: the account is their owner's."""
    browser = await hostile_browsers()
    for subject in ("first-subject", "second-subject"):
        honest_at_first.lie = Lie(claims={"sub": subject, "email": "same@example.com"})
        assert problem(await _sign_on(browser, honest_at_first)) is None
    assert len((await browser.me())["memberships"]) == 1
    assert len(await browser.identities()) == 2
