"""From a spec to a DAG: dependencies, schedules, determinism, and what never gets in."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.serialization.serialized_objects import DagSerialization
from etlfabric_airflow.dags import build_dags
from sample_project import Manifest, dag_spec, daily, dbt_spec

from etlfabric_core.specs.document import DagSpec, NodeSpec


@pytest.fixture
def spec(manifest: Manifest) -> DagSpec:
    return dag_spec(dbt=dbt_spec(manifest, "m" * 64))


@pytest.fixture
def manifest_file(manifest: Manifest, tmp_path: Path) -> Path:
    path = tmp_path / "manifest.json"
    path.write_bytes(manifest.content)
    return path


@pytest.mark.feature("G1", "G3")
def test_each_model_waits_for_exactly_the_loads_it_reads(
    spec: DagSpec, manifest_file: Path
) -> None:
    [dag] = build_dags(spec, lambda _: manifest_file)
    upstream = {task.task_id: set(task.upstream_task_ids) for task in dag.tasks}
    assert upstream.pop("end") == set(upstream) - {"begin"}  # so that no failure goes unseen
    assert upstream == {
        "begin": set(),
        "load_customers": {"begin"},
        "load_orders": {"begin"},
        "transform.stg_orders_model_build": {"load_orders"},
        "transform.stg_customers_model_build": {"load_customers"},
        "transform.history_snapshot_build": {"load_orders"},
        "transform.calendar_model_build": {"begin"},
        "transform.sales_model_build": {
            "transform.stg_orders_model_build",
            "transform.stg_customers_model_build",
        },
        "transform.relationships_stg_orders_id__id__ref_sales__test": {
            "transform.stg_orders_model_build",
            "transform.sales_model_build",
        },
    }


def test_a_model_runs_with_its_own_tests_and_a_shared_test_alone(
    spec: DagSpec, manifest_file: Path, manifest: Manifest
) -> None:
    [dag] = build_dags(spec, lambda _: manifest_file)
    ids = manifest.ids
    assert dag.get_task("transform.stg_orders_model_build").unique_ids == [
        ids["stg_orders"],
        ids["not_null_stg_orders_id"],
        ids["unique_stg_orders_id"],
    ]
    assert dag.get_task("transform.sales_model_build").unique_ids == [
        ids["sales"],
        ids["no_orphans"],
    ]
    shared = dag.get_task("transform.relationships_stg_orders_id__id__ref_sales__test")
    assert shared.unique_ids == [ids["relationships_stg_orders_id__id__ref_sales_"]]
    assert shared.node == "sales"
    assert dag.get_task("transform.stg_customers_model_build").task_type == "EmptyOperator"


@pytest.mark.feature("G1")
def test_a_drawn_edge_holds_between_a_model_and_a_pipeline(
    spec: DagSpec, manifest_file: Path
) -> None:
    nodes = (*spec.nodes, NodeSpec(slug="push", kind="pipeline", upstream=("sales",)))
    [dag] = build_dags(spec.model_copy(update={"nodes": nodes}), lambda _: manifest_file)
    assert dag.get_task("push").upstream_task_ids == {"transform.sales_model_build"}


def test_nothing_is_templated_and_no_text_of_the_organization_is_serialized(
    spec: DagSpec, manifest_file: Path
) -> None:
    [dag] = build_dags(spec, lambda _: manifest_file)
    assert [task.task_id for task in dag.tasks if task.template_fields] == []
    text = json.dumps(DagSerialization.to_dict(dag), default=str)
    assert "conn.secret" not in text
    assert "{{" not in text
    assert "select *" not in text


def test_only_the_wanted_dag_is_built() -> None:
    part = daily(slug="part", select=("load_orders",))
    spec = dag_spec(schedules=(daily(), part))
    dags = build_dags(spec, Path, wanted="acme.daily.part")
    assert [dag.dag_id for dag in dags] == ["acme.daily.part"]
    assert dags[0].get_task("begin").select == ("load_orders",)
    assert [dag.dag_id for dag in build_dags(spec, Path)] == ["acme.daily", "acme.daily.part"]


@pytest.mark.feature("I6")
def test_retries_back_off_and_a_table_has_one_writer() -> None:
    [dag] = build_dags(dag_spec(), Path)
    task = dag.get_task("load_orders")
    assert (task.retries, task.max_active_tis_per_dag) == (2, 1)
    assert (task.retry_delay.seconds, task.max_retry_delay.seconds) == (10, 300)
    assert task.retry_exponential_backoff
    assert task.trigger_rule == "none_failed"
    assert task.pool == "org_acme"


@pytest.mark.feature("H4")
@pytest.mark.parametrize(
    ("missed_runs", "catchup", "skip_late"),
    [("queue", True, False), ("run_once", False, False), ("skip", False, True)],
)
def test_missed_runs_policies(missed_runs: str, catchup: bool, skip_late: bool) -> None:
    [dag] = build_dags(dag_spec(schedules=(daily(missed_runs),)), Path)
    assert (dag.catchup, dag.get_task("begin").skip_late) == (catchup, skip_late)


@pytest.mark.feature("H1")
def test_no_scheduled_run_before_the_start_but_backfills_reach_back() -> None:
    [dag] = build_dags(dag_spec(schedules=(daily("queue"),)), Path)
    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    first = stored.next_dagrun_info(last_automated_run_info=None)
    assert first.data_interval.start == datetime(2024, 1, 1, 10, tzinfo=UTC)  # 5:00 in New York
    backfill = stored.iter_dagrun_infos_between(
        datetime(2013, 3, 1, tzinfo=UTC), datetime(2013, 3, 4, tzinfo=UTC)
    )
    assert [info.logical_date.isoformat() for info in backfill] == [
        "2013-03-01T10:00:00+00:00",
        "2013-03-02T10:00:00+00:00",
        "2013-03-03T10:00:00+00:00",
    ]


def test_without_a_schedule_nothing_runs_by_itself() -> None:
    [dag] = build_dags(dag_spec(schedules=()), Path)
    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert stored.next_dagrun_info(last_automated_run_info=None) is None


def test_a_new_revision_alone_is_a_different_dag() -> None:
    def digest(revision: int) -> str:
        [dag] = build_dags(dag_spec(revision=revision), Path)
        return json.dumps(DagSerialization.to_dict(dag), sort_keys=True, default=str)

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


_SERIALIZE = """
import json, sys
from pathlib import Path
from airflow.models.serialized_dag import SerializedDagModel
from airflow.serialization.serialized_objects import DagSerialization
from etlfabric_airflow.dags import build_dags
from etlfabric_core.specs.document import DagSpec
spec = DagSpec.model_validate_json(sys.stdin.read())
for dag in build_dags(spec, lambda _: Path(sys.argv[1])):
    print("HASH", SerializedDagModel.hash(DagSerialization.to_dict(dag)))
"""


def test_the_same_spec_serializes_the_same_under_any_hash_seed(
    spec: DagSpec, manifest_file: Path
) -> None:
    def hashes(seed: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", _SERIALIZE, manifest_file],
            input=spec.model_dump_json(),
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return [line for line in done.stdout.splitlines() if line.startswith("HASH")]

    first = hashes("1")
    assert len(first) == 1
    assert hashes("2") == first
    assert hashes("7") == first
