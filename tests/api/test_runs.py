"""Runs and backfills through the public routes, on a real Airflow that really runs the tasks."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvicorn

from cli.stack.ports import free_port
from etlfabric_core.db.scope import org_session
from etlfabric_core.errors import TransientError
from etlfabric_core.models import Workflow
from etlfabric_core.orchestrator.client import AirflowClient
from etlfabric_core.services import dag_ids, run_events
from etlfabric_core.services.delivery import delivered, published_now
from tests.api.airflow_server import AirflowServer
from tests.api.runs_world import MODEL, PLANTED, TEST, Member, World

DEADLINE = 90


async def start(member: Member, **body: Any) -> str:
    answer = await member.http.post(f"/api/v1/workflows/{member.workflow_id}/runs", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["dag_id"] == member.dag_id
    return str(answer.json()["run_id"])


def path(member: Member, run_id: str, tail: str = "") -> str:
    return f"/api/v1/runs/{member.dag_id}/{run_id}{tail}"


async def until(
    member: Member, run_id: str, fits: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The run's detail, as soon as it is as wanted."""
    async with asyncio.timeout(DEADLINE):
        while True:
            answer = await member.http.get(path(member, run_id))
            assert answer.status_code == 200, answer.text
            detail: dict[str, Any] = answer.json()
            if fits(detail):
                return detail
            await asyncio.sleep(0.3)


def ended(detail: dict[str, Any]) -> bool:
    return detail["state"] in ("success", "failed")


