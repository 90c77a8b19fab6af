"""Which node a task belongs to, and how a list of runs goes on."""

from datetime import UTC, datetime

import pytest

from etlfabric_core.errors import InvalidConfig
from etlfabric_core.orchestrator.port import DagRun, TaskInstance
from etlfabric_core.services import runs
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
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


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
    task = runs.located(instance, SPEC)
    assert task.node == node
    is_dbt = node is not None and node != "flights"
    assert task.unique_id == (f"model.etlfabric.{node}" if is_dbt else None)


def test_task_of_an_unknown_revision_belongs_to_nothing() -> None:
    instance = TaskInstance(task_id="flights", state=None, try_number=0, max_tries=0)
    assert runs.located(instance, None).node is None


def _run(minute: int) -> DagRun:
    return DagRun(
        dag_id="demo.main",
        run_id="r",
        state="success",
        run_type="manual",
        run_after=NOON.replace(minute=minute),
    )


def test_cursor_goes_on_behind_runs_of_the_same_moment() -> None:
    first = runs._next_cursor([_run(3), _run(2), _run(2)], None, 0)
    assert runs._position(first) == (NOON.replace(minute=2), 2)
    second = runs._next_cursor([_run(2), _run(2)], *runs._position(first))
    assert runs._position(second) == (NOON.replace(minute=2), 4)
    third = runs._next_cursor([_run(2), _run(1)], *runs._position(second))
    assert runs._position(third) == (NOON.replace(minute=1), 1)


@pytest.mark.parametrize("cursor", ["", "x", "5", "2026-01-01T00:00:00~1", f"{NOON.isoformat()}~"])
def test_cursor_that_no_page_gave_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidConfig):
        runs._position(cursor)
