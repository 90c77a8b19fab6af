"""Errors of the database as answers, with a real database that raises them."""

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.errors import install
from etlfabric_core.db.engine import Sessions


def _raising(sessions: Sessions, state: str) -> FastAPI:
    """An application whose one route fails in PostgreSQL with that SQLSTATE."""
    service = FastAPI()
    install(service)

    @service.get("/fails")
    async def fails() -> None:
        async with sessions.begin() as session:
            raised = f"DO $$ BEGIN RAISE 'canary of the database' USING ERRCODE = '{state}'; END $$"
            await session.execute(text(raised))

    return service


@pytest.mark.parametrize(
    ("state", "status", "error"),
    [
        ("40P01", 503, "transient"),
        ("40001", 503, "transient"),
        ("23505", 409, "conflict"),
        ("42501", 500, "internal_error"),
    ],
)
async def test_what_the_database_says(app: FastAPI, state: str, status: int, error: str) -> None:
    service = _raising(app.state.wiring.sessions, state)
    transport = httpx.ASGITransport(service, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as client:
        answer = await client.get("/fails")
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["hint"]
    assert "canary" not in answer.text
