"""API keys: never more than their maker, good wherever a token is, closed to what is a person's."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from cli.stack.ports import free_port
from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core import clock
from etlfabric_core.access.permissions import ROLE_PERMISSIONS, Permission, Role
from tests.api.conftest import MakeMember, MakeOrg, OrgClient, TwoOrgs
from tests.api.organization_contents import stored_rows

PATH = "/api/v1/api-keys"


async def make_key(owner: OrgClient, *scopes: str, **more: Any) -> dict[str, Any]:
    """A new key."""
    body = {"name": "Deploy", "scopes": list(scopes)} | more
    answer = await owner.post(PATH, json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def bearer(key: str) -> dict[str, str]:
    """The header of a key."""
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.feature("A14")
async def test_a_key_is_shown_once_listed_and_revoked(
    make_org: MakeOrg, client: httpx.AsyncClient
) -> None:
    owner = await make_org()
    made = await make_key(owner, "workflows:read", "runs:read", "workflows:read")
    assert made["scopes"] == ["runs:read", "workflows:read"]
    assert made["key"].startswith(f"etf_{made['id']}_")
    (listed,) = (await owner.get(PATH)).json()["items"]
    assert listed == {name: value for name, value in made.items() if name != "key"}
    assert listed["last_used_at"] is None
    used = await client.get("/api/v1/workflows", headers=bearer(made["key"]))
    assert used.status_code == 200
    (listed,) = (await owner.get(PATH)).json()["items"]
    assert listed["last_used_at"] is not None
    assert (await owner.delete(f"{PATH}/{made['id']}")).status_code == 204
    assert (await owner.get(PATH)).json()["items"] == []
    refused = await client.get("/api/v1/workflows", headers=bearer(made["key"]))
    assert refused.status_code == 401
    actions = (await owner.get("/api/v1/audit", params={"resource_type": "api_key"})).json()
    assert [entry["action"] for entry in actions["items"]] == ["delete", "create"]


CALLS: dict[str, tuple[str, str]] = {
    "organization:read": ("GET", "/organization"),
    "organization:write": ("PATCH", "/organization"),
    "members:read": ("GET", "/members"),
    "members:write": ("POST", "/invitations"),
    "api_keys:read": ("GET", "/api-keys"),
    "api_keys:delete": ("DELETE", "/api-keys/999999999"),
    "audit:read": ("GET", "/audit"),
    "connections:read": ("GET", "/connections"),
    "connections:write": ("POST", "/connections"),
    "connections:delete": ("DELETE", "/connections/999999999"),
    "uploads:read": ("GET", "/uploads"),
    "uploads:write": ("POST", "/uploads"),
    "uploads:delete": ("DELETE", "/uploads/999999999"),
    "workflows:read": ("GET", "/workflows"),
    "workflows:write": ("POST", "/workflows"),
    "workflows:publish": ("POST", "/workflows/999999999/publish"),
    "workflows:delete": ("DELETE", "/workflows/999999999"),
    "pipelines:write": ("POST", "/pipelines"),
    "schedules:write": ("POST", "/schedules"),
    "transformations:read": ("GET", "/transformations"),
    "runs:read": ("GET", "/runs/nobody.main/none/events"),
    "runs:execute": ("POST", "/workflows/999999999/runs"),
    "tables:read": ("GET", "/tables"),
}


@pytest.mark.feature("A14")
async def test_a_scope_opens_its_routes_and_no_other(
    make_org: MakeOrg, client: httpx.AsyncClient
) -> None:
    owner = await make_org()
    keys = {scope: (await make_key(owner, scope))["key"] for scope in CALLS}
    for scope, (method, path) in CALLS.items():
        for held in (scope, "tables:read" if scope != "tables:read" else "audit:read"):
            answer = await client.request(
                method, f"/api/v1{path}", headers=bearer(keys[held]), json={}
            )
            refused = answer.status_code == 403 and "lacks the permission" in answer.text
            assert refused is (held != scope), (scope, held, answer.text)
            assert answer.status_code != 401


@pytest.mark.feature("A14")
async def test_what_is_no_key_is_refused_in_one_way(
    two_orgs: TwoOrgs, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = two_orgs.a, two_orgs.b
    soon = (clock.now() + timedelta(hours=1)).isoformat()
    mine = await make_key(a, "workflows:read", expires_at=soon)
    theirs = await make_key(b, "workflows:read")
    revoked = await make_key(a, "workflows:read")
    await a.delete(f"{PATH}/{revoked['id']}")
    secret, other = mine["key"].split("_", 2)[2], theirs["key"].split("_", 2)[2]
    odd = [
        revoked["key"],
        f"etf_{mine['id']}_{other}",
        f"etf_{theirs['id']}_{secret}",
        f"etf_999999999_{secret}",
        f"etf_{10**18}_{secret}",
        f"etf_{mine['id']}_{secret[:-1]}",
        f"etf_{mine['id']}_{secret}x",
        f"etf__{secret}",
        f"etf_-1_{secret}",
        f"etf_\u0661_{secret}",
        "etf_",
    ]
    answers = [
        await client.get("/api/v1/workflows", headers={b"Authorization": f"Bearer {key}".encode()})
        for key in odd
    ]
    assert (await client.get("/api/v1/workflows", headers=bearer(mine["key"]))).status_code == 200
    late = clock.now() + timedelta(hours=1, seconds=1)
    monkeypatch.setattr(clock, "now", lambda: late)
    answers.append(await client.get("/api/v1/workflows", headers=bearer(mine["key"])))
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}


@pytest.mark.feature("A14")
async def test_a_key_never_does_more_than_its_maker(
    make_org: MakeOrg, make_member: MakeMember, client: httpx.AsyncClient
) -> None:
    owner = await make_org()
    admin: OrgClient = await make_member(owner, "admin")
    beyond = {"name": "Too much", "scopes": ["workflows:read", "organization:delete"]}
    refused = await admin.post(PATH, json=beyond)
    assert (refused.status_code, "organization:delete" in refused.text) == (403, True)
    key = (await make_key(admin, "workflows:delete", "workflows:read"))["key"]
    (people,) = [
        one
        for one in (await owner.get("/api/v1/members")).json()["items"]
        if one["email"] == admin.email
    ]
    member = f"/api/v1/members/{people['id']}"
    assert (await owner.patch(member, json={"role": "viewer"})).status_code == 200
    gone = "/api/v1/workflows/999999999"
    assert (await client.get("/api/v1/workflows", headers=bearer(key))).status_code == 200
    assert (await client.delete(gone, headers=bearer(key))).status_code == 403
    assert (await owner.patch(member, json={"role": "admin"})).status_code == 200
    assert (await client.delete(gone, headers=bearer(key))).status_code == 404


async def test_members_write_alone_gives_nothing_away(
    make_org: MakeOrg, client: httpx.AsyncClient
) -> None:
    """A key that may invite cannot make itself an owner by inviting one."""
    owner = await make_org()
    narrow = (await make_key(owner, "members:write", "members:read"))["key"]
    for role in Role:
        body = {"email": "accomplice@example.com", "role": role}
        refused = await client.post("/api/v1/invitations", json=body, headers=bearer(narrow))
        assert refused.status_code == 403, role
    viewer = sorted(ROLE_PERMISSIONS[Role.VIEWER] | {Permission.MEMBERS_WRITE})
    wide = (await make_key(owner, *viewer))["key"]
    body = {"email": "colleague@example.com", "role": "viewer"}
    invited = await client.post("/api/v1/invitations", json=body, headers=bearer(wide))
    assert invited.status_code == 201, invited.text


@pytest.mark.feature("A14")
async def test_what_belongs_to_a_person_is_closed_to_keys(
    make_org: MakeOrg, client: httpx.AsyncClient
) -> None:
    owner = await make_org()
    key = (await make_key(owner, *Permission))["key"]
    for method, path in (
        ("GET", "/me"),
        ("PATCH", "/me"),
        ("POST", "/me/password"),
        ("GET", "/me/sessions"),
        ("DELETE", "/me/sessions"),
        ("GET", "/me/identities"),
        ("POST", "/organizations"),
        ("DELETE", "/members/me"),
        ("DELETE", f"/organization?confirm={owner.slug}"),
        ("POST", "/api-keys"),  # the new one would outlive the key that made it
    ):
        body = {"name": "Child", "scopes": ["workflows:read"]} if path == "/api-keys" else {}
        answer = await client.request(method, f"/api/v1{path}", headers=bearer(key), json=body)
        assert answer.status_code == 403, (path, answer.text)
        assert "API key" in answer.json()["message"]


async def test_keys_of_another_organization(two_orgs: TwoOrgs) -> None:
    theirs = await make_key(two_orgs.b, "workflows:read")
    assert (await two_orgs.a.get(PATH)).json()["items"] == []
    foreign = await two_orgs.a.delete(f"{PATH}/{theirs['id']}")
    missing = await two_orgs.a.delete(f"{PATH}/999999999")
    assert foreign.status_code == missing.status_code == 404
    assert foreign.text.replace(str(theirs["id"]), "999999999") == missing.text
    mine = await make_key(two_orgs.a, *Permission)
    workflows = (await two_orgs.b.get("/api/v1/workflows")).json()["items"]
    path = f"/api/v1/workflows/{workflows[0]['id']}"
    assert (await two_orgs.a.get(path, headers=bearer(mine["key"]))).status_code == 404


async def test_bad_keys_are_not_made(make_org: MakeOrg) -> None:
    owner = await make_org()
    good = {"name": "K", "scopes": ["runs:read"]}
    for wrong in (
        {"scopes": []},
        {"scopes": ["runs:everything"]},
        {"scopes": "*"},
        {"name": ""},
        {"name": "x" * 121},
        {"expires_at": "2001-01-01T00:00:00Z"},
        {"expires_at": "2099-01-01T00:00:00"},
        {"user_id": 1},
        {"secret_hash": "x"},
    ):
        assert (await owner.post(PATH, json=good | wrong)).status_code == 422, wrong


@pytest.mark.feature("A14")
async def test_the_secret_is_stored_nowhere(
    make_org: MakeOrg,
    client: httpx.AsyncClient,
    database: EmbeddedPostgres,
    capsys: pytest.CaptureFixture[str],
) -> None:
    owner = await make_org()
    made = await make_key(owner, "workflows:read", "workflows:write")
    secret = made["key"].split("_", 2)[2]
    await client.get("/api/v1/workflows", headers=bearer(made["key"]))
    await client.get("/api/v1/connections", headers=bearer(made["key"]))
    await client.get("/api/v1/workflows", headers=bearer(made["key"] + "x"))
    body = {"name": "By key"}
    created = await client.post("/api/v1/workflows", json=body, headers=bearer(made["key"]))
    assert created.status_code == 201
    stored = str(await stored_rows(database, owner.org_id))
    assert "Deploy" in stored
    assert secret not in stored + capsys.readouterr().out
    (entry, *_) = (await owner.get("/api/v1/audit", params={"action": "create"})).json()["items"]
    assert entry["resource_type"] == "workflow"
    assert entry["api_key"] == {"id": made["id"], "name": "Deploy"}


@pytest.mark.feature("A14")
async def test_uploads_take_a_key(make_org: MakeOrg, client: httpx.AsyncClient) -> None:
    owner = await make_org()
    key = (await make_key(owner, "uploads:write", "uploads:read"))["key"]
    files = {"file": ("a.csv", b"a\n1\n")}
    stored = await client.post("/api/v1/uploads", files=files, headers=bearer(key))
    assert stored.status_code == 201, stored.text
    preview = f"/api/v1/uploads/{stored.json()['id']}/preview"
    assert (await client.get(preview, headers=bearer(key))).status_code == 200


@pytest.mark.feature("A14")
async def test_the_command_works_with_a_key(
    app: FastAPI, make_org: MakeOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await make_org()
    key = (await make_key(owner, *sorted(ROLE_PERMISSIONS[Role.VIEWER])))["key"]
    serving = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=free_port(), lifespan="off", log_level="error")
    )
    serve = asyncio.create_task(serving.serve())
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("ETLFABRIC_API_URL", f"http://127.0.0.1:{serving.config.port}")

    async def export(given: str) -> tuple[int | None, str]:
        monkeypatch.setenv("ETLFABRIC_API_KEY", given)
        command = [sys.executable, "-m", "cli.main", "export", str(tmp_path / "out")]
        ran = await asyncio.create_subprocess_exec(*command, stderr=PIPE, stdout=PIPE)
        out, err = await ran.communicate()
        return ran.returncode, (out + err).decode()

    code, said = await export(key)
    assert code == 0, said
    assert list((tmp_path / "out").iterdir())
    for wrong in (key[:-1] + "x", (await make_key(owner, "runs:read"))["key"]):
        code, said = await export(wrong)
        assert code == 1
        assert "API key" in said
        assert wrong not in said
    serving.should_exit = True
    await serve


async def test_the_last_use_is_written_once_a_minute(
    make_org: MakeOrg, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await make_org()
    key = (await make_key(owner, "workflows:read"))["key"]

    async def use() -> str:
        answer = await client.get("/api/v1/workflows", headers=bearer(key))
        assert answer.status_code == 200
        (listed,) = (await owner.get(PATH)).json()["items"]
        return str(listed["last_used_at"])

    first = await use()
    assert await use() == first
    later = clock.now() + timedelta(minutes=1, seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert await use() > first
    many = await asyncio.gather(
        *(client.get("/api/v1/workflows", headers=bearer(key)) for _ in range(8))
    )
    assert {answer.status_code for answer in many} == {200}
