"""Which node a task belongs to."""

import pytest

from etlfabric_core.orchestrator.port import TaskInstance
from etlfabric_core.services import run_details
from etlfabric_core.specs.document import DagSpec, DbtSpec, NodeSpec

SLUGS = {"flights": "pipeline", "stg_flights": "dbt_model", "stg_model": "dbt_model",
         "nightly_run": "dbt_model", "history": "dbt_snapshot"}  # fmt: skip
SPEC = DagSpec(
    org="demo",
    workflow="main",
    revision=1,
    dag_id="demo.main",
    nodes=tuple(NodeSpec(slug=slug, kind=kind) for slug, kind in sorted(SLUGS.items())),
    dbt=DbtSpec(
        project_sha256="0",
        manifest_sha256="0",
        loads={},
        models={f"model.etlfabric.{slug}": slug for slug in SLUGS if slug != "flights"},
    ),
    pool="org_demo",
)


@pytest.mark.parametrize(
    ("task_id", "node"),
    [
        ("flights", "flights"),
        ("begin", None),
        ("transform.stg_flights_model_build", "stg_flights"),
        ("transform.stg_model_model_build", "stg_model"),
        ("transform.nightly_run_model_build", "nightly_run"),
        ("transform.history_snapshot_build", "history"),
        ("transform.relationships_stg_flights_plane_test", None),
        ("transform.unknown_model_build", None),
    ],
)
def test_task_belongs_to_its_node(task_id: str, node: str | None) -> None:
    instance = TaskInstance(task_id=task_id, state=None, try_number=0, max_tries=0)
    task = run_details.located(instance, SPEC)
    assert task.node == node
    is_dbt = node is not None and node != "flights"
    assert task.unique_id == (f"model.etlfabric.{node}" if is_dbt else None)


def test_task_of_an_unknown_revision_belongs_to_nothing() -> None:
    instance = TaskInstance(task_id="flights", state=None, try_number=0, max_tries=0)
    assert run_details.located(instance, None).node is None
