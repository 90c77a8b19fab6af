"""Backfills through the public routes: planned, created, and run by a real Airflow."""

import asyncio

import pytest

from tests.api.airflow_server import AirflowServer
from tests.api.runs_client import DEADLINE, pages
from tests.api.runs_world import World


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
