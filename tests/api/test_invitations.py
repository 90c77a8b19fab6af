"""Invitations: bound to address, organization and role, good once, and telling nothing."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core import clock
from tests.api.conftest import USER_PASSWORD, MakeMember, MakeOrg, OrgClient, TwoOrgs, invite
from tests.api.mail_server import MailServer, running
from tests.api.organization_contents import stored_rows

PATH = "/api/v1/invitations"
LOOK = "/api/v1/auth/invitations/look"
ACCEPT = "/api/v1/auth/invitations/accept"


def as_new(token: str) -> dict[str, str]:
    """Somebody new accepts."""
    return {"token": token, "name": "Grace", "password": USER_PASSWORD}


@pytest.mark.feature("A10")
async def test_somebody_new_accepts(make_org: MakeOrg, client: httpx.AsyncClient) -> None:
    owner = await make_org()
    token = await invite(owner, "Grace.New@Example.com", "editor")
    (listed,) = (await owner.get(PATH)).json()["items"]
    assert (listed["email"], listed["role"]) == ("grace.new@example.com", "editor")
    assert listed["invited_by"]["email"] == owner.email
    assert (listed["mailed"], listed["link"]) == (False, None)
    seen = (await client.post(LOOK, json={"token": token})).json()
    assert seen == {
        "organization": {"name": owner.organization["name"], "slug": owner.slug},
        "email": "grace.new@example.com",
        "role": "editor",
        "expires_at": listed["expires_at"],
        "has_account": False,
    }
    for missing in ("name", "password"):
        body = as_new(token)
        del body[missing]
        refused = await client.post(ACCEPT, json=body)
        assert (refused.status_code, refused.json()["problems"][0]["field"]) == (422, missing)
    accepted = await client.post(ACCEPT, json=as_new(token))
    assert accepted.status_code == 200, accepted.text
    assert (accepted.json()["role"], accepted.json()["organization"]["slug"]) == (
        "editor",
        owner.slug,
    )
    bearer = {"Authorization": f"Bearer {accepted.json()['access_token']}"}
    assert (await client.get("/api/v1/me", headers=bearer)).json()["role"] == "editor"
    assert (await owner.get(PATH)).json()["items"] == []


@pytest.mark.feature("A2", "A10")
async def test_an_account_joins_another_organization(two_orgs: TwoOrgs) -> None:
    """By its password, or signed in; somebody else who is signed in does not get in."""
    a, b = two_orgs.a, two_orgs.b
    token = await invite(a, b.email, "admin")
    assert (await a.post(LOOK, json={"token": token})).json()["has_account"] is True
    as_another = await a.post(ACCEPT, json={"token": token})
    assert as_another.status_code == 403
    wrong = {"token": token, "password": "not the password"}
    assert (await b.post(ACCEPT, json=wrong)).status_code == 401
    joined = await b.post(ACCEPT, json={"token": token})
    assert joined.status_code == 200, joined.text
    assert joined.json()["organization"]["slug"] == a.slug
    entered = {"Authorization": f"Bearer {joined.json()['access_token']}"}
    me = (await b.get("/api/v1/me", headers=entered)).json()
    assert {one["organization"]["slug"]: one["role"] for one in me["memberships"]} == {
        a.slug: "admin",
        b.slug: "owner",
    }
    assert (me["organization"]["slug"], me["role"]) == (a.slug, "admin")
    assert (await b.get("/api/v1/me")).status_code == 401  # the session is in the other one now
    again = {"email": b.email, "password": USER_PASSWORD, "organization": b.slug}
    back = (await b.post("/api/v1/auth/login", json=again)).json()
    b.headers["Authorization"] = f"Bearer {back['access_token']}"
    token = await invite(b, a.email, "viewer")
    by_password = {"token": token, "password": USER_PASSWORD, "name": "Ignored"}
    del b.headers["Authorization"]
    assert (await b.post(ACCEPT, json=by_password)).status_code == 200


async def test_two_who_accept_at_once_make_one_member(
    make_org: MakeOrg, app: FastAPI, client: httpx.AsyncClient
) -> None:
    owner = await make_org()
    token = await invite(owner, "twice@example.com", "viewer")
    answers = await asyncio.gather(*(client.post(ACCEPT, json=as_new(token)) for _ in range(4)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] == 200
    assert set(codes[1:]) <= {401, 404, 409}, [answer.text for answer in answers]
    emails = [item["email"] for item in (await owner.get("/api/v1/members")).json()["items"]]
    assert sorted(emails) == sorted([owner.email, "twice@example.com"])


@pytest.mark.feature("A10")
async def test_a_token_that_is_not_good_tells_nothing(
    make_org: MakeOrg,
    make_member: MakeMember,
    client: httpx.AsyncClient,
    database: EmbeddedPostgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner = await make_org()
    second: OrgClient = await make_member(owner, "owner")
    tokens = {
        name: await invite(owner, f"{name}{owner.org_id}@example.com", "viewer")
        for name in ("used", "revoked", "resent", "replaced")
    }
    by_second = {
        name: await invite(second, f"{name}{owner.org_id}@example.com", "admin")
        for name in ("demoted", "removed")
    }
    assert (await client.post(ACCEPT, json=as_new(tokens["used"]))).status_code == 200
    open_ones = {one["email"]: one["id"] for one in (await owner.get(PATH)).json()["items"]}
    revoked = open_ones[f"revoked{owner.org_id}@example.com"]
    assert (await owner.delete(f"{PATH}/{revoked}")).status_code == 204
    assert (await owner.delete(f"{PATH}/{revoked}")).status_code == 404
    resent = open_ones[f"resent{owner.org_id}@example.com"]
    renewed = await owner.post(f"{PATH}/{resent}/resend")
    assert renewed.json()["id"] == resent
    await invite(owner, f"replaced{owner.org_id}@example.com", "viewer")
    people = (await owner.get("/api/v1/members")).json()["items"]
    member = f"/api/v1/members/{next(p['id'] for p in people if p['email'] == second.email)}"
    await owner.patch(member, json={"role": "editor"})
    answers = [await client.post(LOOK, json={"token": by_second["demoted"]})]
    await owner.delete(member)
    answers += [
        await client.post(path, json=as_new(token) if path == ACCEPT else {"token": token})
        for token in (*tokens.values(), *by_second.values(), "x" * 43, tokens["used"][:-1])
        for path in (LOOK, ACCEPT)
    ]
    late = renewed.json()["link"].partition("#token=")[2]
    now = clock.now() + timedelta(days=7, seconds=1)
    monkeypatch.setattr(clock, "now", lambda: now)
    answers.append(await client.post(ACCEPT, json=as_new(late)))
    monkeypatch.undo()
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}
    good = await client.post(ACCEPT, json=as_new(late))
    assert good.status_code == 200, good.text
    assert await _refusals_in_audit(database) > 0


async def _refusals_in_audit(database: EmbeddedPostgres) -> int:
    admin = await asyncpg.connect(database.url("etlfabric"))
    found = await admin.fetchval(
        "SELECT count(*) FROM audit_entry WHERE action = 'refused' AND org_id IS NULL"
        " AND resource_type = $1",
        ACCEPT,
    )
    await admin.close()
    return int(found)


async def test_a_role_cannot_be_put_in(make_org: MakeOrg, client: httpx.AsyncClient) -> None:
    owner = await make_org()
    token = await invite(owner, "tamper@example.com", "viewer")
    for more in ({"role": "owner"}, {"email": "other@example.com"}, {"org_id": 1}):
        assert (await client.post(ACCEPT, json=as_new(token) | more)).status_code == 422
    assert (await client.post(ACCEPT, json=as_new(token))).json()["role"] == "viewer"


async def test_a_member_is_not_invited_again(two_orgs: TwoOrgs) -> None:
    a, b = two_orgs.a, two_orgs.b
    body = {"email": a.email.upper(), "role": "viewer"}
    assert (await a.post(PATH, json=body)).status_code == 409
    first = await invite(a, b.email, "viewer")
    assert (await b.post(ACCEPT, json={"token": first})).status_code == 200
    assert (await a.post(PATH, json={"email": b.email, "role": "admin"})).status_code == 409
    for odd in ({"email": "no address"}, {"role": "king"}, {"mailed": True}):
        body = {"email": "x@example.com", "role": "viewer"} | odd
        assert (await a.post(PATH, json=body)).status_code == 422


async def test_invitations_of_another_organization(two_orgs: TwoOrgs) -> None:
    a, b = two_orgs.a, two_orgs.b
    await invite(b, "theirs@example.com", "viewer")
    (theirs,) = (await b.get(PATH)).json()["items"]
    assert (await a.get(PATH)).json()["items"] == []
    for method, end in (("DELETE", ""), ("POST", "/resend")):
        foreign = await a.request(method, f"{PATH}/{theirs['id']}{end}")
        missing = await a.request(method, f"{PATH}/999999999{end}")
        assert foreign.status_code == missing.status_code == 404
        assert foreign.text.replace(str(theirs["id"]), "999999999") == missing.text
    assert len((await b.get(PATH)).json()["items"]) == 1


async def test_a_deleted_organization_takes_nobody_in(
    make_org: MakeOrg, client: httpx.AsyncClient
) -> None:
    owner = await make_org()
    token = await invite(owner, "late@example.com", "viewer")
    gone = await owner.delete("/api/v1/organization", params={"confirm": owner.slug})
    assert gone.status_code == 200, gone.text
    assert (await client.post(ACCEPT, json=as_new(token))).status_code == 404


async def test_the_token_is_stored_nowhere(
    make_org: MakeOrg, database: EmbeddedPostgres, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = await make_org()
    token = await invite(owner, "quiet@example.com", "viewer")
    await owner.post(LOOK, json={"token": token})
    stored = str(await stored_rows(database, owner.org_id))
    assert "quiet@example.com" in stored
    assert token not in stored + capsys.readouterr().out


@pytest.fixture
def mail_server(app: FastAPI) -> Iterator[MailServer]:
    """A real mail server that the service sends through."""
    before = app.state.wiring
    with running() as server:
        app.state.wiring = replace(before, mailer=server.mailer())
        yield server
    app.state.wiring = before


@pytest.mark.feature("A10")
async def test_by_mail_the_link_reaches_the_address_alone(
    make_org: MakeOrg, mail_server: MailServer, client: httpx.AsyncClient
) -> None:
    owner = await make_org()
    sent = await owner.post(PATH, json={"email": "mail@example.com", "role": "viewer"})
    assert (sent.status_code, sent.json()["mailed"], sent.json()["link"]) == (201, True, None)
    (link,) = mail_server.links_to("mail@example.com")
    token = link.partition("/invitation#token=")[2]
    assert token not in sent.text
    accepted = await client.post(ACCEPT, json=as_new(token))
    assert accepted.status_code == 200, accepted.text
    bearer = {"Authorization": f"Bearer {accepted.json()['access_token']}"}
    me = (await client.get("/api/v1/me", headers=bearer)).json()
    assert me["user"]["email_verified"] is True


async def test_a_link_that_was_passed_on_verifies_no_address(
    make_member: MakeMember, make_org: MakeOrg
) -> None:
    member: OrgClient = await make_member(await make_org(), "viewer")
    assert (await member.get("/api/v1/me")).json()["user"]["email_verified"] is False


async def test_a_mail_that_fails_can_be_sent_again(
    make_org: MakeOrg, mail_server: MailServer
) -> None:
    owner = await make_org()
    mail_server.inbox.refuse = True
    failed = await owner.post(PATH, json={"email": "again@example.com", "role": "viewer"})
    assert (failed.status_code, failed.json()["error"]) == (502, "upstream_unavailable")
    (kept,) = (await owner.get(PATH)).json()["items"]
    mail_server.inbox.refuse = False
    assert (await owner.post(f"{PATH}/{kept['id']}/resend")).status_code == 200
    assert len(mail_server.links_to("again@example.com")) == 1
