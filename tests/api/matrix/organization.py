"""An organization that has one of everything, made over the API, every text of it a canary."""

import json
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
from fastapi import FastAPI

from api.deps import Wiring
from etlfabric_core.services import warehouse
from tests.api.conftest import INTERNAL_TOKEN, USER_PASSWORD
from tests.api.matrix.calls import API
from tests.api.runs_world import Member, published

Answer = dict[str, Any]
QUARANTINE = """CREATE TABLE {table} AS SELECT 'one' AS id, now() AS rejected_at,
'name' AS "column", 'not an integer' AS reason, 'people.csv' AS file, 2::bigint AS line,
'{row}'::jsonb AS row, '1.2' AS _dlt_load_id"""


@dataclass
class Filled:
    """The organization, its ids by noun, and a text that all of its own texts hold."""

    member: Member
    ids: dict[str, Any]
    canary: str

    @property
    def http(self) -> httpx.AsyncClient:
        """Signed in as its owner."""
        return self.member.http


async def fill(app: FastAPI, name: str, admin: asyncpg.Connection) -> Filled:
    """A new organization of that slug, published, with a run, and one of every object.

    Args:
        admin: the warehouse, as a superuser, to make a table there.
    """
    member = await published(app, name)
    made = Filled(member, {"slug": name, "dag": f"{name}.main"}, f"canary of {name}")
    made.ids |= {"workflow": member.workflow_id, "pipeline": member.nodes["flights"]}
    made.ids |= {"model": member.nodes["on_time"], "last": member.nodes["exported"]}
    pipeline = await _get(made, f"/pipelines/{made.ids['pipeline']}")
    made.ids["orders"] = pipeline["source_connection_id"]
    me = await _get(made, "/me")
    made.ids["user"] = me["user"]["id"]
    await _files(made)
    await _graph(made)
    await _change(made)
    await _people(app, made)
    await _table(app.state.wiring, made, admin)
    run = await _post(made, f"/workflows/{made.ids['workflow']}/runs", {})
    made.ids["run"] = run["run_id"]
    days = {"from_date": "2020-01-01", "to_date": "2020-01-02"}
    backfill = await _post(made, f"/workflows/{made.ids['workflow']}/backfills", days)
    made.ids["backfill"] = backfill["id"]
    return made


async def _files(made: Filled) -> None:
    begun = {"filename": f"{made.canary}.csv", "size": 9}
    made.ids["partial_upload"] = (await _post(made, "/uploads/partial", begun))["id"]
    for noun in ("", "spare_"):
        content = f"name\n{made.canary} {noun}\n".encode()
        answer = await made.http.post(
            f"{API}/uploads", files={"file": ("people.csv", content, "text/csv")}
        )
        assert answer.status_code == 201, answer.text
        upload = made.ids[f"{noun}upload"] = answer.json()["id"]
        if not noun:
            for name in ("", "spare_"):
                body = {
                    "name": f"{made.canary} {name}",
                    "slug": f"{name}files",
                    "connector": "csv",
                    "config": {"uploads": [upload]},
                }
                made.ids[f"{name}connection"] = (await _post(made, "/connections", body))["id"]


async def _graph(made: Filled) -> None:
    ids, canary = made.ids, made.canary
    ids["spare_workflow"] = (await _post(made, "/workflows", {"name": canary, "slug": "spare"}))[
        "id"
    ]
    body = {
        "workflow_id": ids["workflow"],
        "name": canary,
        "slug": "one",
        "dataset": "marts",
        "config": {"sql": f"select '{canary}' as name"},
    }
    ids["transformation"] = (await _post(made, "/transformations", body))["id"]
    edge = {"upstream_id": ids["pipeline"], "downstream_id": ids["last"]}
    ids["edge"] = (await _post(made, "/edges", edge))["id"]
    schedule = {"workflow_id": ids["workflow"], "slug": "daily", "cron": "0 5 * * *"}
    ids["schedule"] = (await _post(made, "/schedules", schedule))["id"]


