"""Connections: create, change, test, discover; secrets never come out."""

import asyncio
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.access.permissions import Role
from etlfabric_core.access.principal import Principal
from etlfabric_core.db.scope import org_session
from etlfabric_core.services import connections
from etlfabric_core.services.connections import Change
from tests.api.conftest import MakeOrg, OrgClient, TwoOrgs
from tests.api.waiting import until_waiting

PATH = "/api/v1/connections"
CANARY = "canary-secret-8472"


@pytest.fixture(scope="session")
async def source(database: EmbeddedPostgres) -> dict[str, Any]:
    """A database with a table and a user of its own; the config of a connection to it."""
    admin = await asyncpg.connect(database.url())
    await admin.execute("CREATE DATABASE shop")
    await admin.execute(f"CREATE ROLE shop_reader LOGIN PASSWORD '{CANARY}'")
    await admin.close()
    shop = await asyncpg.connect(database.url("shop"))
    await shop.execute(
        "CREATE TABLE orders (id int PRIMARY KEY, at timestamptz NOT NULL, note text);"
        "GRANT SELECT ON orders TO shop_reader"
    )
    await shop.close()
    return {
        "host": "127.0.0.1",
        "port": database.port,
        "database": "shop",
        "user": "shop_reader",
    }


def body(config: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "name": "Shop",
        "connector": "postgres",
        "config": config,
        "secrets": {"password": CANARY},
    } | changes


async def created(owner: OrgClient, config: dict[str, Any], **changes: Any) -> dict[str, Any]:
    response = await owner.post(PATH, json=body(config, **changes))
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


@pytest.mark.feature("B1", "B7", "B8")
async def test_create_test_discover(make_org: MakeOrg, source: dict[str, Any]) -> None:
    owner = await make_org()
    made = await created(owner, source)
    assert (made["slug"], made["direction"], made["status"]) == ("shop", "both", "untested")
    tested = (await owner.post(f"{PATH}/{made['id']}/test")).json()
    assert tested["ok"] is True, tested
    after = (await owner.get(f"{PATH}/{made['id']}")).json()
    assert after["status"] == "connected"
    one = f"{PATH}/{made['id']}"
    (orders,) = (await owner.get(f"{one}/tables")).json()["items"]
    assert (orders["schema"], orders["name"], orders["kind"]) == ("public", "orders", "table")
    columns = (await owner.get(f"{one}/columns", params={"table": orders["source"]})).json()
    assert columns["primary_key"] == ["id"]
    assert "at" in columns["cursor_candidates"]


@pytest.mark.feature("A16")
async def test_of_two_changes_at_once_neither_mixes_its_secrets_with_the_other_s_host(
    make_org: MakeOrg, app: FastAPI, source: dict[str, Any], database: EmbeddedPostgres
) -> None:
    owner = await make_org()
    made = await created(owner, source)
    wiring, member = app.state.wiring, (await owner.get("/api/v1/me")).json()["user"]["id"]
    principal = Principal(member, owner.org_id, owner.slug, Role.OWNER, frozenset())
    away = Change(config=source | {"port": 1}, secrets={"password": "of my own"})
    admin = await asyncpg.connect(database.url("etlfabric"))
    async with org_session(wiring.sessions, owner.org_id) as session:
        await connections.change(
            session, principal, made["id"], away, box=wiring.box, allowed=wiring.allowed
        )
        renaming = asyncio.create_task(
            owner.patch(f"{PATH}/{made['id']}", json={"name": "Renamed"})
        )
        await until_waiting(admin, 1)
    await admin.close()
    assert (await renaming).status_code == 200
    async with org_session(wiring.sessions, owner.org_id) as session:
        endpoint = await connections.probed_endpoint(
            session, made["id"], box=wiring.box, allowed=wiring.allowed
        )
    assert (endpoint.config["port"], endpoint.secrets) == (1, {"password": "of my own"})
    assert (await owner.get(f"{PATH}/{made['id']}")).json()["name"] == "Renamed"


