"""The audit log: one entry per change, in the change's own transaction, without secrets."""

import csv
import io
import json
import threading
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.access.throttle import Rule
from etlfabric_core.connectors import CONNECTORS, google, google_sheets
from etlfabric_core.connectors.record import Connector
from etlfabric_core.db.scope import org_select, org_session
from etlfabric_core.models import AuditEntry, Workflow
from etlfabric_core.services import audit_check
from etlfabric_core.settings import Settings
from tests.api.conftest import MakeOrg, OrgClient
from tests.api.other_service import other_service

PATH = "/api/v1/connections"
AUDIT = "/api/v1/audit"
SERVER = {"host": "127.0.0.1", "port": 1, "database": "d", "user": "u"}
WEB = "http://127.0.0.1:1"
CONFIGS: dict[str, dict[str, Any]] = {
    "postgres": SERVER,
    "mysql": SERVER,
    "mssql": SERVER,
    "clickhouse": SERVER,
    "redshift": SERVER,
    "snowflake": {"account": "org-acct", "user": "u", "database": "d", "warehouse": "w"},
    "bigquery": {"project": "a-project", "dataset": "d"},
    "google_sheets": {"spreadsheet": "a" * 44},
    "spark": {"host": "127.0.0.1", "port": 1},
    "s3": {"bucket": "a-bucket", "endpoint_url": WEB},
    "rest": {"base_url": WEB},
    "github": {"owner": "o", "repository": "r", "base_url": WEB},
    "stripe": {"base_url": WEB},
}
MANY = 100_000


async def entries(app: FastAPI, owner: OrgClient) -> list[AuditEntry]:
    async with org_session(app.state.wiring.sessions, owner.org_id) as session:
        return list(await session.scalars(org_select(AuditEntry).order_by(AuditEntry.id)))


async def test_every_change_is_noted(app: FastAPI, make_org: MakeOrg) -> None:
    owner = await make_org()
    config = {"host": "127.0.0.1", "port": 1, "database": "d", "user": "u"}
    body = {
        "name": "Db",
        "connector": "postgres",
        "config": config,
        "secrets": {"password": "canary"},
    }
    made = (await owner.post(PATH, json=body)).json()
    change = {"name": "Other", "secrets": {"password": "canary-two"}}
    await owner.patch(f"{PATH}/{made['id']}", json=change)
    await owner.delete(f"{PATH}/{made['id']}")
    found = await entries(app, owner)
    seen = [(entry.action, entry.resource_type) for entry in found]
    assert seen == [
        ("create", "organization"),
        ("login", "user"),
        ("create", "connection"),
        ("update", "connection"),
        ("delete", "connection"),
    ]
    created, updated = found[2], found[3]
    assert (created.resource_id, created.address) == (str(made["id"]), "127.0.0.1")
    assert created.new_values is not None
    assert created.new_values["secrets"] == ["password"]
    assert updated.old_values is not None
    assert updated.old_values["name"] == "Db"
    text = str([(entry.old_values, entry.new_values) for entry in found])
    assert "canary" not in text


async def test_a_change_that_fails_leaves_no_entry(app: FastAPI, make_org: MakeOrg) -> None:
    owner = await make_org()
    before = len(await entries(app, owner))
    body = {"name": "x", "connector": "csv", "config": {"uploads": [987654]}}
    assert (await owner.post(PATH, json=body)).status_code == 404
    assert len(await entries(app, owner)) == before


@pytest.mark.feature("A17")
async def test_a_deleted_row_stays_but_is_not_found(
    app: FastAPI, make_org: MakeOrg, database: EmbeddedPostgres
) -> None:
    owner = await make_org()
    config: dict[str, Any] = {"host": "127.0.0.1", "database": "d", "user": "u"}
    body = {"name": "Db", "connector": "postgres", "config": config}
    made = (await owner.post(PATH, json=body)).json()
    await owner.delete(f"{PATH}/{made['id']}")
    admin = await asyncpg.connect(database.url("etlfabric"))
    row = await admin.fetchrow("SELECT deleted_at FROM connection WHERE id = $1", made["id"])
    await admin.close()
    assert row["deleted_at"] is not None


async def test_an_exception_rolls_the_transaction_back(app: FastAPI, make_org: MakeOrg) -> None:
    owner = await make_org()

    async def fails() -> None:
        async with org_session(app.state.wiring.sessions, owner.org_id) as session:
            session.add(Workflow(org_id=owner.org_id, name="Half", slug="half"))
            await session.flush()
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        await fails()
    async with org_session(app.state.wiring.sessions, owner.org_id) as session:
        slugs = [row.slug for row in await session.scalars(org_select(Workflow))]
    assert slugs == ["main"]