def task(detail: dict[str, Any], task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = next(t for t in detail["tasks"] if t["task_id"] == task_id)
    return found


@pytest.mark.feature("I1", "I3", "I6")
async def test_failed_run_is_read_retried_and_green(world: World, airflow: AirflowServer) -> None:
    a = world.a
    run_id = await start(a)
    detail = await until(a, run_id, ended)
    assert detail["state"] == "failed"
    assert detail["error"]["node"] == "flights"
    assert "flights" in detail["error"]["message"]
    assert detail["error"]["hint"]
    assert task(detail, "flights")["node"] == "flights"
    assert task(detail, "transform.on_time_model_build")["unique_id"] == MODEL

    log = await a.http.get(path(a, run_id, "/tasks/flights/logs"), params={"try_number": 1})
    assert log.status_code == 200, log.text
    text = "\n".join(line["event"] for line in log.json()["lines"])
    assert f"loading flights of {a.dag_id}" in text
    assert "ValueError: the source is broken" in text
    assert str(airflow.home) not in log.text

    (airflow.flags / "mended").touch()
    retried = await a.http.post(path(a, run_id, "/retry"))
    assert retried.status_code == 200, retried.text
    assert set(retried.json()["tasks"]) == {"flights", "transform.on_time_model_build"}
    detail = await until(a, run_id, ended)
    assert detail["state"] == "success"
    assert detail["error"] is None
    assert task(detail, "flights")["try_number"] == 2
    again = await a.http.post(path(a, run_id, "/retry"))
    assert again.status_code == 409
    cancelled = await a.http.post(path(a, run_id, "/cancel"))
    assert cancelled.status_code == 409


@pytest.mark.feature("I1")
async def test_cancel_ends_a_running_task(world: World, airflow: AirflowServer) -> None:
    (airflow.flags / "mended").touch()
    a = world.a
    run = await world.wiring.orchestrator.trigger(a.dag_id, {"wait": True}, None)
    await until(
        a, run.run_id, lambda d: task(d, "transform.on_time_model_build")["state"] == "running"
    )
    answer = await a.http.post(path(a, run.run_id, "/cancel"))
    assert answer.status_code == 200, answer.text
    detail = await until(a, run.run_id, ended)
    assert detail["state"] == "failed"
    assert detail["note"] == "cancelled"
    assert detail["error"]["message"] == "the run was cancelled"


@pytest.mark.feature("I3")
async def test_detail_shows_what_tasks_reported(world: World) -> None:
    a = world.a
    run_id = await start(a)
    table = {
        "table": "flights",
        "write_disposition": "append",
        "extracted": 3,
        "normalized": 3,
        "loaded": 3,
    }
    load = {"load_ids": ["1"], "tables": [table], "seconds": 1.5}
    lines = [
        {"unique_id": MODEL, "status": "success", "seconds": 0.1},
        {
            "unique_id": TEST,
            "status": "warn",
            "failures": 7,
            "failures_relation": f"{a.slug}_marts.found",
            "seconds": 0.1,
        },
    ]
    for node, said in {
        "flights": {"load": load},
        "on_time": {"transform": {"nodes": lines, "seconds": 0.2}},
    }.items():
        run = a.run_ref(node, run_id=run_id)
        body = {"run": run, "outcome": "success", **said}
        assert (await world.internal.post("/internal/v1/reports", json=body)).status_code == 204
    results = {r["node"]: r for r in (await a.http.get(path(a, run_id))).json()["results"]}
    assert results["flights"]["rows"] == {"flights": 3}
    warned = results["on_time"]["dbt"][1]
    assert (warned["status"], warned["failures"]) == ("warn", 7)
    assert warned["failures_relation"] == f"{a.slug}_marts.found"
    await until(a, run_id, ended)


async def test_partial_run_carries_its_selection(world: World) -> None:
    a = world.a
    run_id = await start(a, select=["on_time", "flights", "flights"])
    detail = (await a.http.get(path(a, run_id))).json()
    assert detail["conf"] == {"select": ["flights", "on_time"]}
    unknown = await a.http.post(
        f"/api/v1/workflows/{a.workflow_id}/runs", json={"select": ["ghost"]}
    )
    assert unknown.status_code == 404
    assert unknown.json()["problems"][0]["node"] == "ghost"
    await until(a, run_id, ended)


async def test_nothing_published_is_a_conflict_with_a_hint(world: World) -> None:
    a = world.a
    async with org_session(world.wiring.sessions, a.org_id) as session:
        draft = Workflow(org_id=a.org_id, name="Draft", slug="draft")
        session.add(draft)
        await session.flush()
    for noun, body in {
        "runs": {},
        "backfills": {"from_date": "2013-03-01", "to_date": "2013-03-02"},
    }.items():
        answer = await a.http.post(f"/api/v1/workflows/{draft.id}/{noun}", json=body)
        assert answer.status_code == 409
        assert "publish" in answer.json()["hint"]


async def test_revision_that_airflow_has_not_taken_over_is_waited_for(
    world: World, orchestrator: AirflowClient
) -> None:
    async with org_session(world.wiring.sessions, world.a.org_id) as session:
        workflow = await dag_ids.owned(session, world.a.slug, world.a.dag_id)
        published = await published_now(session, workflow)
    await delivered(orchestrator, published, seconds=5)
    with pytest.raises(TransientError, match="has not taken over revision 1"):
        await delivered(orchestrator, replace(published, seq=10**12), seconds=0.6)
    nowhere = published.spec.model_copy(update={"dag_id": "runsnorth.nowhere"})
    with pytest.raises(TransientError):
        await delivered(orchestrator, replace(published, spec=nowhere), seconds=0.6)


@pytest.mark.feature("I2")
async def test_list_is_paged_newest_first_and_of_one_organization(world: World) -> None:
    started = {m.slug: [await start(m) for _ in range(3)] for m in (world.a, world.b)}
    for member, other in ((world.a, world.b), (world.b, world.a)):
        found = [run async for run in pages(member, limit=2)]
        ids = [run["run_id"] for run in found]
        assert len(ids) == len(set(ids))
        assert {run["dag_id"] for run in found} == {member.dag_id}
        assert [i for i in ids if i in started[member.slug]] == started[member.slug][::-1]
        assert other.slug not in json.dumps(found)
    filtered = [run async for run in pages(world.a, workflow_id=world.a.workflow_id)]
    assert filtered
    succeeded = [run async for run in pages(world.a, state="success")]
    assert {run["state"] for run in succeeded} <= {"success"}
    foreign = await world.a.http.get("/api/v1/runs", params={"workflow_id": world.b.workflow_id})
    assert foreign.status_code == 404
    for cursor in ("x", "2026-01-01~1", "2026-01-01T00:00:00+00:00~x"):
        wrong = await world.a.http.get("/api/v1/runs", params={"cursor": cursor})
        assert wrong.status_code == 422


async def pages(member: Member, **query: Any) -> AsyncIterator[dict[str, Any]]:
    cursor = None
    while True:
        params = {**query, **({"cursor": cursor} if cursor else {})}
        answer = await member.http.get("/api/v1/runs", params=params)
        assert answer.status_code == 200, answer.text
        for run in answer.json()["items"]:
            yield run
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return


@pytest.mark.feature("A18")
async def test_runs_of_another_organization_do_not_exist(world: World) -> None:
    a, b = world.a, world.b
    run_id = await start(b)
    asked = [
        a.http.get(path(b, run_id)),
        a.http.get(path(b, run_id, "/tasks/flights/logs")),
        a.http.get(path(b, run_id, "/events")),
        a.http.post(path(b, run_id, "/retry")),
        a.http.post(path(b, run_id, "/cancel")),
        a.http.post(f"/api/v1/workflows/{b.workflow_id}/runs", json={}),
        a.http.post(
            f"/api/v1/workflows/{b.workflow_id}/backfills",
            json={"from_date": "2013-03-01", "to_date": "2013-03-02"},
        ),
    ]
    for answer in await asyncio.gather(*asked):
        assert answer.status_code == 404, (answer.url, answer.text)
    # The id of a run is not enough: it counts within its DAG only.
    assert (await a.http.get(path(a, run_id))).status_code == 404
    assert (await until(b, run_id, lambda d: True))["state"] in ("queued", "running", "failed")
    for strange in (f"{run_id}%2FtaskInstances", "x/../../south"):
        answer = await a.http.get(f"/api/v1/runs/{a.dag_id}/{strange}")
        assert answer.status_code == 404, strange


@pytest.mark.feature("A9")
async def test_viewer_reads_runs_and_starts_none(world: World, make_member: Any) -> None:
    a = world.a
    run_id = await start(a)
    owner: Any = a.http
    owner.slug = a.slug
    viewer: httpx.AsyncClient = await make_member(owner, "viewer")
    assert (await viewer.get(path(a, run_id))).status_code == 200
    for tail in ("/retry", "/cancel"):
        assert (await viewer.post(path(a, run_id, tail))).status_code == 403
    for noun in ("runs", "backfills"):
        body = {"from_date": "2013-03-01", "to_date": "2013-03-02"} if noun == "backfills" else {}
        answer = await viewer.post(f"/api/v1/workflows/{a.workflow_id}/{noun}", json=body)
        assert answer.status_code == 403


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
    world: World, airflow: AirflowServer
) -> None:
    (airflow.flags / "mended").touch()
    a = world.a
    run = await world.wiring.orchestrator.trigger(a.dag_id, {"wait": True}, None)
    port = free_port()
    config = uvicorn.Config(a_app(world), port=port, log_level="warning", lifespan="off")
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


