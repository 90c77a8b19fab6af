"""The first task: what a run leaves out is skipped in one step."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped
from etlfabric_airflow.dags import build_dags
from etlfabric_airflow.flow import BeginTask
from sample_project import Manifest, dag_spec, daily, dbt_spec
from task_run import context

from etlfabric_core import clock


@pytest.fixture
def begin(manifest: Manifest, tmp_path: Path) -> BeginTask:
    path = tmp_path / "manifest.json"
    path.write_bytes(manifest.content)
    [dag] = build_dags(dag_spec(dbt=dbt_spec(manifest, "m" * 64)), lambda _: path)
    task: BeginTask = dag.get_task("begin")
    return task


@pytest.mark.feature("F6", "G3")
def test_a_partial_run_skips_everything_else_in_one_step(begin: BeginTask) -> None:
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        begin.execute(context(conf={"select": ["load_orders", "stg_orders"]}))
    assert skipped.value.tasks == [
        "load_customers",
        "transform.calendar_model_build",
        "transform.history_snapshot_build",
        "transform.sales_model_build",
        "transform.stg_customers_model_build",
    ]


def test_a_whole_run_skips_nothing(begin: BeginTask) -> None:
    begin.execute(context())
    begin.execute(context(conf={}))


@pytest.mark.parametrize("select", [["load_orders", "nope"], "load_orders", {"load_orders": 1}])
def test_a_selection_that_makes_no_sense_fails_at_once(begin: BeginTask, select: Any) -> None:
    with pytest.raises(AirflowFailException):
        begin.execute(context(conf={"select": select}))


@pytest.mark.feature("H4")
def test_a_missed_slot_is_skipped_where_the_schedule_says_so() -> None:
    [dag] = build_dags(dag_spec(schedules=(daily("skip"),)), Path)
    task = dag.get_task("begin")
    late = clock.now() - timedelta(hours=1)
    everything = ["load_customers", "load_orders"]
    assert task.left_out(context("scheduled", run_after=late)) == everything
    assert task.left_out(context("scheduled")) == []
    assert task.left_out(context("manual", run_after=late)) == []


FAILED = datetime(2024, 1, 3, tzinfo=UTC)


@pytest.mark.feature("X5")
@pytest.mark.parametrize(
    ("run_type", "conf", "stops"),
    [
        ("backfill", {"on_failure": "stop", "from": "2024-01-01"}, True),
        ("backfill", {"on_failure": "stop", "from": "2024-01-03T00:00:00+00:00"}, True),
        ("backfill", {"on_failure": "stop", "from": "2024-01-04"}, False),
        ("backfill", {"on_failure": "continue", "from": "2024-01-01"}, False),
        ("backfill", {}, False),
        ("scheduled", {"on_failure": "stop", "from": "2024-01-01"}, False),
    ],
)
def test_no_window_begins_behind_one_that_failed(
    begin: BeginTask, run_type: str, conf: dict[str, str], stops: bool
) -> None:
    window = context(run_type, conf=conf)
    failed = SimpleNamespace(logical_date=FAILED)
    window["ti"].get_previous_dagrun = lambda state: failed if state == "failed" else None
    with pytest.raises(AirflowFailException, match="not begun") if stops else nullcontext():
        begin.execute(window)


def test_the_first_window_begins(begin: BeginTask) -> None:
    window = context("backfill", conf={"on_failure": "stop", "from": "2024-01-01"})
    window["ti"].get_previous_dagrun = lambda state: None
    begin.execute(window)


@pytest.mark.parametrize("since", [{}, {"from": "soon"}])
def test_a_stop_without_a_beginning_makes_no_sense(begin: BeginTask, since: dict[str, str]) -> None:
    with pytest.raises(AirflowFailException, match="needs"):
        begin.execute(context("backfill", conf={"on_failure": "stop", **since}))


@pytest.mark.feature("X6")
@pytest.mark.parametrize(
    ("run_type", "conf", "makes_sense"),
    [
        ("manual", {"select": ["load_orders"], "replay": {"load_orders": ["orders"]}}, True),
        ("manual", {"replay": {"load_orders": ["orders"]}}, False),
        ("manual", {"select": ["load_customers"], "replay": {"load_orders": ["orders"]}}, False),
        ("manual", {"select": ["load_orders"], "replay": {"load_orders": []}}, False),
        ("manual", {"select": ["load_orders"], "replay": {"load_orders": "orders"}}, False),
        ("manual", {"select": ["load_orders"], "replay": ["orders"]}, False),
        ("manual", {"select": [], "replay": {}}, False),
        ("backfill", {"select": ["load_orders"], "replay": {"load_orders": ["orders"]}}, False),
    ],
)
def test_no_node_takes_a_replay_for_an_ordinary_run(
    begin: BeginTask, run_type: str, conf: dict[str, Any], makes_sense: bool
) -> None:
    skips = pytest.raises(DownstreamTasksSkipped)
    with skips if makes_sense else pytest.raises(AirflowFailException, match="replay"):
        begin.execute(context(run_type, conf=conf))