async def test_the_setting_ends_with_its_transaction(app: FastAPI, make_org: MakeOrg) -> None:
    owner = await make_org()
    sessions = app.state.wiring.sessions
    async with org_session(sessions, owner.org_id) as session:
        assert list(await session.scalars(org_select(Workflow)))
    async with sessions.begin() as session:
        assert list(await session.scalars(org_select(Workflow))) == []


@pytest.mark.feature("A15", "A16")
@pytest.mark.parametrize("connector", [c for c in CONNECTORS.values() if c.secrets.model_fields])
async def test_no_secret_of_any_connector_is_noted(
    make_org: MakeOrg, connector: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_sheets, "API", "https://127.0.0.1:1")  # names cannot be looked up
    monkeypatch.setattr(google, "TOKEN_URI", "https://127.0.0.1:1")
    owner, fields = await make_org(), connector.secrets.model_fields
    secrets = {name: f"canary-{name}-5581" for name in fields}
    config = CONFIGS[connector.name]
    body = {"name": "Db", "connector": connector.name, "config": config, "secrets": secrets}
    made = (await owner.post(PATH, json=body)).json()
    changed = {name: f"{value}-new" for name, value in secrets.items()}
    answer = await owner.patch(f"{PATH}/{made['id']}", json={"secrets": changed})
    assert answer.status_code == 200, answer.text
    await owner.delete(f"{PATH}/{made['id']}")
    for path in (AUDIT, f"{AUDIT}.csv"):
        text = (await owner.get(path)).text
        assert "canary" not in text
        assert all(name in text for name in fields), "which secrets were set is told"


@pytest.mark.feature("A15")
async def test_who_did_what_from_where(make_org: MakeOrg, make_member: Any) -> None:
    owner = await make_org()
    editor = await make_member(owner, "editor")
    headers = {"X-Request-ID": "the-request-0042"}
    body = {"name": "Mine", "connector": "postgres", "config": CONFIGS["postgres"]}
    made = (await editor.post(PATH, json=body, headers=headers)).json()
    new_key = {"name": "=cmd", "scopes": ["connections:read", "connections:write"]}
    key = (await owner.post("/api/v1/api-keys", json=new_key)).json()
    by_key = {"Authorization": f"Bearer {key['key']}"}
    await owner.patch(f"{PATH}/{made['id']}", json={"name": "Ours"}, headers=by_key)
    members = (await owner.get("/api/v1/members")).json()["items"]
    left = next(one["id"] for one in members if one["role"] == "editor")
    assert (await owner.delete(f"/api/v1/members/{left}")).status_code == 204

    wanted = {"resource_type": "connection", "resource_id": str(made["id"])}
    update, create = (await owner.get(AUDIT, params=wanted)).json()["items"]
    # Who has left keeps the name.
    assert create["user"]["email"] == editor.email
    assert (create["user"]["name"], create["api_key"]) == ("Member", None)
    assert (create["address"], create["request_id"]) == ("127.0.0.1", "the-request-0042")
    assert update["api_key"] == {"id": key["id"], "name": "=cmd"}
    assert update["user"]["email"] == owner.email
    assert update["old_values"] == {**update["new_values"], "name": "Mine"}
    assert update["new_values"]["name"] == "Ours"

    rows = list(csv.DictReader(io.StringIO((await owner.get(f"{AUDIT}.csv")).text)))
    (updated,) = (row for row in rows if row["resource_type"] == "connection" and row["api_key"])
    assert updated["api_key"] == "'=cmd"
    assert json.loads(updated["new_values"])["name"] == "Ours"
    assert [int(row["number"]) for row in rows] == list(range(len(rows), 0, -1))


@pytest.mark.feature("A15")
async def test_filters_and_pages(make_org: MakeOrg) -> None:
    owner = await make_org()
    for number in range(5):
        await owner.post("/api/v1/workflows", json={"name": f"Flow {number}"})
    everything = (await owner.get(AUDIT)).json()["items"]
    assert [entry["number"] for entry in everything] == list(range(7, 0, -1))
    middle = everything[3]

    async def found(**params: Any) -> list[int]:
        answer = await owner.get(AUDIT, params=params)
        assert answer.status_code == 200, answer.text
        return [entry["number"] for entry in answer.json()["items"]]

    assert await found(action="login") == [2]
    assert await found(resource_type="workflow") == [7, 6, 5, 4, 3]
    assert await found(resource_type="workflow", resource_id=middle["resource_id"]) == [4]
    assert await found(user_id=middle["user"]["id"], action="create") == [7, 6, 5, 4, 3, 1]
    assert await found(user_id=2**40) == []
    assert await found(since=middle["created_at"]) == [7, 6, 5, 4]
    assert await found(until=middle["created_at"]) == [3, 2, 1]
    for bad in ({"user_id": "x"}, {"since": "yesterday"}, {"since": "2026-01-01T00:00:00"}):
        assert (await owner.get(AUDIT, params=bad)).status_code == 422

    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await owner.get(AUDIT, params=params)).json()
        seen += [entry["number"] for entry in page["items"]]
        # What is written meanwhile neither repeats nor hides an entry.
        await owner.post("/api/v1/workflows", json={"name": f"Late {len(seen)}"})
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == list(range(7, 0, -1))


