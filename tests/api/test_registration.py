"""Registration is all or nothing, whatever fails on the way."""

import asyncio

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from api.app import create_app
from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.services import warehouse
from etlfabric_core.settings import Settings
from tests.api.conftest import USER_PASSWORD, MakeOrg

REGISTER = "/api/v1/auth/register"


def person(email: str, organization: str) -> dict[str, str]:
    return {
        "email": email,
        "password": USER_PASSWORD,
        "name": "Someone",
        "organization": organization,
    }


async def test_without_the_warehouse_nothing_is_made(
    settings: Settings, database: EmbeddedPostgres
) -> None:
    away = settings.model_copy(
        update={"warehouse_url": SecretStr("postgresql://x:y@127.0.0.1:9/w")}
    )
    transport = httpx.ASGITransport(app=create_app(away))
    async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as client:
        response = await client.post(REGISTER, json=person("away@example.com", "Away"))
    assert response.status_code == 502
    assert response.json()["error"] == "upstream_unavailable"
    assert await _left(database, "away", "away@example.com") == (0, 0, 0)


async def test_a_late_failure_takes_the_role_away_again(
    app: FastAPI,
    client: httpx.AsyncClient,
    database: EmbeddedPostgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provision = warehouse.provision

    async def then_fail(*arguments: object) -> None:
        await provision(*arguments)  # type: ignore[arg-type]
        raise RuntimeError("after the role was made")

    monkeypatch.setattr(warehouse, "provision", then_fail)
    response = await client.post(REGISTER, json=person("late@example.com", "Lateness"))
    assert response.status_code == 500
    assert await _left(database, "lateness", "late@example.com") == (0, 0, 0)


async def test_another_organization_is_all_or_nothing_too(
    app: FastAPI,
    make_org: MakeOrg,
    database: EmbeddedPostgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner = await make_org()
    provision = warehouse.provision

    async def then_fail(*arguments: object) -> None:
        await provision(*arguments)  # type: ignore[arg-type]
        raise RuntimeError("after the role was made")

    monkeypatch.setattr(warehouse, "provision", then_fail)
    body = {"name": f"Half of {owner.slug}"}
    assert (await owner.post("/api/v1/organizations", json=body)).status_code == 500
    assert await _left(database, f"halfof{owner.slug}", owner.email) == (0, 1, 0)
    monkeypatch.undo()
    made = await asyncio.gather(*(owner.post("/api/v1/organizations", json=body) for _ in range(4)))
    assert sorted(answer.status_code for answer in made) == [201, 409, 409, 409]
    assert await _left(database, f"halfof{owner.slug}", owner.email) == (1, 1, 1)


async def test_twelve_at_once_make_one(
    client: httpx.AsyncClient, database: EmbeddedPostgres
) -> None:
    answers = await asyncio.gather(
        *(
            client.post(REGISTER, json=person(f"race{n}@example.com", "Race Track"))
            for n in range(12)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
    winner = next(n for n, answer in enumerate(answers) if answer.status_code == 201)
    assert await _left(database, "racetrack", f"race{winner}@example.com") == (1, 1, 1)


async def test_different_organizations_register_at_once(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(
            client.post(REGISTER, json=person(f"crowd{n}@example.com", f"Crowd {n}"))
            for n in range(10)
        )
    )
    assert [answer.status_code for answer in answers] == [201] * 10


async def _left(database: EmbeddedPostgres, slug: str, email: str) -> tuple[int, int, int]:
    admin = await asyncpg.connect(database.url("etlfabric"))
    try:
        return (
            await admin.fetchval("SELECT count(*) FROM organization WHERE slug = $1", slug),
            await admin.fetchval('SELECT count(*) FROM "user" WHERE email = $1', email),
            await admin.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = $1", f"org_{slug}"),
        )
    finally:
        await admin.close()
