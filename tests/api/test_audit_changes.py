"""No change without an entry: triggers watch every transaction while each route is used once."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI

from cli.stack.postgres import EmbeddedPostgres
from tests.api.conftest import USER_PASSWORD, MakeOrg, OrgClient, invite
from tests.api.test_workflow_graph import API, main_workflow, pipeline_body, source

# What the service notes for itself, and what it keeps about people's sessions.
NOT_WATCHED = {
    "account_token",
    "alembic_version",
    "audit_entry",
    "audit_head",
    "connection_test",
    "listing",
    "login",
    "partial_upload",
    "pipeline_lease",
    "publication",
    "refresh_token",
    "refusal",
    "run_event",
    "task_result",
}
# Columns that say what happened to a row, not what somebody made of it.
BOOKKEEPING = "{last_used_at,status,status_message,email_verified_at,updated_at}"
CHANGES_NOTHING = {
    ("POST", "/auth/invitations/look"),
    ("POST", "/connections/compare"),
    ("POST", "/connections/test"),
    ("POST", "/connections/{id}/consent"),
    ("POST", "/connections/{id}/draft"),
    ("POST", "/connections/{id}/preview"),
    ("POST", "/connections/{id}/profile"),
    ("POST", "/connections/{id}/test"),  # only how the test went
    ("POST", "/schedules/preview"),
    ("POST", "/transformations/check"),
    ("POST", "/transformations/{id}/preview"),
    ("POST", "/workflows/{id}/backfills/plan"),
    ("POST", "/workflows/{id}/check"),
    ("POST", "/uploads/partial"),  # an upload is there when it is finished
    ("PATCH", "/uploads/partial/{id}"),
    ("DELETE", "/uploads/partial/{id}"),
    ("POST", "/auth/refresh"),
    ("POST", "/auth/switch"),
}
# With a mail server, a provider, an operator, a load or Airflow: in the tests of each of them.
ELSEWHERE = {
    ("PUT", "/connections/{id}/consent"),
    ("DELETE", "/me/identities/{id}"),
    ("DELETE", "/organizations/{id}"),
    ("PATCH", "/platform/organizations/{id}"),
    ("POST", "/auth/email/verify"),
    ("POST", "/auth/saml/consume"),
    ("POST", "/auth/password/forgot"),
    ("POST", "/auth/password/reset"),
    ("POST", "/me/email/verification"),
    ("POST", "/me/identities/{provider}"),
    ("POST", "/pipelines/{id}/rejected/replay"),
    ("POST", "/pipelines/{id}/state/reset"),
    ("POST", "/pipelines/{id}/state/restore"),
    ("POST", "/pipelines/{id}/state/set"),
    ("POST", "/runs/{dag_id}/{run_id}/cancel"),
    ("POST", "/runs/{dag_id}/{run_id}/retry"),
    ("POST", "/schema-changes/{id}/approve"),
    ("POST", "/schema-changes/{id}/reject"),
    ("POST", "/workflows/{id}/backfills"),
    ("POST", "/workflows/{id}/backfills/{backfill_id}/cancel"),
    ("POST", "/workflows/{id}/backfills/{backfill_id}/resume"),
    ("POST", "/workflows/{id}/runs"),
}
WATCH = f"""
CREATE TABLE seen (tx bigint, name text, op text);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF TG_OP <> 'UPDATE'
       OR to_jsonb(OLD) - '{BOOKKEEPING}'::text[] <> to_jsonb(NEW) - '{BOOKKEEPING}'::text[]
    THEN
        INSERT INTO public.seen VALUES (txid_current(), TG_TABLE_NAME, TG_OP);
    END IF;
    RETURN NULL;
