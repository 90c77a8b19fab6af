"""Rejected rows are counted and replayed by a run of just their pipeline; the own ones only."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from etlfabric_core.extract_load.plan import LoadPlan
from tests.api.airflow_server import AirflowServer
from tests.api.conftest import MakeMember, TwoOrgs
from tests.api.loaded_pipeline import Loaded
from tests.api.runs_client import DEADLINE, ended, task, until
from tests.api.runs_world import Member, World
from tests.api.test_pipeline_state import API, file_of, loaded
from tests.api.warehouse_world import direct

__all__ = ["loaded"]  # a fixture

BAD = {"columns": {"name": {"type": "integer"}}, "on_bad_row": "quarantine"}
RESOURCES: dict[str, dict[str, Any]] = {
    "people": BAD,
    "whole": {**BAD, "write_disposition": "replace"},
    "history": {**BAD, "write_disposition": "merge", "merge_strategy": "scd2"},
}


def config(**changes: Any) -> dict[str, Any]:
    """No name of the file is an integer, so all rows are put aside; `changes` mend that."""
    resources = [
        {"name": name, "source": "people.csv", **resource, **changes}
        for name, resource in RESOURCES.items()
    ]
    return {"resources": resources}


def path(pipeline_id: int, tail: str = "") -> str:
    return f"{API}/pipelines/{pipeline_id}/rejected{tail}"


@pytest.mark.feature("X6")
async def test_rejected_rows_are_counted_and_loaded_as_configured_now(loaded: Loaded) -> None:
    async def shown() -> dict[str, Any]:
        answer = await loaded.owner.get(path(loaded.pipeline_id))
        assert answer.status_code == 200, answer.text
        return {one["table"]: (one["rows"], one["blocked"]) for one in answer.json()["tables"]}

    await loaded.configure(**config())
    assert await shown() == {}
    await loaded.load(file_of(3))
    scd2 = "scd2 closes every row that a load does not bring, so single rows cannot be loaded"
    assert await shown() == {"people": (3, None), "whole": (3, None), "history": (3, scd2)}

    last = {"functions": [{"name": "replace", "arguments": ["name ", ""]}]}
    await loaded.configure(**config(columns={"name": {"type": "integer", **last}}))
    loaded.replay = ("people", "whole")
    result = await loaded.load(file_of(3))
    assert result.replay
    counts = {one.table: (one.extracted, one.loaded, one.rejected) for one in result.tables}
    assert counts == {"people": (3, 3, 0), "whole": (3, 3, 0)}
    assert await shown() == {"history": (3, scd2)}
    lease = await loaded.ask("leases/acquire", holder="worker")
    assert (await loaded.owner.get(path(loaded.pipeline_id))).json()["is_held"] is True
    refused = await loaded.owner.post(path(loaded.pipeline_id, "/replay"), json={})
    assert refused.status_code == 409
    assert "nothing to replay" in refused.json()["message"]
    await loaded.ask("leases/release", holder="worker", epoch=lease["epoch"])


async def test_what_is_not_published_has_nothing_to_replay(loaded: Loaded) -> None:
    """The plan of a run says what to replay, and a backfill has no plan for that."""
    copy = {"workflow_id": loaded.workflow_id, "name": "Copy", "dataset": "copies"}
    given = (await loaded.owner.get(f"{API}/pipelines/{loaded.pipeline_id}")).json()
    copy |= {"config": given["config"], "source_connection_id": given["source_connection_id"]}
    made = await loaded.owner.post(f"{API}/pipelines", json=copy)
    assert (await loaded.owner.get(path(made.json()["id"]))).json()["published"] is False
    refused = await loaded.owner.post(path(made.json()["id"], "/replay"), json={})
    assert (refused.status_code, refused.json()["hint"]) == (409, "publish it, then run it")

    loaded.replay = ("people",)
    plan = LoadPlan.model_validate((await loaded.ask("run-context"))["plan"])
    assert (plan.replay, plan.window) == (("people",), None)
    days = {"data_interval_start": "2024-01-01T00:00Z", "data_interval_end": "2024-01-02T00:00Z"}
    run = {**loaded.ref(), **days, "run_type": "backfill"}
    answer = await loaded.internal.post("/internal/v1/run-context", json={"run": run})
    assert answer.status_code == 422
    assert "backfill" in answer.json()["message"]


@pytest.mark.feature("X6", "A9")
async def test_viewers_see_and_replay_not_and_others_see_nothing(
    loaded: Loaded, two_orgs: TwoOrgs, make_member: MakeMember
) -> None:
    viewer = await make_member(loaded.owner, "viewer")
    own = path(loaded.pipeline_id)
    assert (await viewer.get(own)).status_code == 200
    assert (await viewer.post(f"{own}/replay", json={})).status_code == 403
    assert (await two_orgs.b.get(own)).status_code == 404
    assert (await two_orgs.b.post(f"{own}/replay", json={})).status_code == 404


@pytest.fixture
async def kept(world: World, airflow: AirflowServer) -> AsyncIterator[Member]:
    """An organization with two rejected rows of its pipeline, and nothing under way."""
    (airflow.flags / "mended").touch()
    a = world.a
    async with direct(world.wiring, a) as session:
        table = f"{a.slug}_raw.flights__rejected"
        await session.execute(f"CREATE TABLE {table} AS SELECT generate_series(1, 2)".encode())
        yield a
        await session.execute(f"DROP TABLE {table}".encode())


def replay_path(member: Member) -> str:
    return path(member.nodes["flights"], "/replay")


async def replayed(member: Member, **body: Any) -> dict[str, Any]:
    """The run of a replay, which may have to wait for a scheduled run."""
    async with asyncio.timeout(DEADLINE):
        while True:
            answer = await member.http.post(replay_path(member), json=body)
            if answer.status_code == 201:
                run: dict[str, Any] = answer.json()
                return run
            assert "a run is loading this pipeline" in answer.json()["message"], answer.text
            await asyncio.sleep(0.5)


@pytest.mark.feature("X6", "A15")
async def test_a_replay_is_a_run_of_the_pipeline_alone_and_audited(kept: Member) -> None:
    run = await replayed(kept, tables=["flights"])
    assert run["conf"] == {"select": ["flights"], "replay": {"flights": ["flights"]}}
    asked = {"action": "replay", "resource_type": "node"}
    newest = (await kept.http.get(f"{API}/audit", params=asked)).json()["items"][0]
    assert newest["resource_id"] == str(kept.nodes["flights"])
    told = {"dag_id": kept.dag_id, "run_id": run["run_id"], "tables": ["flights"]}
    assert newest["new_values"] == told
    await until(kept, run["run_id"], ended)


@pytest.mark.feature("X6")
async def test_it_waits_for_runs_that_load_the_pipeline_and_for_no_others(
    kept: Member, world: World, airflow: AirflowServer
) -> None:
    trigger = world.wiring.orchestrator.trigger
    loading = await trigger(kept.dag_id, {"hold": True}, None)
    refused = await kept.http.post(replay_path(kept), json={})
    assert refused.status_code == 409
    assert "a run is loading this pipeline" in refused.json()["message"]
    (airflow.flags / "go").touch()
    await until(kept, loading.run_id, ended)

    (airflow.flags / "go").unlink()
    done = await trigger(kept.dag_id, {"wait": True}, None)
    model = "transform.on_time_model_build"
    await until(kept, done.run_id, lambda run: task(run, model)["state"] == "running")
    replay = await replayed(kept)
    assert (await world.wiring.orchestrator.run(kept.dag_id, done.run_id)).ended is False
    (airflow.flags / "go").touch()
    for run_id in (done.run_id, replay["run_id"]):
        await until(kept, run_id, ended)


async def test_tables_without_rejected_rows_are_named(kept: Member) -> None:
    answer = await kept.http.post(replay_path(kept), json={"tables": ["absent"]})
    assert answer.status_code == 404
    assert answer.json()["hint"] == "there are some in: flights"
