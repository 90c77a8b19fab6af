"""What the operator of an installation does for an account, at a shell."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import httpx
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from cli.main import app as command
from etlfabric_core.settings import Settings
from tests.api.conftest import MakeOrg, OrgClient
from tests.api.other_service import sign_in

NEW = "three green parrots sing"
Run = Callable[..., Awaitable[str]]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command with the service's environment; answers what it prints."""
    for name, value in settings.model_dump(exclude_unset=True).items():
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if isinstance(text, str):
            monkeypatch.setenv(f"ETLFABRIC_{name.upper()}", text)

    async def invoke(*arguments: str, code: int = 0) -> str:
        # In a thread: the command has an event loop of its own.
        result = await asyncio.to_thread(CliRunner().invoke, command, list(arguments))
        assert result.exit_code == code, result.output
        return result.output.strip()

    return invoke


async def actors(connection: asyncpg.Connection, email: str, action: str) -> list[int | None]:
    """Who did it to the account, as the platform's audit log says; None: nobody signed in."""
    await connection.execute("SET app.platform = 'on'")
    rows = await connection.fetch(
        'SELECT e.user_id FROM audit_entry e JOIN "user" u ON u.id::text = e.resource_id '
        "WHERE e.org_id IS NULL AND e.resource_type = 'user' AND u.email = $1 AND e.action = $2",
        email,
        action,
    )
    return [row["user_id"] for row in rows]


async def test_a_way_back_in_without_a_mail_server(
    make_org: MakeOrg,
    client: httpx.AsyncClient,
    run: Run,
    service_connection: asyncpg.Connection,
) -> None:
    known = await make_org()
    link = await run("accounts", "reset-link", known.email)
    assert link.startswith("http://127.0.0.1:8000/reset-password#token=")
    body = {"token": link.partition("#token=")[2], "password": NEW}
    assert (await client.post("/api/v1/auth/password/reset", json=body)).status_code == 204
    assert (await sign_in(client, known.email, NEW)).status_code == 200
    assert (await client.post("/api/v1/auth/password/reset", json=body)).status_code == 404
    assert "nobody is registered" in await run("accounts", "reset-link", "no@example.com", code=1)
    assert await actors(service_connection, known.email, "password_reset_asked") == [None]


@pytest.mark.feature("A4")
async def test_a_disabled_account_is_out_at_once(
    make_org: MakeOrg,
    client: httpx.AsyncClient,
    run: Run,
    service_connection: asyncpg.Connection,
) -> None:
    known: OrgClient = await make_org()
    tokens = (await sign_in(client, known.email)).json()
    body = {"name": "robot", "scopes": ["workflows:read"]}
    key = (await known.post("/api/v1/api-keys", json=body)).json()["key"]
    await run("accounts", "disable", known.email)
    for token in (tokens["access_token"], key):
        headers = {"Authorization": f"Bearer {token}"}
        assert (await client.get("/api/v1/workflows", headers=headers)).status_code == 401
    refresh = {"refresh_token": tokens["refresh_token"]}
    assert (await client.post("/api/v1/auth/refresh", json=refresh)).status_code == 401
    assert (await sign_in(client, known.email)).status_code == 401
    await run("accounts", "disable", known.email, code=1)
    assert await actors(service_connection, known.email, "disable") == [None]
