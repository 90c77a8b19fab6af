"""The audit log: one entry per change, in the change's own transaction, without secrets."""

from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.db.scope import org_select, org_session
from etlfabric_core.models import AuditEntry, Workflow
from tests.api.conftest import MakeOrg, OrgClient

PATH = "/api/v1/connections"


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
