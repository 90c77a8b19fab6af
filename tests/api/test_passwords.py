"""Passwords: what is accepted, how they are kept, changed, forgotten and set anew."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from statistics import median

import asyncpg
import bcrypt
import httpx
import pytest
from fastapi import FastAPI

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.db.scope import platform_session
from etlfabric_core.services import passwords
from etlfabric_core.settings import Settings
from tests.api.conftest import USER_PASSWORD, MakeOrg, OrgClient, invite
from tests.api.mail_server import MailServer, running
from tests.api.other_service import OtherService, other_service, sign_in
from tests.api.waiting import until_waiting

AUTH = "/api/v1/auth"
NEW = "three green parrots sing"


@pytest.fixture
async def admin(database: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    """The metadata database as its superuser."""
    connection = await asyncpg.connect(database.url("etlfabric"))
    yield connection
    await connection.close()


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with running() as server:
        yield server


@pytest.fixture
async def mailing(settings: Settings, mail: MailServer) -> AsyncIterator[OtherService]:
    """The same service, with a mail server."""
    async with other_service(settings, smtp_url=mail.url) as service:
        yield service


def _token(link: str) -> str:
    return link.partition("#token=")[2]


def _person(number: int, **changes: str) -> dict[str, str]:
    return {
        "email": f"rosalind.frank{number}@example.com",
        "password": NEW,
        "name": "Rosalind Frank",
        "organization": f"Helix Works {number}",
    } | changes


@pytest.mark.feature("A5")
@pytest.mark.parametrize(
    "password",
    [
        "letmein1",
        "Password1",
        "12345678",
        "qwertyuiop",
        "iloveyou1",
        "aaaaaaaaaaaaaaaaaaaa",
        "abcdefgh",
        "Passw0rd!",
        "rosalind.frank0",
        "Rosalind2026!",
        "helixworks2026",
        "HelixWorks!",
    ],
)
async def test_what_is_guessed_first_is_refused(client: httpx.AsyncClient, password: str) -> None:
    body = _person(0, password=password)
    answer = await client.post(f"{AUTH}/register", json=body)
    assert answer.status_code == 422
    assert [problem["field"] for problem in answer.json()["problems"]] == ["password"]
    assert answer.json()["hint"]
    assert password not in answer.text
    assert (await sign_in(client, body["email"], password)).status_code == 401


@pytest.mark.feature("A5")
async def test_a_long_password_counts_to_its_last_letter(client: httpx.AsyncClient) -> None:
    long = "".join(f"{number * number:x} ü" for number in range(40, 60))
    assert len(long.encode()) > 72
    body = _person(1, password=long)
    assert (await client.post(f"{AUTH}/register", json=body)).status_code == 201
    assert (await sign_in(client, body["email"], long)).status_code == 200
    for other in (long[:-1], long[:72], long + "x", long.upper(), f" {long}"):
        assert (await sign_in(client, body["email"], other)).status_code == 401


@pytest.mark.feature("A5")
async def test_bcrypt_hashes_are_accepted_and_upgraded(
    make_org: MakeOrg, client: httpx.AsyncClient, admin: asyncpg.Connection
) -> None:
    known = await make_org()
    for variant in (b"2a", b"2b"):
        old = bcrypt.hashpw(USER_PASSWORD.encode(), bcrypt.gensalt(4, variant)).decode()
        await _set_hash(admin, known, old)
        assert (await sign_in(client, known.email, "not this one")).status_code == 401
        assert await _hash(admin, known) == old
        assert (await sign_in(client, known.email)).status_code == 200
        assert (await _hash(admin, known)).startswith("$argon2id$")
        assert (await sign_in(client, known.email)).status_code == 200
    for broken in ("$2b$12$tooshort", "$argon2id$v=19$broken", "plain"):
        await _set_hash(admin, known, broken)
        assert (await sign_in(client, known.email)).status_code == 401


async def _hash(admin: asyncpg.Connection, known: OrgClient) -> str:
    return str(
        await admin.fetchval('SELECT password_hash FROM "user" WHERE email = $1', known.email)
    )


async def _set_hash(admin: asyncpg.Connection, known: OrgClient, value: str) -> None:
    await admin.execute('UPDATE "user" SET password_hash = $1 WHERE email = $2', value, known.email)


@pytest.mark.feature("A4")
async def test_known_and_unknown_users_wait_equally_long(
    make_org: MakeOrg, client: httpx.AsyncClient
) -> None:
    known = await make_org()
    times: dict[str, list[float]] = {known.email: [], "nobody@example.com": []}
    for _ in range(7):
        for email, taken in times.items():  # in turn: what disturbs one disturbs the other
            began = time.perf_counter()
            assert (await sign_in(client, email, "not this one")).status_code == 401
            taken.append(time.perf_counter() - began)
    medians = [median(taken) for taken in times.values()]
    assert 0.6 < medians[0] / medians[1] < 1.7


async def test_a_changed_password_ends_every_other_session(
    make_org: MakeOrg, client: httpx.AsyncClient
) -> None:
    known = await make_org()
    other = (await sign_in(client, known.email)).json()
    change = {"current": USER_PASSWORD, "new": NEW}
    for body, field in (
        (change | {"current": "not this one"}, "current"),
        ({"new": NEW}, "current"),
        (change | {"new": "password1"}, "new"),
        (change | {"new": "short"}, "new"),
        (change | {"new": f"{known.slug}{known.slug}1"}, "new"),
    ):
        refused = await known.post("/api/v1/me/password", json=body)
        assert refused.status_code == 422
        assert refused.json()["problems"][0]["field"] == field
        assert USER_PASSWORD not in refused.text
    assert (await known.post("/api/v1/me/password", json=change)).status_code == 204
    bearer = {"Authorization": f"Bearer {other['access_token']}"}
    assert (await client.get("/api/v1/me", headers=bearer)).status_code == 401
    body = {"refresh_token": other["refresh_token"]}
    assert (await client.post(f"{AUTH}/refresh", json=body)).status_code == 401
    assert (await known.get("/api/v1/me")).status_code == 200
    assert (await sign_in(client, known.email)).status_code == 401
    assert (await sign_in(client, known.email, NEW)).status_code == 200
    entries = (await known.get("/api/v1/audit", params={"action": "password_change"})).json()
    assert len(entries["items"]) == 1
    assert NEW not in str(entries)


async def test_who_has_no_password_sets_one_without(
    make_org: MakeOrg, client: httpx.AsyncClient, admin: asyncpg.Connection
) -> None:
    known = await make_org()
    await admin.execute('UPDATE "user" SET password_hash = NULL WHERE email = $1', known.email)
    assert (await known.get("/api/v1/me")).json()["user"]["has_password"] is False
    for guess in ("", "nobody has this password", USER_PASSWORD):
        assert (await sign_in(client, known.email, guess)).status_code == 401
    assert (await known.post("/api/v1/me/password", json={"new": NEW})).status_code == 204
    assert (await known.get("/api/v1/me")).json()["user"]["has_password"] is True
    assert (await sign_in(client, known.email, NEW)).status_code == 200


async def test_a_mailed_link_sets_a_new_password_once(
    make_org: MakeOrg, client: httpx.AsyncClient, mailing: OtherService, mail: MailServer
) -> None:
    known = await make_org()
    signed_in = (await sign_in(client, known.email)).json()
    async with mailing.client() as anybody:
        asked = await anybody.post(f"{AUTH}/password/forgot", json={"email": known.email.upper()})
        unknown = await anybody.post(f"{AUTH}/password/forgot", json={"email": "no@example.com"})
    assert asked.status_code == unknown.status_code == 202
    assert asked.content == unknown.content
    assert {name for name in asked.headers} == {name for name in unknown.headers}
    assert mail.links_to("no@example.com") == []
    (link,) = mail.links_to(known.email)
    assert link.startswith("http://127.0.0.1:8000/reset-password#token=")
    token = _token(link)
    weak = await client.post(
        f"{AUTH}/password/reset", json={"token": token, "password": "password1"}
    )
    assert weak.status_code == 422  # the link stays good
    body = {"token": token, "password": NEW}
    assert (await client.post(f"{AUTH}/password/reset", json=body)).status_code == 204
    again = await client.post(f"{AUTH}/password/reset", json=body | {"password": "another one 7"})
    assert again.status_code == 404
    assert (await sign_in(client, known.email)).status_code == 401
    assert (await known.get("/api/v1/me")).status_code == 401  # every session has ended
    refresh = {"refresh_token": signed_in["refresh_token"]}
    assert (await client.post(f"{AUTH}/refresh", json=refresh)).status_code == 401
    assert (await sign_in(client, known.email, NEW)).status_code == 200


async def test_a_link_that_is_not_good_any_more(
    make_org: MakeOrg,
    client: httpx.AsyncClient,
    mailing: OtherService,
    mail: MailServer,
    admin: asyncpg.Connection,
) -> None:
    known = await make_org()
    async with mailing.client() as anybody:
        for _ in range(3):
            await anybody.post(f"{AUTH}/password/forgot", json={"email": known.email})
        verify = await anybody.post(
            "/api/v1/me/email/verification",
            headers={"Authorization": known.headers["Authorization"]},
        )
    assert verify.status_code == 202
    old, first, second, verifying = (_token(link) for link in mail.links_to(known.email))
    await admin.execute(
        "UPDATE account_token SET expires_at = now() WHERE token_hash = sha256($1)", old.encode()
    )
    kept = await admin.fetch("SELECT * FROM account_token")
    assert kept
    assert not [row for row in kept if first.encode() in row["token_hash"]]

    async def reset(token: str) -> httpx.Response:
        body = {"token": token, "password": NEW}
        return await client.post(f"{AUTH}/password/reset", json=body)

    refused = [await reset(token) for token in (old, verifying, "x", first[:-1], first + "A")]
    both = await asyncio.gather(reset(first), reset(first))
    assert sorted(answer.status_code for answer in both) == [204, 404]
    refused += [await reset(second)]  # the use of one ends all
    assert {(answer.status_code, answer.text) for answer in refused} == {(404, refused[0].text)}


@pytest.mark.feature("A4")
@pytest.mark.parametrize("accepting", [False, True])
async def test_the_old_password_opens_no_session_past_a_reset(
    make_org: MakeOrg,
    app: FastAPI,
    client: httpx.AsyncClient,
    admin: asyncpg.Connection,
    accepting: bool,
) -> None:
    """The sign-in checks the old password in time; the reset is done before it goes on."""
    known = await make_org()
    sessions = app.state.wiring.sessions
    async with platform_session(sessions) as session:
        token = _token(await passwords.reset_link(session, known.email, "http://service.test"))
    if accepting:
        body = {"token": await invite(await make_org(), known.email, "viewer")}
        body["password"] = USER_PASSWORD
        entering = client.post(f"{AUTH}/invitations/accept", json=body)
    else:
        entering = sign_in(client, known.email)
    async with platform_session(sessions) as session:
        await passwords.reset(session, token=token, password=NEW)
        late = asyncio.create_task(entering)
        await until_waiting(admin, 1)
    assert (await late).status_code == 401
    living = 'SELECT count(*) FROM login l JOIN "user" u ON u.id = l.user_id '
    living += "WHERE u.email = $1 AND l.ended_at IS NULL"
    assert await admin.fetchval(living, known.email) == 0
    assert (await sign_in(client, known.email, NEW)).status_code == 200


async def test_two_links_used_at_once_are_no_deadlock(
    make_org: MakeOrg, app: FastAPI, client: httpx.AsyncClient, admin: asyncpg.Connection
) -> None:
    known = await make_org()
    async with platform_session(app.state.wiring.sessions) as session:
        links = [await passwords.reset_link(session, known.email, "http://x") for _ in range(2)]
    async with admin.transaction():
        hashes = [_token(link).encode() for link in links]
        held = "SELECT 1 FROM account_token WHERE token_hash IN (sha256($1), sha256($2)) FOR UPDATE"
        await admin.execute(held, *hashes)
        resets = [
            asyncio.create_task(
                client.post(f"{AUTH}/password/reset", json={"token": _token(link), "password": NEW})
            )
            for link in links
        ]
        await until_waiting(admin, 2)
    answers = await asyncio.gather(*resets)
    assert sorted(answer.status_code for answer in answers) == [204, 404]


async def test_sign_ins_at_once_upgrade_one_hash(
    make_org: MakeOrg, client: httpx.AsyncClient, admin: asyncpg.Connection
) -> None:
    known = await make_org()
    old = bcrypt.hashpw(USER_PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    await _set_hash(admin, known, old)
    answers = await asyncio.gather(*(sign_in(client, known.email) for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4


async def test_an_address_is_verified_by_its_link(
    client: httpx.AsyncClient, mailing: OtherService, mail: MailServer
) -> None:
    body = _person(3)
    async with mailing.client() as anybody:
        made = (await anybody.post(f"{AUTH}/register", json=body)).json()
        bearer = {"Authorization": f"Bearer {made['access_token']}"}
        (welcome,) = mail.links_to(body["email"])
        assert "/verify-email#token=" in welcome
        assert (await _user(anybody, bearer))["email_verified"] is False
        asked = await anybody.post("/api/v1/me/email/verification", headers=bearer)
        assert asked.status_code == 202
        token = _token(mail.links_to(body["email"])[1])
        wrong = await anybody.post(
            f"{AUTH}/password/reset", json={"token": token, "password": "quite another 9"}
        )
        assert wrong.status_code == 404
        done = await anybody.post(f"{AUTH}/email/verify", json={"token": token})
        again = await anybody.post(f"{AUTH}/email/verify", json={"token": token})
        assert (done.status_code, again.status_code) == (204, 404)
        assert (await _user(anybody, bearer))["email_verified"] is True
        nothing = await anybody.post("/api/v1/me/email/verification", headers=bearer)
        assert nothing.status_code == 202
    assert len(mail.links_to(body["email"])) == 2


async def _user(client: httpx.AsyncClient, bearer: dict[str, str]) -> dict[str, object]:
    return dict((await client.get("/api/v1/me", headers=bearer)).json()["user"])


async def test_without_a_mail_server_nothing_is_promised(
    make_org: MakeOrg, client: httpx.AsyncClient
) -> None:
    known = await make_org()
    asked = await client.post(f"{AUTH}/password/forgot", json={"email": known.email})
    assert asked.status_code == 202
    verify = await known.post("/api/v1/me/email/verification")
    assert (verify.status_code, verify.json()["error"]) == (409, "conflict")
    assert "mail server" in verify.json()["message"]


async def test_a_mail_server_that_is_away_changes_no_answer(
    make_org: MakeOrg, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    known = await make_org()
    away = "smtp://robot:hidden-word@127.0.0.1:9"
    async with other_service(settings, smtp_url=away) as service, service.client() as anybody:
        made = await anybody.post(f"{AUTH}/register", json=_person(4))
        asked = await anybody.post(f"{AUTH}/password/forgot", json={"email": known.email})
    assert (made.status_code, asked.status_code) == (201, 202)
    logged = capsys.readouterr().out
    assert "verification_mail_failed" in logged
    assert "reset_mail_failed" in logged
    assert "hidden-word" not in logged
    assert "#token=" not in logged


async def test_the_name_of_a_person(make_org: MakeOrg) -> None:
    known = await make_org()
    answer = await known.patch("/api/v1/me", json={"name": "  Ada <script>alert(1)</script> "})
    assert answer.json()["user"]["name"] == "Ada <script>alert(1)</script>"
    assert (await known.get("/api/v1/me")).json() == answer.json()
    for name in ("", "   ", "x" * 121, None, 7):
        assert (await known.patch("/api/v1/me", json={"name": name})).status_code == 422
    for extra in ({"email": "eve@example.com"}, {"platform_role": "owner"}):
        assert (await known.patch("/api/v1/me", json={"name": "A"} | extra)).status_code == 422
