"""The stream of a run's events, on a real Airflow: whole, resumable, and one look for all."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from cli.stack.ports import free_port
from etlfabric_core.db.scope import org_session
from etlfabric_core.services import run_events
from tests.api.airflow_server import AirflowServer
from tests.api.runs_client import DEADLINE, ended, path, start, task, until
from tests.api.runs_world import Member, World


@asynccontextmanager
async def watched(
    member: Member, run_id: str, last_id: int | None = None
) -> AsyncIterator[list[tuple[str, int | None, Any]]]:
    """The whole stream of a run, read to its end."""
    headers = {} if last_id is None else {"Last-Event-ID": str(last_id)}
    answer = await member.http.get(path(member, run_id, "/events"), headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    yield [message for block in answer.text.split("\n\n") if (message := parsed(block))]


def parsed(block: str) -> tuple[str, int | None, Any] | None:
    fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
    if "event" not in fields:
        return None
    number = fields.get("id")
    return fields["event"], int(number) if number else None, json.loads(fields["data"])


@pytest.mark.feature("D11")
async def test_stream_tells_everything_and_resumes_without_gap_or_double(
    world: World, airflow: AirflowServer
) -> None:
    (airflow.flags / "mended").touch()
    a = world.a
    run_id = await start(a)
    for rows in (1, 2):
        progress = {
            "run": a.run_ref(f"n{rows}", run_id=run_id),
            "stage": "load",
            "rows": {"flights": rows},
        }
        await world.internal.post("/internal/v1/progress", json=progress)
    report = {"run": a.run_ref("flights", run_id=run_id), "outcome": "success"}
    await world.internal.post("/internal/v1/reports", json=report)

    async with watched(a, run_id) as messages:
        kinds = [kind for kind, _, _ in messages]
        assert kinds[-1] == "end"
        assert messages[-1][2]["state"] == "success"
        stored = [(number, data) for _, number, data in messages if number is not None]
        assert [data["node"] for _, data in stored] == ["n1", "n2", "flights"]
        states = [data["state"] for kind, _, data in messages if kind == "state"]
        assert states[-1] == "success"
    for position, (number, _) in enumerate(stored):
        async with watched(a, run_id, number) as resumed:
            left = [n for _, n, _ in resumed if n is not None]
            assert left == [n for n, _ in stored[position + 1 :]]
            assert resumed[-1][0] == "end"
    assert len(world.wiring.run_feeds) == 0


@pytest.mark.feature("D11")
async def test_many_viewers_share_one_poller(world: World, airflow: AirflowServer) -> None:
    (airflow.flags / "mended").touch()
    a = world.a
    run = await world.wiring.orchestrator.trigger(a.dag_id, {"wait": True}, None)
    key = (a.dag_id, run.run_id)

    def opened() -> Any:
        return org_session(world.wiring.sessions, a.org_id)

    looks = 0
    look = run_events.looking(opened, world.wiring.orchestrator, key)

    async def counted() -> run_events.Glance:
        nonlocal looks
        looks += 1
        return await look()

    feeds = run_events.RunFeeds()

    async def watch() -> list[str]:
        async with feeds.follow(key, counted) as feed:
            stream = run_events.stream(feed, opened, key, 0, seconds=DEADLINE)
            return [event.kind async for event in stream]

    began = asyncio.get_running_loop().time()
    viewers = [asyncio.create_task(watch()) for _ in range(10)]
    await until(
        a, run.run_id, lambda d: task(d, "transform.on_time_model_build")["state"] == "running"
    )
    assert len(feeds) == 1
    (airflow.flags / "go").touch()
    seen = await asyncio.gather(*viewers)
    seconds = asyncio.get_running_loop().time() - began
    assert all(kinds[-1] == "end" and "state" in kinds for kinds in seen)
    assert looks <= seconds + 2
    assert len(feeds) == 0


async def test_viewer_who_leaves_a_live_stream_ends_its_poller(
    app: FastAPI, world: World, airflow: AirflowServer
) -> None:
    (airflow.flags / "mended").touch()
    a = world.a
    run = await world.wiring.orchestrator.trigger(a.dag_id, {"wait": True}, None)
    port = free_port()
    config = uvicorn.Config(app, port=port, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    url = f"http://127.0.0.1:{port}{path(a, run.run_id, '/events')}"
    headers = {"Authorization": a.http.headers["Authorization"]}
    async with asyncio.timeout(DEADLINE):
        while not server.started:
            await asyncio.sleep(0.05)
        async with httpx.AsyncClient() as http, http.stream("GET", url, headers=headers) as live:
            # It arrives while the run still goes on.
            first = await anext(line async for line in live.aiter_lines() if line)
            assert first == "event: state"
            assert len(world.wiring.run_feeds) == 1
        while len(world.wiring.run_feeds):
            await asyncio.sleep(0.05)
    server.should_exit = True
    await serving
    (airflow.flags / "go").touch()
    await until(a, run.run_id, ended)


async def test_stream_of_no_run_answers_404(world: World) -> None:
    assert (await world.a.http.get(path(world.a, "ghost", "/events"))).status_code == 404
