"""Runs through the public routes, on a real Airflow that really runs the tasks."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from etlfabric_core.db.scope import org_session
from etlfabric_core.errors import TransientError
from etlfabric_core.models import Workflow
from etlfabric_core.orchestrator.client import AirflowClient
from etlfabric_core.services import dag_ids
from etlfabric_core.services.delivery import delivered, published_now
from tests.api.airflow_server import AirflowServer
from tests.api.runs_client import ended, pages, path, start, task, until
from tests.api.runs_world import MODEL, PLANTED, TEST, World


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


async def test_airflow_away_is_said_so(app: FastAPI, world: World) -> None:
    away = AirflowClient("http://127.0.0.1:9", "etlfabric", "x")
    before = app.state.wiring
    app.state.wiring = replace(before, orchestrator=away)
    try:
        answer = await world.a.http.get("/api/v1/runs")
    finally:
        app.state.wiring = before
        await away.close()
    assert answer.status_code == 502
    assert "Airflow does not answer" in answer.json()["message"]
    assert answer.json()["hint"]
