"""Every route, for every role, with the own and with the other organization's ids."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import yaml
from fastapi import FastAPI
from fastapi.routing import APIRoute

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.access.permissions import ROLE_PERMISSIONS, Permission, Role
from tests.api.conftest import INTERNAL_TOKEN
from tests.api.matrix.calls import API, CALLS, Call, filled, slots, with_value
from tests.api.matrix.organization import Filled, fill, invite, join
from tests.api.runs_world import MATRIX_ORGANIZATIONS, World

ACCESS = yaml.safe_load((Path(__file__).parent / "access.yaml").read_text())
OPERATIONS: dict[str, str] = ACCESS["operations"]
ROLES = ("viewer", "editor", "admin", "owner")
OPEN = ("public", "internal", "platform")
MISSING = 999_999_999


@dataclass
class Pair:
    """The organization that asks, and the one that must not be noticed."""

    a: Filled
    b: Filled
    callers: Mapping[str, str]  # name → bearer token


@pytest.fixture(scope="module")
async def warehouse_admin(database: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.url("warehouse"))
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
def made() -> list[Pair]:
    """Holds the pair once it is made: the fixture `world` lasts for one test only."""
    return []


@pytest.fixture
async def pair(
    app: FastAPI, world: World, made: list[Pair], warehouse_admin: asyncpg.Connection
) -> Pair:
    """Two filled organizations; made once, with the service talking to the real Airflow."""
    if not made:
        a, b = [await fill(app, name, warehouse_admin) for name in MATRIX_ORGANIZATIONS[:2]]
        made.append(Pair(a, b, await _callers(app, a)))
    return made[0]


async def _callers(app: FastAPI, a: Filled) -> dict[str, str]:
    """The tokens of four members, and of keys with one permission or with all others."""
    tokens = {"owner": a.http.headers["Authorization"].removeprefix("Bearer ")}
    for role in ("viewer", "editor", "admin"):
        token = await invite(a, f"{role}@roles.example.com", role)
        tokens[role] = await join(app, token, role)
    for permission in Permission:
        others = [other for other in Permission if other is not permission]
        for name, scopes in ((f"only {permission}", [permission]), (f"no {permission}", others)):
            body = {"name": name, "scopes": scopes}
            tokens[name] = (await a.http.post(f"{API}/api-keys", json=body)).json()["key"]
    return tokens


def _routes(app: FastAPI) -> set[str]:
    return {
        f"{method} {route.path}".replace(":path}", "}")
        for route in app.routes
        if isinstance(route, APIRoute) and not route.path.startswith("/docs")
        for method in route.methods
    }


@pytest.mark.feature("A4", "A9")
def test_the_table_names_every_route_and_no_other(app: FastAPI) -> None:
    assert _routes(app) == set(OPERATIONS)
    documented = {
        f"{method.upper()} {path}"
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }
    public = {name for name, who in OPERATIONS.items() if who != "internal"}
    assert documented == public


@pytest.mark.feature("A9")
def test_the_roles_are_the_reviewed_ones() -> None:
    grown = accumulate((set(ACCESS["roles"][role]) for role in ROLES), set.union)
    for role, permissions in zip(ROLES, grown, strict=True):
        assert {str(p) for p in ROLE_PERMISSIONS[Role(role)]} == permissions, role


@pytest.mark.feature("A20")
def test_no_body_takes_a_field_that_it_does_not_know(app: FastAPI) -> None:
    """Nobody sets a role, an organization or a time of deletion by sending one along."""
    schemas = app.openapi()["components"]["schemas"]
    bodies = [name for name in schemas if name.endswith(("In", "Patch", "Draft", "Check"))]
    assert len(bodies) > 20
    loose = [name for name in bodies if schemas[name].get("additionalProperties") is not False]
    assert loose == []


def test_every_guarded_route_has_a_call() -> None:
    wanted = {
        name.replace(API, "")
        for name, who in OPERATIONS.items()
        if who not in OPEN and name not in _TRIED_ELSEWHERE
    }
    assert wanted == set(CALLS)


# They end the account, the organization or the session that asks: test_organizations.py,
# test_organization_deletion.py, test_members.py, test_passwords.py and test_sso.py try them.
_TRIED_ELSEWHERE = {
    f"{method} {API}{path}"
    for method, path in (
        ("POST", "/me/password"),
        ("POST", "/me/email/verification"),
        ("POST", "/me/identities/{provider}"),
        ("DELETE", "/me/identities/{id}"),
        ("POST", "/organizations"),
        ("POST", "/organizations/{id}/restore"),
        ("DELETE", "/organizations/{id}"),
        ("DELETE", "/members/me"),
        ("DELETE", "/organization"),
    )
}


async def _send(
    app: FastAPI, name: str, call: Call, ids: Mapping[str, Any], token: str | None
) -> httpx.Response:
    method, path = name.split(" ")
    for key, value in call.path.items():
        path = path.replace(f"{{{key}}}", str(filled(value, ids)))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://service.test", headers=headers
    ) as http:
        return await http.request(
            method,
            API + path,
            params=filled(call.query, ids),
            json=filled(call.body, ids) if call.body is not None else None,
            files={"file": ("people.csv", b"a\n1\n")} if call.file else None,
        )


def _expected(who: str) -> dict[str, bool]:
    """Caller → whether the route is open to it."""
    if who in ("anyone", "person"):
        keys = {"only runs:read": who == "anyone", "no audit:read": who == "anyone"}
        return dict.fromkeys(ROLES, True) | keys
    needed = set(who.split()) - {"person"}
    roles = {role: needed <= {str(p) for p in ROLE_PERMISSIONS[Role(role)]} for role in ROLES}
    keys = {
        f"only {permission}": needed == {permission} and "person" not in who
        for permission in needed
    }
    return roles | keys | {f"no {permission}": False for permission in needed}


@pytest.mark.feature("A4", "A9", "A14")
async def test_who_may(app: FastAPI, pair: Pair) -> None:
    """Refusals name existing objects; what is allowed is tried on absent ones, changing nothing."""
    wrong = []
    for name, call in CALLS.items():
        absent = _absent(call)
        for caller, may in _expected(OPERATIONS[name.replace(" ", f" {API}")]).items():
            if may and name == "DELETE /me/sessions":
                continue  # it would end the sessions of the callers
            token = pair.callers[caller]
            answer = await _send(app, name, absent if may else call, pair.a.ids, token)
            refused = answer.status_code in (401, 403)
            if refused is may or answer.status_code >= 500:
                wrong.append((name, caller, answer.status_code, answer.text[:200]))
        for stranger in (None, INTERNAL_TOKEN, "etf_1_" + "x" * 43):
            answer = await _send(app, name, call, pair.a.ids, stranger)
            if answer.status_code != 401:
                wrong.append((name, stranger, answer.status_code, answer.text[:200]))
    assert not wrong, "\n".join(map(str, wrong))


def _absent(call: Call) -> Call:
    """The call about objects that do not exist, with no body that could make one."""
    for slot, noun in slots(call):
        if slot[0] != "body":
            call = with_value(call, slot, _missing(noun))
    return Call(path=call.path, query=call.query)


def _missing(noun: str) -> Any:
    texts = {"dag": "matrixnorth.absent", "run": "absent", "table": "absent", "slug": "absent"}
    return texts.get(noun, MISSING)


@pytest.mark.feature("A7", "A18")
async def test_another_organizations_objects_do_not_exist(
    app: FastAPI, pair: Pair, database: EmbeddedPostgres
) -> None:
    before = await _digest(database, pair.b)
    wrong, tried = [], 0
    for name, call in CALLS.items():
        for slot, noun in slots(call):
            answers = {}
            for value in (pair.b.ids[noun], _missing(noun)):
                asked = with_value(call, slot, value)
                answers[value] = await _send(app, name, asked, pair.a.ids, _owner(pair))
            tried += 1
            foreign, absent = answers.values()
            found = {answer.text.replace(str(value), "?") for value, answer in answers.items()}
            same = len(found) == 1 and foreign.status_code == absent.status_code
            if not same or foreign.status_code not in NOTHING[slot[0]]:
                wrong.append((name, slot, foreign.status_code, found))
            if pair.b.canary in foreign.text:
                wrong.append((name, slot, "canary", foreign.text))
    assert not wrong, "\n".join(map(str, wrong))
    assert tried > 70
    assert await _digest(database, pair.b) == before


# What the answer about an absent object may be, by where the id stands.
NOTHING = {"path": (404,), "query": (404, 200), "body": (404, 422, 200)}


def _owner(pair: Pair) -> str:
    return pair.callers["owner"]


async def _digest(database: EmbeddedPostgres, made: Filled) -> dict[str, str]:
    """What the organization's rows are in every table."""
    admin = await asyncpg.connect(database.url("etlfabric"))
    try:
        tables = await admin.fetch(
            "SELECT DISTINCT table_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND column_name = 'org_id'"
        )
        return {
            table: await admin.fetchval(
                f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY id), ''))"
                f' FROM "{table}" t WHERE org_id = $1',
                made.member.org_id,
            )
            for (table,) in tables
        }
    finally:
        await admin.close()


@pytest.mark.feature("A9", "A17")
async def test_an_owner_reaches_everything_and_what_is_deleted_is_gone(
    app: FastAPI, world: World, warehouse_admin: asyncpg.Connection
) -> None:
    """The counterpart of the tests above: the same calls with the own ids are right ones."""
    own = await fill(app, MATRIX_ORGANIZATIONS[2], warehouse_admin)
    token = own.http.headers["Authorization"].removeprefix("Bearer ")
    wrong = []
    for name, call in CALLS.items():
        answer = await _send(app, name, call, own.ids, token)
        if answer.status_code not in call.answers:
            wrong.append((name, answer.status_code, answer.text[:300]))
        if name.startswith("DELETE") and "id" in call.path:
            again = await _send(app, name, call, own.ids, token)
            if again.status_code != 404:
                wrong.append((name, "again", again.status_code, again.text[:300]))
    assert not wrong, "\n".join(map(str, wrong))
