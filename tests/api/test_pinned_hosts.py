"""What a user's connection reaches: from every place where the service or a task connects.

The name service of these tests answers differently from question to question; listeners on
addresses that nobody opened count who comes.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from etlfabric_core.access import network
from etlfabric_core.access.network import AllowList
from etlfabric_core.errors import FabricError
from etlfabric_core.extract_load.plan import LoadPlan
from tests.api.conftest import MakeOrg, OrgClient
from tests.api.runs_world import World
from tests.core.outbound_targets import TARGETS
from tests.loading import run

PATH = "/api/v1/connections"
OPENED, CLOSED = "127.0.0.1", "127.0.0.2"  # by the settings of the service under test


@dataclass
class Names:
    """A name service: what each name stands for, one answer after the other; the last stays."""

    answers: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, host: str) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        left = self.answers[host]
        return [(None, None, None, "", (left.pop(0) if len(left) > 1 else left[0], 0))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    made = Names()
    monkeypatch.setattr(network, "_getaddrinfo", made)
    return made


@dataclass
class Canary:
    """Listens where nobody may come."""

    port: int = 0
    hits: int = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        writer.close()


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    made = Canary()
    async with AsyncExitStack() as stack:
        for address in (CLOSED, "::1"):
            server = await asyncio.start_server(made, address, made.port)
            await stack.enter_async_context(server)
            made.port = server.sockets[0].getsockname()[1]
        # The opened address refuses at this port: nobody else can begin to listen there.
        taken = stack.enter_context(socket.socket())
        taken.bind((OPENED, made.port))
        yield made


@pytest.fixture
def nothing_opened(app: FastAPI) -> Iterator[None]:
    """The service as an operator runs it who opened no private host."""
    opened = app.state.wiring
    app.state.wiring = replace(opened, allowed=AllowList.parse(""))
    yield
    app.state.wiring = opened


def draft(host: str, port: int) -> dict[str, Any]:
    config = {"host": host, "port": port, "database": "warehouse", "user": "x"}
    return {"connector": "postgres", "config": config}


@pytest.mark.feature("A20", "B7")
async def test_no_target_is_saved_or_tested(
    nothing_opened: None, make_org: MakeOrg, canary: Canary
) -> None:
    owner, wrong = await make_org(), []
    for target in TARGETS:
        given = draft(target, canary.port)
        for path, sent in ((PATH, given | {"name": "Shop"}), (f"{PATH}/test", given)):
            answer = await owner.post(path, json=sent)
            if answer.status_code not in (422, 503):
                wrong.append((target, path, answer.status_code, answer.text[:100]))
    assert not wrong, "\n".join(map(str, wrong))
    assert (await owner.get(PATH)).json()["items"][1:] == []
    assert canary.hits == 0


async def saved(owner: OrgClient, names: Names, canary: Canary) -> dict[str, Any]:
    """A connection whose name was honest when it was saved."""
    names.answers["rebinding.example"] = [OPENED, CLOSED]
    answer = await owner.post(PATH, json=draft("rebinding.example", canary.port) | {"name": "Shop"})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.mark.feature("A20", "B7")
async def test_a_name_that_moves_inside_after_it_was_saved(
    make_org: MakeOrg, names: Names, canary: Canary
) -> None:
    owner = await make_org()
    one = f"{PATH}/{(await saved(owner, names, canary))['id']}"
    changed = {"config": draft("rebinding.example", canary.port)["config"]}
    for answer in (
        await owner.post(f"{one}/test"),
        await owner.get(f"{one}/tables"),
        await owner.post(f"{one}/preview", json={"table": "orders"}),
        await owner.post(f"{one}/profile", json={"table": "orders"}),
        await owner.patch(one, json=changed),
    ):
        assert answer.status_code == 422, answer.text
        assert "not a public address" in answer.text
    assert canary.hits == 0


@pytest.mark.feature("A20", "B7")
@pytest.mark.parametrize(
    "ask", ["unsaved", "test", "schemas", "tables", "columns", "preview", "profile"]
)
async def test_a_name_that_moves_between_check_and_use(
    make_org: MakeOrg, names: Names, canary: Canary, ask: str
) -> None:
    """The name is asked for once; what it stood for then is what is connected to."""
    owner = await make_org()
    questions: dict[str, Callable[[str], Any]] = {
        "unsaved": lambda _: owner.post(
            f"{PATH}/test", json=draft("rebinding.example", canary.port)
        ),
        "test": lambda one: owner.post(f"{one}/test"),
        "schemas": lambda one: owner.get(f"{one}/schemas"),
        "tables": lambda one: owner.get(f"{one}/tables"),
        "columns": lambda one: owner.get(f"{one}/columns", params={"table": "orders"}),
        "preview": lambda one: owner.post(f"{one}/preview", json={"table": "orders"}),
        "profile": lambda one: owner.post(f"{one}/profile", json={"table": "orders"}),
    }
    one = f"{PATH}/{(await saved(owner, names, canary))['id']}"
    names.answers["rebinding.example"] = [OPENED, CLOSED]
    names.asked.clear()
    answer = await questions[ask](one)
    assert "nothing listens" in answer.text  # at 127.0.0.1, where it went
    assert names.asked == ["rebinding.example"]
    assert canary.hits == 0


async def test_a_change_of_the_host_is_checked(
    make_org: MakeOrg, names: Names, canary: Canary
) -> None:
    owner = await make_org()
    one = f"{PATH}/{(await saved(owner, names, canary))['id']}"
    names.answers["inside.example"] = [CLOSED]
    moved = draft("inside.example", canary.port)["config"]
    assert (await owner.patch(one, json={"config": moved})).status_code == 422


def context(world: World) -> Any:
    body = {"run": world.a.run_ref("flights")}
    return world.internal.post("/internal/v1/run-context", json=body)


@pytest.mark.feature("A20")
async def test_a_task_gets_checked_addresses(runs_world: World, names: Names) -> None:
    honest: httpx.Response = await _asked(runs_world, names, OPENED)
    assert honest.status_code == 200, honest.text
    assert honest.json()["plan"]["source"]["addresses"] == [OPENED]
    assert honest.json()["plan"]["destination"]["addresses"] == [OPENED]
    moved = await _asked(runs_world, names, CLOSED)
    assert moved.status_code == 422
    assert "not a public address" in moved.text


async def _asked(world: World, names: Names, address: str) -> httpx.Response:
    """The managed warehouse's own host is the operator's word, whatever it stands for."""
    names.answers = {OPENED: [address], "localhost": [address]}
    answer: httpx.Response = await context(world)
    return answer


@pytest.mark.feature("A20")
async def test_a_task_connects_to_them_and_asks_nobody(
    runs_world: World,
    canary: Canary,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both sides of a real load, with a name that nobody knows."""
    plan = LoadPlan.model_validate((await context(runs_world)).json()["plan"])
    unknown = {"host": "moved.invalid", "port": canary.port}
    for addresses, words in ((("127.0.0.9",), "nothing listens"), ((), "not looked up")):
        side = plan.destination.model_copy(
            update={"config": plan.destination.config | unknown, "addresses": addresses}
        )
        moved = plan.model_copy(update={"source": side, "destination": side})
        with pytest.raises(FabricError, match=words):
            await asyncio.to_thread(run, moved, tmp_path, {})
    assert canary.hits == 0
