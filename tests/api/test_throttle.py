"""Too much in a short time: 429, without locking anybody else out."""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.access import passwords
from etlfabric_core.access.throttle import Rule
from etlfabric_core.settings import Settings
from tests.api.conftest import MakeOrg
from tests.api.mail_server import running
from tests.api.other_service import other_service, sign_in

AUTH = "/api/v1/auth"
GUESSES = int(os.environ.get("ETLFABRIC_GUESSES", "400"))  # a multiple of 20
HOME, ATTACKER = "198.51.100.1", "203.0.113.66"
# By the month: no test sees the end of one count and the beginning of the next.
MANY = dict.fromkeys(Rule, "1000000/minute")
SIGN_IN = {
    Rule.SIGN_IN_DEVICE: "4/month",
    Rule.SIGN_IN_ACCOUNT: "10/month",
    Rule.SIGN_IN_ADDRESS: "6/month",
}


def is_throttled(answer: httpx.Response) -> bool:
    """A 429 with everything that belongs to it, or none at all."""
    if answer.status_code != 429:
        return False
    assert int(answer.headers["retry-after"]) >= 1
    assert set(answer.json()) == {"error", "message", "hint", "problems"}
    assert answer.json()["error"] == "too_many_requests"
    return True


async def test_any_number_of_guesses_from_everywhere_checks_a_handful_of_passwords(
    make_org: MakeOrg, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = await make_org()
    checked = 0
    verify = passwords._verify

    def counted(password: str, password_hash: str | None) -> bool:
        nonlocal checked
        checked += 1
        return verify(password, password_hash)

    monkeypatch.setattr(passwords, "_verify", counted)
    limits = MANY | SIGN_IN | {Rule.AUDITED_REFUSAL: "2/month"}
    async with other_service(settings, rate_limits=limits) as service:
        async with service.client(HOME) as home:
            assert (await sign_in(home, victim.email)).status_code == 200
        checked = 0
        statuses: Counter[int] = Counter()

        async def guess_from(address: str) -> None:
            async with service.client(address) as attacker:
                for number in range(GUESSES // 20):
                    answer = await sign_in(attacker, victim.email, f"guess {number}")
                    statuses[answer.status_code] += 1

        await asyncio.gather(*(guess_from(f"203.0.113.{host}") for host in range(20)))
        assert statuses == {401: 9, 429: GUESSES - 9}  # one of the ten was the owner
        assert checked == 9
        # From where the owner has signed in before, the right password still opens.
        async with service.client(HOME) as home:
            assert (await sign_in(home, victim.email)).status_code == 200
        async with service.client("192.0.2.1") as stranger:
            assert is_throttled(await sign_in(stranger, victim.email))


async def test_guesses_are_counted_by_account_address_and_both(
    make_org: MakeOrg, settings: Settings
) -> None:
    victim, other = await make_org(), await make_org()
    async with other_service(settings, rate_limits=MANY | SIGN_IN) as service:
        async with service.client(ATTACKER) as attacker:
            one = [await sign_in(attacker, victim.email, "guess") for _ in range(5)]
            assert [answer.status_code for answer in one] == [401] * 4 + [429]
            unknown = [await sign_in(attacker, "no@example.com", "guess") for _ in range(3)]
            # What is counted tells nothing of who exists.
            assert [answer.status_code for answer in unknown] == [401, 429, 429]
            assert is_throttled(await sign_in(attacker, other.email, "guess"))
        async with service.client(HOME) as home:
            for _ in range(6):  # the right password begins the count of its device anew
                assert (await sign_in(home, other.email)).status_code == 200
            upper = [await sign_in(home, other.email.upper(), "guess") for _ in range(5)]
            assert [answer.status_code for answer in upper] == [401] * 4 + [429]


async def test_attempts_are_in_the_audit_log_without_what_was_typed(
    make_org: MakeOrg, settings: Settings, database: EmbeddedPostgres
) -> None:
    victim = await make_org()
    limits = MANY | SIGN_IN
    async with (
        other_service(settings, rate_limits=limits) as service,
        service.client(ATTACKER) as attacker,
    ):
        for _ in range(6):
            await sign_in(attacker, victim.email, "a typed guess")
        for token in ("forged", f"etf_1_{'x' * 43}"):
            await attacker.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    admin = await asyncpg.connect(database.url("etlfabric"))
    try:
        rows = await admin.fetch(
            "SELECT * FROM audit_entry WHERE org_id IS NULL AND address = $1 "
            "AND (new_values->>'email' = $2 OR action = 'refused') ORDER BY id DESC LIMIT 8",
            ATTACKER,
            victim.email,
        )
    finally:
        await admin.close()
    actions = [(row["action"], row["resource_type"]) for row in reversed(rows)]
    assert (
        actions
        == [("login_failed", "user")] * 4
        + [("login_throttled", "user")] * 2
        + [("refused", "/api/v1/me")] * 2
    )
    assert all(row["request_id"] for row in rows)
    assert "typed guess" not in str([dict(row) for row in rows])
    own = await victim.get("/api/v1/audit", params={"action": "login_failed"})
    assert own.json()["items"] == []  # a stranger does not fill an organization's log


Ask = Callable[[httpx.AsyncClient, int], Awaitable[httpx.Response]]


async def _post(client: httpx.AsyncClient, path: str, **body: Any) -> httpx.Response:
    return await client.post(f"{AUTH}{path}", json=body)


PUBLIC: list[tuple[Rule, Ask]] = [
    (Rule.REGISTER, lambda c, n: _post(c, "/register", email="x")),
    (Rule.REFRESH, lambda c, n: _post(c, "/refresh", refresh_token=f"{n}")),
    (Rule.REFRESH, lambda c, n: _post(c, "/logout", refresh_token=f"{n}")),
    (Rule.REFRESH, lambda c, n: _post(c, "/switch", refresh_token=f"{n}", organization="a")),
    (Rule.FORGOT, lambda c, n: _post(c, "/password/forgot", email=f"no{n}@example.com")),
    (Rule.RESET, lambda c, n: _post(c, "/password/reset", token=f"{n}", password="parrots 7 q")),
    (Rule.VERIFY, lambda c, n: _post(c, "/email/verify", token=f"{n}")),
    (Rule.INVITATION, lambda c, n: _post(c, "/invitations/look", token=f"{n}")),
    (Rule.INVITATION, lambda c, n: _post(c, "/invitations/accept", token=f"{n}")),
    (Rule.SSO, lambda c, n: c.get(f"{AUTH}/sso/google/start")),
]


async def test_public_routes_are_counted_by_address(settings: Settings) -> None:
    limits = MANY | {rule: "3/month" for rule, _ in PUBLIC}
    async with other_service(settings, rate_limits=limits) as service:
        for number, (rule, ask) in enumerate(PUBLIC):
            async with service.client(f"203.0.113.{number}") as busy:
                answers = [await ask(busy, attempt) for attempt in range(5)]
            assert [is_throttled(answer) for answer in answers] == [False] * 3 + [True] * 2, rule
            async with service.client(f"198.51.100.{number}") as other:
                assert not is_throttled(await ask(other, 9)), rule


async def test_nobody_is_kept_from_asking_for_a_link(make_org: MakeOrg, settings: Settings) -> None:
    """An address gets no more than so many mails, and whoever asks is told nothing of it."""
    victim, other = await make_org(), await make_org()
    limits = MANY | {Rule.FORGOT_ACCOUNT: "3/month"}
    with running() as mail:
        async with other_service(settings, rate_limits=limits, smtp_url=mail.url) as service:
            for address in (ATTACKER, ATTACKER, "203.0.113.9", ATTACKER, HOME):
                async with service.client(address) as anybody:
                    asked = await _post(anybody, "/password/forgot", email=victim.email)
                assert (asked.status_code, asked.content) == (202, b"null")
            async with service.client(ATTACKER) as anybody:
                await _post(anybody, "/password/forgot", email=other.email)
        assert len(mail.links_to(victim.email)) == 3
        assert len(mail.links_to(other.email)) == 1


async def test_one_organization_at_its_limit_leaves_the_others_alone(
    make_org: MakeOrg, make_member: Callable[..., Any], settings: Settings
) -> None:
    a, b = await make_org(), await make_org()
    editor = await make_member(a, "editor")
    limits = MANY | {Rule.REQUEST: "10/month", Rule.ORGANIZATION_REQUEST: "14/month"}
    async with other_service(settings, rate_limits=limits) as service, service.client() as client:

        async def ask(who: httpx.AsyncClient) -> httpx.Response:
            bearer = {"Authorization": who.headers["Authorization"]}
            return await client.get("/api/v1/connections", headers=bearer)

        owner = [await ask(a) for _ in range(12)]
        assert [is_throttled(answer) for answer in owner] == [False] * 10 + [True] * 2
        member = [await ask(editor) for _ in range(6)]
        assert [is_throttled(answer) for answer in member] == [False] * 4 + [True] * 2
        neighbour = [await ask(b) for _ in range(10)]
        assert not any(is_throttled(answer) for answer in neighbour)


async def test_a_flood_of_refused_tokens_stops_its_address_only(
    make_org: MakeOrg, settings: Settings
) -> None:
    known = await make_org()
    limits = MANY | {Rule.REFUSED_TOKEN: "3/month"}
    forged = {"Authorization": "Bearer forged"}
    async with other_service(settings, rate_limits=limits) as service:
        async with service.client(ATTACKER) as attacker:
            answers = [await attacker.get("/api/v1/me", headers=forged) for _ in range(5)]
            assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 2
            good = {"Authorization": known.headers["Authorization"]}
            assert (await attacker.get("/api/v1/me", headers=good)).status_code == 200
        async with service.client(HOME) as other:
            assert (await other.get("/api/v1/me", headers=forged)).status_code == 401


async def test_guessing_the_present_password_with_a_stolen_session(
    make_org: MakeOrg, settings: Settings
) -> None:
    known = await make_org()
    limits = MANY | {Rule.PASSWORD_CHANGE: "3/month"}
    async with other_service(settings, rate_limits=limits) as service, service.client() as thief:
        thief.headers["Authorization"] = known.headers["Authorization"]
        body = {"current": "guess", "new": "three green parrots"}
        answers = [await thief.post("/api/v1/me/password", json=body) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [422] * 3 + [429] * 2