@pytest.mark.feature("A15", "A9")
async def test_owners_and_admins_read_it_and_nobody_else(
    make_org: MakeOrg, make_member: Any, client: httpx.AsyncClient
) -> None:
    owner, stranger = await make_org(), await make_org()
    await stranger.post("/api/v1/workflows", json={"name": "Strangers only"})
    expected = {"admin": 200, "editor": 403, "viewer": 403}
    people = {role: await make_member(owner, role) for role in expected}
    for path in (AUDIT, f"{AUDIT}.csv", f"{AUDIT}/verify"):
        assert (await client.get(path)).status_code == 401
        for role, status in expected.items():
            assert (await people[role].get(path)).status_code == status, (role, path)
        answer = await owner.get(path)
        assert answer.status_code == 200
        assert "Strangers only" not in answer.text
    report = (await owner.get(f"{AUDIT}/verify")).json()
    assert (report["intact"], report["problem"]) == (True, None)
    assert report["head"].startswith(f"{report['entries']}:")


async def test_checking_the_chain_is_limited_and_holds_nobody_up(
    make_org: MakeOrg, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = await make_org(), await make_org()
    threads = set()
    step = audit_check.Walk.step

    def seen(self: audit_check.Walk, row: audit_check.Row) -> None:
        threads.add(threading.get_ident())
        step(self, row)

    monkeypatch.setattr(audit_check.Walk, "step", seen)
    limits = dict.fromkeys(Rule, "1000000/minute") | {Rule.AUDIT_CHECK: "2/month"}
    async with other_service(settings, rate_limits=limits) as service, service.client() as client:

        async def check(owner: OrgClient) -> int:
            bearer = {"Authorization": owner.headers["Authorization"]}
            return (await client.get(f"{AUDIT}/verify", headers=bearer)).status_code

        assert [await check(a) for _ in range(3)] == [200, 200, 429]
        assert await check(b) == 200
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.feature("A15")
async def test_the_service_can_add_to_the_log_and_nothing_else(
    make_org: MakeOrg, service_connection: asyncpg.Connection
) -> None:
    owner = await make_org()
    await service_connection.execute(f"SET app.org_id = '{owner.org_id}'")
    assert await service_connection.fetchval("SELECT count(*) FROM audit_entry")
    for statement in (
        "UPDATE audit_entry SET action = 'x'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "TRUNCATE organization CASCADE",
        "DELETE FROM audit_head",
        "TRUNCATE audit_head",
        "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
        "ALTER TABLE audit_entry DISABLE ROW LEVEL SECURITY",
        "DROP TABLE audit_entry",
        "SELECT setval('audit_entry_id_seq', 1)",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service_connection.execute(statement)


@pytest.mark.feature("A15")
async def test_a_long_log_answers_from_its_indexes(
    app: FastAPI, make_org: MakeOrg, database: EmbeddedPostgres
) -> None:
    owner = await make_org()
    admin = await asyncpg.connect(database.url("etlfabric"))
    await admin.execute(
        "INSERT INTO audit_entry (org_id, user_id, action, resource_type, resource_id, new_values)"
        " SELECT $1, n % 7 + 1, 'update', 'node', n % 1000, '{}' FROM generate_series(1, $2) n",
        owner.org_id,
        MANY,
    )
    await admin.execute("ANALYZE audit_entry")
    for where in ("", "action = 'login'", "resource_type = 'node' AND resource_id = '7'"):
        condition = f"AND {where}" if where else ""
        plan = await admin.fetch(
            f"EXPLAIN SELECT * FROM audit_entry WHERE org_id = {owner.org_id} {condition} "
            "ORDER BY id DESC LIMIT 51"
        )
        text = "\n".join(line[0] for line in plan)
        assert "Index Scan" in text, text
        assert "Sort" not in text, text
    await admin.execute(
        "DELETE FROM audit_entry WHERE number IS NULL AND org_id = $1", owner.org_id
    )
    await admin.close()
