"""Backfills through the public routes: planned, created, resumed, and run by a real Airflow."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.airflow_server import AirflowServer
from tests.api.runs_client import DEADLINE, pages
from tests.api.runs_world import Member, World

DAYS = ["2013-03-01T11:00:00Z", "2013-03-02T11:00:00Z", "2013-03-03T11:00:00Z"]


def url(member: Member, tail: str = "") -> str:
    return f"/api/v1/workflows/{member.workflow_id}/backfills{tail}"


async def until(member: Member, id: int, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The backfill, as soon as it is as wanted."""
    async with asyncio.timeout(DEADLINE):
        while True:
            answer = await member.http.get(url(member, f"/{id}"))
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            if fits(found):
                return found
            await asyncio.sleep(0.5)


def states(backfill: dict[str, Any]) -> list[str]:
    return [window["state"] for window in backfill["windows"]]


def over(backfill: dict[str, Any]) -> bool:
    """Airflow notes the end of a backfill some seconds after its last run's."""
    return backfill["completed_at"] is not None and not {"queued", "running"} & {*states(backfill)}


@pytest.mark.feature("X5")
async def test_a_plan_tells_windows_and_parts_and_starts_nothing(world: World) -> None:
    a = world.a
    period = {"from_date": "2012-03-10", "to_date": "2012-03-12"}
    planned = await a.http.post(url(a, "/plan"), json=period)
    assert planned.status_code == 200, planned.text
    # The clocks go forward on the second day: its window is an hour shorter.
    assert planned.json()["windows"] == [
        {"start": "2012-03-10T11:00:00Z", "end": "2012-03-11T10:00:00Z"},
        {"start": "2012-03-11T10:00:00Z", "end": "2012-03-12T10:00:00Z"},
    ]
    parts = {(part["pipeline"], part["resource"]): part for part in planned.json()["parts"]}
    assert set(parts) == {("flights", "flights"), ("exported", "flights")}
    assert parts["flights", "flights"]["takes_part"] is False
    assert "no cursor" in parts["flights", "flights"]["reason"]
    assert [run async for run in pages(a) if (run["logical_date"] or "").startswith("2012")] == []


@pytest.mark.feature("X5")
async def test_what_failed_is_resumed_and_the_rest_stays(
    world: World, airflow: AirflowServer
) -> None:
    a = world.a
    period = {"from_date": "2013-03-01", "to_date": "2013-03-04", "on_failure": "continue"}
    created = await a.http.post(url(a), json=period)
    assert created.status_code == 201, created.text
    id = created.json()["id"]
    assert [window["start"] for window in created.json()["plan"]["windows"]] == DAYS
    ended = await until(a, id, over)
    assert states(ended) == ["failed"] * 3
    assert [window["start"] for window in ended["windows"]] == DAYS
    assert ended["on_failure"] == "continue"

    (airflow.flags / "mended").touch()
    resumed = await a.http.post(url(a, f"/{id}/resume"))
    assert resumed.status_code == 201, resumed.text
    again = await until(a, resumed.json()["id"], over)
    assert states(again) == ["success"] * 3
    assert again["windows"][0]["run_id"] == ended["windows"][0]["run_id"]
    nothing = await a.http.post(url(a, f"/{again['id']}/resume"))
    assert nothing.status_code == 409
    # What ran once is not run again, unless it is asked for.
    assert (await a.http.post(url(a, "/plan"), json=period)).json()["windows"] == []
    body = {**period, "reprocess": "completed"}
    assert len((await a.http.post(url(a, "/plan"), json=body)).json()["windows"]) == 3

    listed = (await a.http.get(url(a))).json()
    assert [backfill["id"] for backfill in listed[:2]] == [again["id"], id]
    assert (await a.http.post(url(a, f"/{id}/cancel"))).status_code == 409
    audit = (await a.http.get("/api/v1/audit", params={"action": "backfill"})).json()["items"]
    assert [entry["new_values"].get("resumed") for entry in audit[:2]] == [id, None]


@pytest.mark.feature("X5")
async def test_what_was_stopped_is_told_apart_and_a_backfill_can_be_cancelled(
    world: World, airflow: AirflowServer
) -> None:
    b = world.b
    period = {"from_date": "2013-04-01", "to_date": "2013-04-30", "on_failure": "stop"}
    created = await b.http.post(url(b), json=period)
    assert created.status_code == 201, created.text
    id = created.json()["id"]
    other = {"from_date": "2013-06-01", "to_date": "2013-06-02"}
    busy = await b.http.post(url(b), json=other)
    assert busy.status_code == 409
    ended = await b.http.post(url(b, f"/{id}/cancel"))
    assert ended.status_code == 200, ended.text
    assert ended.json()["completed_at"]
    shown = await until(b, id, over)
    assert states(shown) == ["failed"] + ["stopped"] * 28
    runs = [run async for run in pages(b) if (run["logical_date"] or "").startswith("2013-04")]
    assert {run["conf"]["on_failure"] for run in runs} == {"stop"}
    assert {run["conf"]["from"] for run in runs} == {"2013-04-01T00:00:00+00:00"}


@pytest.mark.feature("X5")
async def test_a_backfill_stops_at_its_first_failure(world: World) -> None:
    a = world.a
    period = {"from_date": "2013-07-01", "to_date": "2013-07-04", "on_failure": "stop"}
    created = await a.http.post(url(a), json=period)
    assert created.status_code == 201, created.text
    ended = await until(a, created.json()["id"], over)
    assert states(ended) == ["failed", "stopped", "stopped"]
    logs = []
    for window in ended["windows"]:
        path = f"/api/v1/runs/{a.dag_id}/{quote(window['run_id'], safe='')}/tasks/flights/logs"
        logs.append((await a.http.get(path)).text)
    assert "the source is broken" in logs[0]
    for log in logs[1:]:
        assert "not begun" in log
        assert "loading flights" not in log


@pytest.mark.feature("A4")
async def test_backfills_of_another_organization_do_not_exist(world: World) -> None:
    a, b = world.a, world.b
    (newest, *_) = (await b.http.get(url(b))).json() or [None]
    if newest is None:
        body = {"from_date": "2013-05-01", "to_date": "2013-05-02"}
        newest = (await b.http.post(url(b), json=body)).json()
    for tail in (f"/{newest['id']}", f"/{2**31 - 1}"):
        assert (await a.http.get(url(a, tail))).status_code == 404
        for action in ("resume", "cancel"):
            assert (await a.http.post(url(a, f"{tail}/{action}"))).status_code == 404
            assert (await a.http.post(url(b, f"{tail}/{action}"))).status_code == 404
    assert (await a.http.get(url(b))).status_code == 404
    assert (await a.http.post(url(b, "/plan"), json={})).status_code in (404, 422)
    assert (await a.http.get(url(a, f"/{2**31}"))).status_code == 422


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
    for tail in ("", "/plan"):
        answer = await world.a.http.post(url(world.a, tail), json=period)
        assert answer.status_code == 422
        assert answer.json()["problems"][0]["field"] == field
