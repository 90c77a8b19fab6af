"""The platform's own routes: for those who run the installation, and for nobody else."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from anyio import to_thread
from fastapi import FastAPI

from cli.operator import database
from cli.operator import platform as commands
from etlfabric_core import clock
from etlfabric_core.access.permissions import PlatformRole
from etlfabric_core.db.scope import platform_session
from etlfabric_core.errors import Conflict, NotFound
from etlfabric_core.services import platform
from etlfabric_core.settings import Settings
from tests.api.conftest import MakeOrg, OrgClient, TwoOrgs

PATH = "/api/v1/platform"
Grant = Callable[..., Awaitable[None]]


@pytest.fixture
def grant(app: FastAPI) -> Grant:
    """Gives a client's user a platform role, or takes it."""

    async def give(client: OrgClient, role: PlatformRole | None) -> None:
        async with platform_session(app.state.wiring.sessions) as session:
            await platform.grant(session, client.email, role, unverified=True)

    return give


async def listed(client: OrgClient, slug: str) -> dict[str, Any]:
    """An organization in the platform's list, which is read page by page."""
    cursor: str | None = None
    while True:
        params = {"limit": "50"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get(f"{PATH}/organizations", params=params)).json()
        for one in page["items"]:
            if one["slug"] == slug:
                return dict(one)
        cursor = page["next_cursor"]
        assert cursor, f"{slug} is not in the list"


@pytest.mark.feature("A9")
async def test_who_runs_nothing_sees_nothing(two_orgs: TwoOrgs) -> None:
    for method, path, body in (
        ("GET", "/organizations", None),
        ("GET", "/health", None),
        ("PATCH", f"/organizations/{two_orgs.a.org_id}", {"airflow_operators": True}),
        ("PATCH", f"/organizations/{two_orgs.b.org_id}", {"airflow_operators": True}),
    ):
        answer = await two_orgs.a.request(method, PATH + path, json=body)
        assert answer.status_code == 403, f"{method} {path}: {answer.text}"
        assert two_orgs.b.slug not in answer.text


@pytest.mark.feature("A9")
async def test_an_operator_looks_and_an_owner_decides(
    two_orgs: TwoOrgs, make_org: MakeOrg, grant: Grant
) -> None:
    runner = await make_org("runner")
    path = f"{PATH}/organizations/{two_orgs.b.org_id}"
    await grant(runner, PlatformRole.OPERATOR)
    seen = await listed(runner, two_orgs.b.slug)
    assert (seen["members"], seen["airflow_operators"], seen["deleted_at"]) == (1, False, None)
    assert set(seen) == {
        *("id", "slug", "name", "members", "airflow_operators", "created_at", "deleted_at")
    }
    assert (await runner.patch(path, json={"airflow_operators": True})).status_code == 403
    await grant(runner, PlatformRole.OWNER)
    answer = await runner.patch(path, json={"airflow_operators": True})
    assert answer.status_code == 200, answer.text
    assert (await listed(runner, two_orgs.b.slug))["airflow_operators"]
    assert not (await listed(runner, two_orgs.a.slug))["airflow_operators"]
    await grant(runner, None)
    assert (await runner.get(f"{PATH}/organizations")).status_code == 403


async def test_the_organization_reads_of_it_in_its_own_audit_log(
    two_orgs: TwoOrgs, make_org: MakeOrg, grant: Grant
) -> None:
    runner = await make_org("runner")
    await grant(runner, PlatformRole.OWNER)
    path = f"{PATH}/organizations/{two_orgs.b.org_id}"
    for _ in range(2):  # the second changes nothing
        await runner.patch(path, json={"airflow_operators": True})
    audit = {"resource_type": "organization", "action": "update"}
    for client, entries in ((two_orgs.b, 1), (two_orgs.a, 0), (runner, 0)):
        items = (await client.get("/api/v1/audit", params=audit)).json()["items"]
        noted = [one for one in items if "airflow_operators" in (one["new_values"] or {})]
        assert len(noted) == entries


@pytest.mark.parametrize("body", [{}, {"airflow_operators": "maybe"}, {"slug": "mine"}])
async def test_bad_decisions_are_refused(make_org: MakeOrg, grant: Grant, body: Any) -> None:
    runner = await make_org("runner")
    await grant(runner, PlatformRole.OWNER)
    path = f"{PATH}/organizations/{runner.org_id}"
    assert (await runner.patch(path, json=body)).status_code == 422
    unknown = await runner.patch(f"{PATH}/organizations/{2**61}", json={"airflow_operators": True})
    assert unknown.status_code == 404


async def test_health_says_how_code_is_isolated_even_when_airflow_is_away(
    make_org: MakeOrg, grant: Grant
) -> None:
    runner = await make_org("runner")
    await grant(runner, PlatformRole.OPERATOR)
    health = (await runner.get(f"{PATH}/health")).json()
    assert health["sandbox"] in ("landlock", "bubblewrap", "process")
    assert health["sandbox_holes"] == []
    assert health["airflow"] == {}
    assert health["versions"]["dlt"]
    assert health["versions"]["postgresql"]


async def test_the_command_makes_the_first_owner(
    make_org: MakeOrg,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    service_connection: asyncpg.Connection,
    capsys: pytest.CaptureFixture[str],
) -> None:
    runner = await make_org("runner")
    monkeypatch.setattr(database, "read_settings", lambda: settings)
    with pytest.raises(Conflict, match="not confirmed"):
        await in_thread(commands.grant, runner.email, PlatformRole.OWNER)
    assert (await runner.get(f"{PATH}/organizations")).status_code == 403
    await in_thread(commands.grant, runner.email.upper(), PlatformRole.OWNER, True)
    said = capsys.readouterr().out
    assert f"{runner.email} ('Owner', registered {clock.now():%Y-}" in said
    assert (await runner.get(f"{PATH}/organizations")).status_code == 200
    await in_thread(commands.revoke, runner.email)
    assert (await runner.get(f"{PATH}/organizations")).status_code == 403
    await service_connection.execute("SET app.platform = 'on'")
    await service_connection.execute(
        'UPDATE "user" SET email_verified_at = now() WHERE email = $1', runner.email
    )
    await in_thread(commands.grant, runner.email, PlatformRole.OWNER)
    assert (await runner.get(f"{PATH}/organizations")).status_code == 200
    actors = await service_connection.fetch(
        "SELECT user_id FROM audit_entry WHERE org_id IS NULL AND new_values ? 'platform_role' "
        'AND resource_id = (SELECT id::text FROM "user" WHERE email = $1)',
        runner.email,
    )
    assert [row["user_id"] for row in actors] == [None] * 3  # the shell, not who was chosen
    with pytest.raises(NotFound, match="nobody is registered"):
        await in_thread(commands.grant, "nobody@example.com", PlatformRole.OWNER)


async def in_thread(command: Callable[..., None], *arguments: Any) -> None:
    """A command runs a loop of its own."""
    await to_thread.run_sync(command, *arguments)