@pytest.mark.feature("A16")
async def test_a_secret_never_comes_out(
    make_org: MakeOrg, source: dict[str, Any], database: EmbeddedPostgres
) -> None:
    owner = await make_org()
    made = await created(owner, source)
    assert made["secrets"] == {"password": "***"}
    one = f"{PATH}/{made['id']}"
    answers = [
        await owner.get(PATH),
        await owner.get(one),
        await owner.patch(one, json={"name": "Other"}),
        await owner.post(f"{one}/test"),
        await owner.get(f"{one}/tables"),
        await owner.get(f"{one}/tests"),
        await owner.post(PATH, json=body(source)),
        await owner.post(PATH, json=body(source, secrets={"password": [CANARY]})),
        await owner.post(PATH, json=body(source, name="n2", secrets={"unknown": CANARY})),
        await owner.post(f"{PATH}/test", json={"connector": "postgres", "config": source}),
    ]
    for answer in answers:
        assert CANARY not in answer.text
    admin = await asyncpg.connect(database.url("etlfabric"))
    for table in ("connection", "connection_test", "listing", "audit_entry"):
        dump = await admin.fetchval(f'SELECT json_agg(t)::text FROM "{table}" t')
        assert CANARY not in dump
        assert CANARY.encode().hex() not in dump
    await admin.close()


async def test_a_stored_secret_stays_with_its_host(
    make_org: MakeOrg, source: dict[str, Any]
) -> None:
    owner = await make_org()
    made = await created(owner, source)
    one = f"{PATH}/{made['id']}"
    kept = await owner.patch(one, json={"name": "Renamed", "secrets": {"password": "***"}})
    assert kept.status_code == 200
    assert (await owner.post(f"{one}/test")).json()["ok"] is True
    same_server = await owner.patch(one, json={"config": source | {"user": "somebody"}})
    assert same_server.status_code == 200
    moved = source | {"port": 1}
    weaker = source | {"sslmode": "disable"}  # it would cross the network in the clear
    for config in (moved, weaker):
        for secrets in ({}, {"secrets": {"password": "***"}}):
            refused = await owner.patch(one, json={"config": config, **secrets})
            assert refused.status_code == 422
            assert refused.json()["problems"][0]["field"] == "secrets.password"
    given = await owner.patch(one, json={"config": moved, "secrets": {"password": "new one"}})
    assert given.status_code == 200
    assert given.json()["status"] == "untested"
    assert (await owner.get(one)).json()["config"]["port"] == 1


@pytest.mark.parametrize(
    ("change", "secret", "word"),
    [
        ({}, "wrong", "password"),
        ({"database": "nowhere"}, CANARY, "database"),
        ({"port": 1}, CANARY, "port"),
    ],
)
async def test_a_failing_test_names_the_field(
    make_org: MakeOrg, source: dict[str, Any], change: dict[str, Any], secret: str, word: str
) -> None:
    owner = await make_org()
    draft = {
        "connector": "postgres",
        "config": source | change,
        "secrets": {"password": secret},
    }
    tested = await owner.post(f"{PATH}/test", json=draft)
    assert tested.status_code == 200
    answer = tested.json()
    assert answer["ok"] is False
    assert word in answer["message"]
    assert answer["hint"]


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "169.254.169.254", "127.0.0.2", "0.0.0.0", "::1", "::ffff:10.0.0.1"]
)
async def test_hosts_inside_the_installation_are_refused(
    make_org: MakeOrg, source: dict[str, Any], host: str
) -> None:
    owner = await make_org()
    config = source | {"host": host}
    saved = await owner.post(PATH, json=body(config))
    assert saved.status_code == 422
    assert saved.json()["problems"][0]["field"] == "config.host"
    draft = {"connector": "postgres", "config": config}
    assert (await owner.post(f"{PATH}/test", json=draft)).status_code == 422


async def test_an_unknown_host_name_says_so(make_org: MakeOrg, source: dict[str, Any]) -> None:
    owner = await make_org()
    draft = {"connector": "postgres", "config": source | {"host": "no-such-host.invalid"}}
    response = await owner.post(f"{PATH}/test", json=draft)
    assert response.status_code == 422
    assert response.json()["problems"][0]["field"] == "config.host"
    assert "no-such-host.invalid" in response.json()["message"]


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"name": ""}, 422, "name"),
        ({"name": "x" * 121}, 422, "name"),
        ({"slug": "Über"}, 422, "slug"),
        ({"slug": "a" * 41}, 422, "slug"),
        ({"direction": "sideways"}, 422, "direction"),
        ({"managed": True}, 422, "managed"),
        ({"config": {"host": "db.example.com"}}, 422, "config.database"),
        ({"secrets": {"token": "x"}}, 422, "secrets.token"),
    ],
)
async def test_bad_input_names_the_field(
    make_org: MakeOrg, source: dict[str, Any], changes: dict[str, Any], status: int, field: str
) -> None:
    owner = await make_org()
    response = await owner.post(PATH, json=body(source) | changes)
    assert response.status_code == status, response.text
    assert field in [problem["field"] for problem in response.json()["problems"]]