@pytest.mark.feature("X5")
async def test_backfill_is_planned_then_created(world: World, airflow: AirflowServer) -> None:
    (airflow.flags / "mended").touch()
    a = world.a
    url = f"/api/v1/workflows/{a.workflow_id}/backfills"
    period = {"from_date": "2013-03-01", "to_date": "2013-03-03"}
    expected = ["2013-03-01T11:00:00Z", "2013-03-02T11:00:00Z"]
    planned = await a.http.post(url, json={**period, "dry_run": True})
    assert planned.status_code == 200, planned.text
    assert (planned.json()["dates"], planned.json()["id"]) == (expected, None)
    created = await a.http.post(url, json=period)
    assert created.status_code == 200, created.text
    assert created.json()["id"]
    assert created.json()["dates"] == expected

    async with asyncio.timeout(DEADLINE):
        while True:
            ran = [r async for r in pages(a) if r["run_type"] == "backfill"]
            if len(ran) == 2 and {r["state"] for r in ran} == {"success"}:
                break
            await asyncio.sleep(0.5)
    assert sorted(r["logical_date"] for r in ran) == expected
    assert all(r["data_interval_start"] < r["data_interval_end"] for r in ran)
    # What ran once is not run again, unless it is asked for.
    assert (await a.http.post(url, json={**period, "dry_run": True})).json()["dates"] == []


@pytest.mark.parametrize(
    ("period", "field"),
    [
        ({"from_date": "2013-03-03", "to_date": "2013-03-01"}, "to_date"),
        ({"from_date": "1900-01-01", "to_date": "2013-03-01"}, "to_date"),
        ({"from_date": "yesterday", "to_date": "2013-03-01"}, "from_date"),
        ({"from_date": "2013-03-01"}, "to_date"),
    ],
)
async def test_wrong_periods_are_refused(world: World, period: dict[str, str], field: str) -> None:
    url = f"/api/v1/workflows/{world.a.workflow_id}/backfills"
    answer = await world.a.http.post(url, json=period)
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["field"] == field


@pytest.mark.feature("A16")
async def test_no_public_answer_holds_a_planted_password(world: World) -> None:
    a = world.a
    run_id = await start(a)
    await world.internal.post("/internal/v1/run-context", json={"run": a.run_ref("flights")})
    await until(a, run_id, ended)
    for url in (
        path(a, run_id),
        path(a, run_id, "/tasks/flights/logs"),
        path(a, run_id, "/events"),
        "/api/v1/runs",
    ):
        answer = await a.http.get(url)
        assert answer.status_code == 200
        assert PLANTED not in answer.text


async def test_airflow_away_is_said_so(world: World) -> None:
    away = AirflowClient("http://127.0.0.1:9", "etlfabric", "x")
    a, app = world.a, a_app(world)
    before = app.state.wiring
    app.state.wiring = replace(before, orchestrator=away)
    try:
        answer = await a.http.get("/api/v1/runs")
    finally:
        app.state.wiring = before
        await away.close()
    assert answer.status_code == 502
    assert "Airflow does not answer" in answer.json()["message"]
    assert answer.json()["hint"]


def a_app(world: World) -> Any:
    transport: Any = world.a.http._transport
    return transport.app