END $$;
"""


@pytest.fixture
async def watched(database: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    """The database, which notes every change of a row with its transaction."""
    admin = await asyncpg.connect(database.url("etlfabric"))
    await admin.execute(WATCH)
    found = await admin.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    tables = {row[0] for row in found} - NOT_WATCHED - {"seen"} | {"audit_entry"}
    for table in tables:
        await admin.execute(
            f'CREATE TRIGGER see AFTER INSERT OR UPDATE OR DELETE ON "{table}" '
            "FOR EACH ROW EXECUTE FUNCTION see()"
        )
    yield admin
    await admin.execute("DROP FUNCTION see() CASCADE; DROP TABLE seen")
    await admin.close()


class Driver:
    """Uses routes, each request with an id of its own, and remembers which."""

    def __init__(self) -> None:
        self.used: dict[tuple[str, str], str] = {}

    async def __call__(self, client: OrgClient, method: str, path: str, **given: Any) -> Any:
        """The answer of the route, which must succeed; `id` fills its path."""
        request_id = f"driven-{len(self.used):04}"
        url = path.format(**{key: given.pop(key) for key in ("id", "number") if key in given})
        answer = await client.request(
            method, f"{API}{url}", headers={"X-Request-ID": request_id}, **given
        )
        assert answer.is_success, f"{method} {url}: {answer.text}"
        self.used[method, path] = request_id
        return answer.json() if answer.content else None


@pytest.mark.feature("A15")
async def test_every_change_has_its_entry(
    app: FastAPI, make_org: MakeOrg, watched: asyncpg.Connection
) -> None:
    use, owner = Driver(), await make_org()
    await _graph(use, owner)
    await _people(use, owner, await make_org())
    await _settings(use, owner)
    silent = await watched.fetch(
        "SELECT name, op, count(*) FROM seen WHERE name <> 'audit_entry' AND NOT EXISTS "
        "(SELECT 1 FROM seen noted WHERE noted.tx = seen.tx AND noted.name = 'audit_entry') "
        "GROUP BY name, op"
    )
    assert silent == []
    assert await watched.fetchval("SELECT count(DISTINCT name) FROM seen") > 10
    noted = {row[0] for row in await watched.fetch("SELECT DISTINCT request_id FROM audit_entry")}
    unnoted = [route for route, request_id in use.used.items() if request_id not in noted]
    assert unnoted == []
    paths = app.openapi()["paths"].items()
    changing = {
        (method.upper(), path.removeprefix(API))
        for path, methods in paths
        for method in methods
        if method not in ("get", "head") and path.startswith(API)
    }
    assert changing - CHANGES_NOTHING - ELSEWHERE == set(use.used)


async def _graph(use: Driver, owner: OrgClient) -> None:
    main = await main_workflow(owner)
    spare = await use(owner, "POST", "/workflows", json={"name": "Spare"})
    await use(owner, "PATCH", "/workflows/{id}", id=spare["id"], json={"name": "Other"})
    await use(owner, "DELETE", "/workflows/{id}", id=spare["id"])
    config = {"host": "127.0.0.1", "port": 1, "database": "d", "user": "u"}
    body = {"name": "Db", "connector": "postgres", "config": config}
    made = await use(owner, "POST", "/connections", json=body)
    await use(owner, "PATCH", "/connections/{id}", id=made["id"], json={"name": "Data"})
    await use(owner, "DELETE", "/connections/{id}", id=made["id"])
    upload = await use(owner, "POST", "/uploads", files={"file": ("x.csv", b"a\n1\n")})
    await use(owner, "DELETE", "/uploads/{id}", id=upload["id"])
    partial = f"{API}/uploads/partial"
    announced = (await owner.post(partial, json={"filename": "y.csv", "size": 4})).json()["id"]
    await owner.patch(f"{partial}/{announced}", content=b"a\n1\n")
    await use(owner, "POST", "/uploads/partial/{id}/finish", id=announced, json={})

    files = await source(owner)
    first = await use(owner, "POST", "/pipelines", json=pipeline_body(main, files))
    second = await use(owner, "POST", "/pipelines", json=pipeline_body(main, files, table="others"))
    await use(owner, "PATCH", "/pipelines/{id}", id=first["id"], json={"retries": 2})
    edge = {"upstream_id": first["id"], "downstream_id": second["id"]}
    edge = await use(owner, "POST", "/edges", json=edge)
    await use(owner, "DELETE", "/edges/{id}", id=edge["id"])
    await use(owner, "DELETE", "/pipelines/{id}", id=second["id"])
    body = {"workflow_id": main, "cron": "0 6 * * *"}
    schedule = await use(owner, "POST", "/schedules", json=body)
    await use(owner, "PATCH", "/schedules/{id}", id=schedule["id"], json={"cron": "0 7 * * *"})
    await use(owner, "DELETE", "/schedules/{id}", id=schedule["id"])
    await _models(use, owner, main)


async def _models(use: Driver, owner: OrgClient, main: int) -> None:
    body = {
        "workflow_id": main,
        "kind": "dbt_model",
        "name": "one",
        "dataset": "marts",
        "config": {"sql": "select 1 as a", "materialization": "table"},
    }
    made = await use(owner, "POST", "/transformations", json=body)
    await use(owner, "PATCH", "/transformations/{id}", id=made["id"], json={"name": "uno"})
    await use(owner, "POST", "/workflows/{id}/publish", id=main)
    await use(owner, "DELETE", "/transformations/{id}", id=made["id"])
    restored = "/workflows/{id}/revisions/{number}/restore"
    await use(owner, "POST", restored, id=main, number=1)


async def _people(use: Driver, owner: OrgClient, other: OrgClient) -> None:
    body = {"email": "driven@example.com", "role": "viewer"}
    invited = await use(owner, "POST", "/invitations", json=body)
    await use(owner, "POST", "/invitations/{id}/resend", id=invited["id"])
    await use(owner, "DELETE", "/invitations/{id}", id=invited["id"])
    for email, role in (("driven-a@example.com", "editor"), ("driven-b@example.com", "viewer")):
        body = {"token": await invite(owner, email, role), "name": "M", "password": USER_PASSWORD}
        await use(other, "POST", "/auth/invitations/accept", json=body)
    members = (await owner.get(f"{API}/members")).json()["items"]
    one, two = (member["id"] for member in members if "driven" in member["email"])
    await use(owner, "PATCH", "/members/{id}", id=one, json={"role": "admin"})
    await use(owner, "DELETE", "/members/{id}", id=two)
    login = {"email": "driven-a@example.com", "password": USER_PASSWORD}
    tokens = await use(other, "POST", "/auth/login", json=login)
    await use(other, "POST", "/auth/logout", json={"refresh_token": tokens["refresh_token"]})
    key = {"name": "Key", "scopes": ["runs:read"]}
    key = await use(owner, "POST", "/api-keys", json=key)
    await use(owner, "DELETE", "/api-keys/{id}", id=key["id"])
    body = {"member_id": one, "confirm": owner.slug}
    await use(owner, "POST", "/organization/transfer", json=body)
    await use(owner, "DELETE", "/members/me")


async def _settings(use: Driver, owner: OrgClient) -> None:
    registered = {
        "email": "driven-c@example.com",
        "password": USER_PASSWORD,
        "name": "C",
        "organization": "drivenc",
    }
    tokens = await use(owner, "POST", "/auth/register", json=registered)
    owner.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    await use(owner, "PATCH", "/me", json={"name": "New name"})
    change = {"current": USER_PASSWORD, "new": "another quite long password"}
    await use(owner, "POST", "/me/password", json=change)
    await use(owner, "PATCH", "/organization", json={"description": "Changed"})
    await use(owner, "POST", "/tables/reveal", json={"values": ["enc1:", "plain"]})
    await use(owner, "POST", "/organizations", json={"name": "drivend"})
    await use(owner, "DELETE", "/organization", params={"confirm": "drivenc"})
    deleted = (await owner.get(f"{API}/organizations/deleted")).json()["items"]
    await use(owner, "POST", "/organizations/{id}/restore", id=deleted[0]["id"])
    await use(owner, "DELETE", "/me/sessions")
    (session,) = (await owner.get(f"{API}/me/sessions")).json()["items"]
    await use(owner, "DELETE", "/me/sessions/{id}", id=session["id"])