async def _change(made: Filled) -> None:
    """As a load of the published pipeline tells it."""
    change = {"kind": "column_added", "column": made.canary, "new": "text"}
    tables = [{"table": "flights", "changes": [change]}]
    found = {"policy": "hold", "goes_on": False, "tables": tables}
    told = {"run": made.member.run_ref("flights"), "found": found}
    headers = {"Authorization": f"Bearer {INTERNAL_TOKEN}"}
    answer = await made.http.post("/internal/v1/schema-changes", json=told, headers=headers)
    assert answer.status_code == 204, answer.text
    (change,) = (await _get(made, "/schema-changes"))["items"]
    made.ids["schema_change"] = change["id"]


async def _people(app: FastAPI, made: Filled) -> None:
    ids = made.ids
    ids["api_key"] = (
        await _post(made, "/api-keys", {"name": made.canary, "scopes": ["runs:read"]})
    )["id"]
    for noun in ("member", "other_member"):
        email = f"{noun}@{ids['slug']}.example.com"
        token = await invite(made, email, "viewer")
        await join(app, token, made.canary)
        listed = (await _get(made, "/members"))["items"]
        ids[noun] = next(member["id"] for member in listed if member["email"] == email)
    invited = await _post(
        made, "/invitations", {"email": f"x@{ids['slug']}.example.com", "role": "viewer"}
    )
    ids["invitation"] = invited["id"]
    await made.http.post(
        f"{API}/auth/login",
        json={"email": f"{ids['slug']}@example.com", "password": USER_PASSWORD},
    )
    sessions = (await _get(made, "/me/sessions"))["items"]
    ids["session"] = next(session["id"] for session in sessions if not session["current"])


async def invite(made: Filled, email: str, role: str) -> str:
    """The token of a new invitation."""
    invited = await _post(made, "/invitations", {"email": email, "role": role})
    return str(invited["link"]).partition("#token=")[2]


async def join(app: FastAPI, token: str, name: str) -> str:
    """Accepts an invitation with a new account; answers its access token."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as http:
        answer = await http.post(
            f"{API}/auth/invitations/accept",
            json={"token": token, "name": name, "password": USER_PASSWORD},
        )
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["access_token"])


async def _table(wiring: Wiring, made: Filled, admin: asyncpg.Connection) -> None:
    slug = made.ids["slug"]
    schema = await warehouse.ensure_dataset(wiring.warehouse, slug, "raw")
    table = made.ids["table"] = f"people_of_{slug}"
    await admin.execute(f"CREATE TABLE {schema}.{table} AS SELECT '{made.canary}' AS name")
    await admin.execute(f"ALTER TABLE {schema}.{table} OWNER TO org_{slug}")
    rejected = f"{schema}.{table}__rejected"
    await admin.execute(QUARANTINE.format(table=rejected, row=json.dumps({"name": made.canary})))
    await admin.execute(f"ALTER TABLE {rejected} OWNER TO org_{slug}")
    await _report(made, table)


async def _report(made: Filled, table: str) -> None:
    """As a load of the published pipeline that has written the table."""
    counts = {"extracted": 2, "normalized": 1, "loaded": 1, "rejected": 1}
    loaded = {"table": table, "write_disposition": "append", **counts}
    load = {"load_ids": ["1.2"], "tables": [loaded], "seconds": 1}
    told = {"run": made.member.run_ref("flights"), "outcome": "success", "load": load}
    headers = {"Authorization": f"Bearer {INTERNAL_TOKEN}"}
    answer = await made.http.post("/internal/v1/reports", json=told, headers=headers)
    assert answer.status_code == 204, answer.text


async def _get(made: Filled, path: str) -> Answer:
    answer = await made.http.get(f"{API}{path}")
    assert answer.status_code == 200, answer.text
    found: Answer = answer.json()
    return found


async def _post(made: Filled, path: str, body: Any) -> Answer:
    answer = await made.http.post(f"{API}{path}", json=body)
    assert answer.status_code == 201, (path, answer.text)
    found: Answer = answer.json()
    return found
