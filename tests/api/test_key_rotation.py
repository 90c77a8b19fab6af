"""New encryption keys while two service processes serve: no request fails, the old keys go."""

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from cryptography.fernet import Fernet
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import LargeBinary

from api.app import create_app
from cli.operator import rotation
from cli.stack.ports import free_port
from cli.stack.postgres import FAST_AND_LOOSE, EmbeddedPostgres
from etlfabric_core.crypto import SecretBox, SecretUnreadable
from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import platform_session
from etlfabric_core.errors import Conflict, InvalidConfig, TransientError
from etlfabric_core.key_ring import KeyRing
from etlfabric_core.models import Base
from etlfabric_core.services import key_rotation
from etlfabric_core.settings import Settings
from migrations.bootstrap import bootstrap
from migrations.upgrade import upgrade
from tests.api.conftest import PASSWORDS

API = "/api/v1"
ROTATIONS = int(os.environ.get("ETLFABRIC_ROTATIONS", "3"))
SECRET = "opened-by-every-key-there-ever-was"
HASHES = {"token_hash", "secret_hash", "hash", "signature", "fingerprint"}


@dataclass(frozen=True)
class World:
    """A database of its own, whose secrets no other test seals, and two processes on it."""

    settings: Settings
    apps: tuple[FastAPI, ...]
    admin_url: str

    @property
    def keys_file(self) -> Path:
        assert self.settings.encryption_keys_file
        return self.settings.encryption_keys_file

    @property
    def sessions(self) -> Sessions:
        sessions: Sessions = self.apps[0].state.wiring.sessions
        return sessions

    def client(self, number: int) -> httpx.AsyncClient:
        """Of one of the processes."""
        transport = httpx.ASGITransport(app=self.apps[number], raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://service.test")

    async def rotate(self, settings: Settings | None = None, timeout_s: float = 20) -> None:
        await rotation.rotate(settings or self.settings, self.sessions, timeout_s=timeout_s)

    async def sealed(self) -> list[tuple[bytes, dict[str, Any]]]:
        """Every sealed value in the database, with its place."""
        admin = await asyncpg.connect(self.admin_url)
        found = []
        for one in key_rotation.SEALED:
            table, column = one.field.split(".")
            rows = await admin.fetch(
                f"SELECT {column}, {one.org_id.key} FROM {table} WHERE length({column}) > 0"
            )
            found += [(row[0], {"org_id": row[1], "field": one.field}) for row in rows]
        await admin.close()
        return found


@pytest.fixture(scope="module")
async def world(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("rotation")
    server = EmbeddedPostgres(folder / "data", free_port(), "super", settings=FAST_AND_LOOSE)
    server.start()
    bootstrap(server.url(), PASSWORDS)
    upgrade(server.url("etlfabric", "etlfabric_owner", PASSWORDS["owner"]))
    (folder / "keys").write_text(f"{Fernet.generate_key().decode()}\n")
    service = server.url("etlfabric", "etlfabric_service", PASSWORDS["service"])
    warehouse = server.url("warehouse", "etlfabric_warehouse", PASSWORDS["warehouse"])
    ours = settings.model_copy(
        update={
            "database_url": SecretStr(service),
            "warehouse_url": SecretStr(warehouse),
            "encryption_keys": SecretStr(""),
            "encryption_keys_file": folder / "keys",
        }
    )
    apps = create_app(ours), create_app(ours)
    yield World(ours, apps, server.url("etlfabric"))
    for app in apps:
        await app.state.wiring.sessions.kw["bind"].dispose()
    server.stop()


@pytest.fixture(scope="module")
async def connection(world: World) -> tuple[dict[str, str], str]:
    """An owner's headers, and the path of a connection with a secret."""
    async with world.client(0) as client:
        headers = await _register(client, "rotating")
        config = {"host": "127.0.0.1", "port": 1, "database": "d", "user": "u"}
        body = {"name": "Db", "connector": "postgres", "config": config}
        made = await client.post(
            f"{API}/connections",
            json=body | {"secrets": {"password": SECRET}},
            headers=headers,
        )
        return headers, f"{API}/connections/{made.json()['id']}"


async def _register(client: httpx.AsyncClient, name: str) -> dict[str, str]:
    body = {
        "email": f"{name}@example.com",
        "password": "a long enough password",
        "name": "Owner",
        "organization": name,
    }
    answer = await client.post(f"{API}/auth/register", json=body)
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.mark.feature("A16")
async def test_nobody_notices_and_the_old_keys_go(
    world: World, connection: tuple[dict[str, str], str]
) -> None:
    headers, path = connection
    over, answers = asyncio.Event(), Counter[int]()

    async def traffic(number: int) -> None:
        async with world.client(number % 2) as client:
            while not over.is_set():
                for name in ("reader", "writer"):
                    secrets = {"secrets": {"password": f"{SECRET} {name}"}}
                    for answer in (
                        await client.get(path, headers=headers),
                        await client.patch(path, json=secrets, headers=headers),
                    ):
                        answers[answer.status_code] += 1

    used = [world.keys_file.read_text().split()]
    workers = [asyncio.create_task(traffic(number)) for number in range(2)]
    async with world.client(1) as client:
        for number in range(ROTATIONS):
            # A new organization seals a password, in a transaction that takes its time.
            await asyncio.gather(world.rotate(), _register(client, f"new{number}"))
            used.append(world.keys_file.read_text().split())
    over.set()
    await asyncio.gather(*workers)
    print(f"{ROTATIONS} rotations under {answers.total()} requests: {dict(answers)}")
    assert set(answers) == {200}, answers
    assert answers.total() > 4 * ROTATIONS
    assert [len(keys) for keys in used] == [1] * (ROTATIONS + 1)
    assert len({keys[0] for keys in used}) == ROTATIONS + 1
    old = SecretBox(KeyRing(",".join(keys[0] for keys in used[:-1])))
    new = SecretBox(KeyRing(used[-1][0]))
    sealed = await world.sealed()
    assert len(sealed) == ROTATIONS + 2  # a password for each organization, and the connection
    for value, place in sealed:
        assert new.open(value, **place)
        with pytest.raises(SecretUnreadable):
            old.open(value, **place)


@pytest.mark.feature("A16")
async def test_it_can_be_stopped_anywhere_and_run_again(world: World, connection: Any) -> None:
    chance = random.Random(20)
    for _ in range(8):
        task = asyncio.create_task(world.rotate())
        await asyncio.wait([task], timeout=chance.uniform(0, 0.8))
        task.cancel()
        await asyncio.wait([task])
        box = SecretBox(world.settings.key_ring())
        assert all([box.open(value, **place) for value, place in await world.sealed()])
    await world.rotate()
    assert len(world.keys_file.read_text().split()) == 1
    (key,) = await key_rotation.count(world.sessions, SecretBox(world.settings.key_ring()))
    assert key == world.settings.key_ring().newest().id


async def test_an_open_transaction_keeps_the_old_keys(world: World, connection: Any) -> None:
    async with platform_session(world.sessions) as session:
        await session.connection()
        with pytest.raises(TransientError, match="open for more than"):
            await world.rotate(timeout_s=0.5)
        assert len(world.keys_file.read_text().split()) == 2
    await world.rotate()
    assert len(world.keys_file.read_text().split()) == 1


async def test_a_value_without_a_key_keeps_the_old_keys_and_is_named(
    world: World, connection: tuple[dict[str, str], str]
) -> None:
    id = int(connection[1].rpartition("/")[2])
    admin = await asyncpg.connect(world.admin_url)
    kept = await admin.fetchval("SELECT secrets FROM connection WHERE id = $1", id)
    foreign = SecretBox(KeyRing(Fernet.generate_key().decode()))
    lost = foreign.seal({"password": "x"}, org_id=1, field="connection.secrets")
    await admin.execute("UPDATE connection SET secrets = $1 WHERE id = $2", lost, id)
    with pytest.raises(Conflict, match=rf"connection\.secrets of id {id}$"):
        await world.rotate()
    assert len(world.keys_file.read_text().split()) == 2
    found = await key_rotation.count(world.sessions, SecretBox(world.settings.key_ring()))
    assert found[foreign.keys.newest().id] == 1
    await admin.execute("UPDATE connection SET secrets = $1 WHERE id = $2", kept, id)
    await admin.close()
    await world.rotate()
    async with world.client(1) as client:
        answer = await client.get(connection[1], headers=connection[0])
    assert answer.json()["secrets"] == {"password": "***"}


@pytest.mark.feature("A16")
async def test_the_first_form_and_the_other_cipher_are_sealed_anew(
    world: World, connection: tuple[dict[str, str], str]
) -> None:
    id, key = int(connection[1].rpartition("/")[2]), world.keys_file.read_text().strip()
    admin = await asyncpg.connect(world.admin_url)
    org_id = await admin.fetchval("SELECT org_id FROM connection WHERE id = $1", id)
    payload = json.dumps({"context": org_id, "value": {"password": "of old"}}).encode()
    first_form = b"v1:" + Fernet(key).encrypt(payload)
    await admin.execute("UPDATE connection SET secrets = $1 WHERE id = $2", first_form, id)
    for cipher in ("aes-gcm", "fernet"):
        await world.rotate(world.settings.model_copy(update={"cipher": cipher}))
        box = SecretBox(world.settings.key_ring())
        sealed = await admin.fetchval("SELECT secrets FROM connection WHERE id = $1", id)
        assert sealed.split(b":")[2].decode() == cipher
        place = {"org_id": org_id, "field": "connection.secrets"}
        assert box.open(sealed, **place) == {"password": "of old"}
    await admin.close()


async def test_keys_in_the_environment_are_left_to_the_operator(world: World) -> None:
    keys = world.keys_file.read_text().strip()
    update = {"encryption_keys": SecretStr(keys), "encryption_keys_file": None}
    with pytest.raises(InvalidConfig, match="ETLFABRIC_ENCRYPTION_KEYS") as refused:
        await world.rotate(world.settings.model_copy(update=update))
    assert "keys reseal" in str(refused.value.hint)


def test_every_column_of_bytes_is_sealed_or_a_hash() -> None:
    columns = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary) and column.name not in HASHES
    }
    assert columns == {sealed.field for sealed in key_rotation.SEALED}
