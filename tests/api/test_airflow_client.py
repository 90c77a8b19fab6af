"""The client of Airflow's REST API, on a real Airflow."""

import asyncio
from datetime import UTC, datetime

import pytest

from etlfabric_core.errors import Conflict, InvalidConfig, NotFound, UpstreamUnavailable
from etlfabric_core.orchestrator.client import AirflowClient
from etlfabric_core.orchestrator.port import BackfillRequest, RunsQuery
from tests.api.airflow_server import BROKEN, USER, AirflowServer
from tests.api.runs_world import ORGANIZATIONS

DAG_ID = f"{ORGANIZATIONS[0]}.main"


async def test_dag_tells_its_version(orchestrator: AirflowClient) -> None:
    dag = await orchestrator.dag(DAG_ID)
    assert dag.bundle_version == "1000000"
    assert not dag.is_stale
    assert not dag.is_paused


@pytest.mark.parametrize("dag_id", ["nobody.main", "..", "a/b", ""])
async def test_unknown_dag_does_not_exist(orchestrator: AirflowClient, dag_id: str) -> None:
    with pytest.raises(NotFound):
        await orchestrator.dag(dag_id)


async def test_expired_token_is_renewed(airflow: AirflowServer) -> None:
    client = AirflowClient(airflow.url, USER, airflow.password)
    client._transport._token = "expired"
    dags = await asyncio.gather(*(client.dag(DAG_ID) for _ in range(5)))
    assert {dag.dag_id for dag in dags} == {DAG_ID}
    await client.close()


async def test_wrong_account_is_named(airflow: AirflowServer) -> None:
    client = AirflowClient(airflow.url, USER, "wrong")
    with pytest.raises(UpstreamUnavailable, match=f"refuses the account '{USER}'") as raised:
        await client.dag(DAG_ID)
    assert "ETLFABRIC_AIRFLOW" in (raised.value.hint or "")
    assert "wrong" not in str(raised.value)
    await client.close()


async def test_no_dags_have_no_runs(orchestrator: AirflowClient) -> None:
    await orchestrator.trigger(DAG_ID, {}, None)
    assert (await orchestrator.runs((), RunsQuery(limit=10))).total_entries == 0
    assert (await orchestrator.runs((DAG_ID,), RunsQuery(limit=10))).total_entries >= 1
    # Names count exactly: the beginning of one is another.
    assert (await orchestrator.runs((DAG_ID[:-1],), RunsQuery(limit=10))).total_entries == 0


async def test_pool_is_made_once_and_keeps_its_size(orchestrator: AirflowClient) -> None:
    for slots in (3, 3, 8):
        await orchestrator.ensure_pool("org_pooltest", slots)
    pool = await orchestrator._transport.json("GET", "/pools/org_pooltest")
    assert pool["slots"] == 3


async def test_pause_and_unpause(orchestrator: AirflowClient) -> None:
    dag_id = f"{ORGANIZATIONS[1]}.main"
    await orchestrator.set_paused(dag_id, True)
    try:
        assert (await orchestrator.dag(dag_id)).is_paused
    finally:
        await orchestrator.set_paused(dag_id, False)
    assert not (await orchestrator.dag(dag_id)).is_paused


async def test_backfill_that_airflow_refuses(orchestrator: AirflowClient) -> None:
    def request(year: int) -> BackfillRequest:
        return BackfillRequest(
            dag_id=f"{ORGANIZATIONS[1]}.main",
            from_date=datetime(year, 5, 1, tzinfo=UTC),
            to_date=datetime(year, 5, 2, tzinfo=UTC),
        )

    assert len(await orchestrator.plan_backfill(request(2014))) == 1
    with pytest.raises(InvalidConfig):
        await orchestrator.plan_backfill(request(2999))
    await orchestrator.create_backfill(request(2014))
    with pytest.raises(Conflict):
        await orchestrator.create_backfill(request(2015))


async def test_broken_dag_file_is_told(airflow: AirflowServer, orchestrator: AirflowClient) -> None:
    assert await orchestrator.import_problems(f"{DAG_ID}.py") == ()
    (problem,) = await orchestrator.import_problems(BROKEN)
    assert "this file is corrupt" in problem.stack_trace