async def test_names_double_and_non_ascii(make_org: MakeOrg, source: dict[str, Any]) -> None:
    owner = await make_org()
    assert (await created(owner, source, name="Größe"))["slug"] == "groe"
    assert (await owner.post(PATH, json=body(source, name="Größe"))).status_code == 409
    both = await asyncio.gather(
        *(owner.post(PATH, json=body(source, name="Twin")) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in both) == [201, 409, 409, 409]
    unknown = await owner.post(PATH, json=body(source, connector="abacus"))
    assert unknown.status_code == 422
    assert "postgres" in unknown.json()["hint"]


async def test_create_delete_create(make_org: MakeOrg, source: dict[str, Any]) -> None:
    owner = await make_org()
    for _ in range(3):
        made = await created(owner, source)
        assert (await owner.delete(f"{PATH}/{made['id']}")).status_code == 204
        assert (await owner.get(f"{PATH}/{made['id']}")).status_code == 404


async def test_a_used_connection_is_not_deleted(
    make_org: MakeOrg, source: dict[str, Any], database: EmbeddedPostgres
) -> None:
    owner = await make_org()
    made = await created(owner, source)
    admin = await asyncpg.connect(database.url("etlfabric"))
    await admin.execute(
        "INSERT INTO node (org_id, workflow_id, kind, name, slug, description, dataset,"
        " source_connection_id, config, retries, version)"
        " SELECT $1, id, 'pipeline', 'Load', 'load_it', '', 'raw', $2, '{}', 1, 1"
        " FROM workflow WHERE org_id = $1",
        owner.org_id,
        made["id"],
    )
    await admin.close()
    refused = await owner.delete(f"{PATH}/{made['id']}")
    assert refused.status_code == 409
    assert refused.json()["problems"][0]["node"] == "load_it"


async def test_the_managed_warehouse_stays(make_org: MakeOrg) -> None:
    owner = await make_org()
    (managed,) = (await owner.get(PATH)).json()["items"]
    assert (managed["slug"], managed["managed"]) == ("warehouse", True)
    one = f"{PATH}/{managed['id']}"
    assert (await owner.patch(one, json={"name": "Mine"})).status_code == 409
    assert (await owner.delete(one)).status_code == 409
    assert (await owner.post(f"{one}/test")).json()["ok"] is True


@pytest.mark.feature("A18")
async def test_another_organization_sees_nothing(two_orgs: TwoOrgs, source: dict[str, Any]) -> None:
    made = await created(two_orgs.b, source)
    a, one, missing = two_orgs.a, f"{PATH}/{made['id']}", f"{PATH}/999999999"
    for method, suffix in (("GET", ""), ("DELETE", ""), ("POST", "/test"), ("GET", "/tables")):
        foreign = await a.request(method, one + suffix)
        nothing = await a.request(method, missing + suffix)
        assert foreign.status_code == nothing.status_code == 404
        assert foreign.text.replace(str(made["id"]), "999999999") == nothing.text
    assert (await a.patch(one, json={"name": "Stolen"})).status_code == 404
    assert made["id"] not in [item["id"] for item in (await a.get(PATH)).json()["items"]]
    assert (await two_orgs.b.get(one)).json()["name"] == "Shop"


async def test_lists_are_paged(make_org: MakeOrg, source: dict[str, Any]) -> None:
    owner = await make_org()
    for number in range(4):
        await created(owner, source, name=f"Shop {number}")
    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await owner.get(PATH, params=params)).json()
        seen += [item["slug"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["warehouse", "shop_0", "shop_1", "shop_2", "shop_3"]
    assert (await owner.get(PATH, params={"cursor": "x; drop"})).status_code == 422
    assert (await owner.get(PATH, params={"limit": 201})).status_code == 422
