"""A workflow's state becomes its documents, always the same ones."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from etlfabric_core.specs.changes import changes
from etlfabric_core.specs.compiler import compile_workflow, content_hash
from etlfabric_core.specs.document import DagSpec, DbtSpec, ScheduleSpec
from etlfabric_core.specs.project import project_files
from etlfabric_core.specs.state import NodeSnapshot, WorkflowState, graph_of

START = datetime(2024, 1, 1, tzinfo=UTC)
NIGHTLY = ScheduleSpec(cron="0 6 * * *", timezone="UTC", missed_runs="skip", start=START)
DBT = DbtSpec(
    project_sha256="p",
    manifest_sha256="m",
    loads={"source.acme.raw.orders": "load", "source.acme.web.hits": "elsewhere"},
    models={"model.acme.stg": "stg"},
)


def pipeline(id: int, table: str = "orders", **other: object) -> NodeSnapshot:
    values = {"id": id, "kind": "pipeline", "name": "L", "dataset": "raw"} | {
        "destination_connection_id": 1,
        "source_connection_id": 2,
        "config": {"resources": [{"name": table}]},
    }
    return NodeSnapshot.model_validate(values | other)


def model(id: int, sql: str, **other: object) -> NodeSnapshot:
    values = {"id": id, "kind": "dbt_model", "name": "M", "dataset": "marts"}
    return NodeSnapshot.model_validate(values | {"config": {"sql": sql}} | other)


STATE = WorkflowState(
    org="acme",
    workflow="main",
    warehouse_id=1,
    nodes={
        "stg": model(2, "select * from {{ source('raw', 'orders') }}", upstream=("late", "load")),
        "load": pipeline(1),
        "late": pipeline(3, "late", retries=2),
    },
    outside={"elsewhere": pipeline(9, "hits", dataset="web")},
    schedules=(
        NIGHTLY.model_copy(update={"slug": "some", "select": ("load",)}),
        NIGHTLY,
    ),
)


def compiled(state: WorkflowState, revision: int = 1) -> DagSpec:
    return compile_workflow(state, revision=revision, dbt=DBT, edges=[("load", "stg")])


@pytest.mark.feature("K4", "G1")
def test_the_document() -> None:
    assert compiled(STATE, revision=7).model_dump(mode="json") == {
        "version": 1,
        "org": "acme",
        "workflow": "main",
        "revision": 7,
        "dag_id": "acme.main",
        "nodes": [
            {
                "slug": "late",
                "kind": "pipeline",
                "upstream": [],
                "retries": 2,
                "timeout_s": 21600,
            },
            {
                "slug": "load",
                "kind": "pipeline",
                "upstream": [],
                "retries": 5,
                "timeout_s": 21600,
            },
            {
                "slug": "stg",
                "kind": "dbt_model",
                "upstream": ["late", "load"],
                "retries": 5,
                "timeout_s": 21600,
            },
        ],
        "dbt": {
            "project_sha256": "p",
            "manifest_sha256": "m",
            "loads": {"source.acme.raw.orders": "load"},
            "models": {"model.acme.stg": "stg"},
        },
        "schedules": [
            {
                "slug": None,
                "cron": "0 6 * * *",
                "timezone": "UTC",
                "missed_runs": "skip",
                "start": "2024-01-01T00:00:00Z",
                "select": [],
            },
            {
                "slug": "some",
                "cron": "0 6 * * *",
                "timezone": "UTC",
                "missed_runs": "skip",
                "start": "2024-01-01T00:00:00Z",
                "select": ["load"],
            },
        ],
        "pool": "org_acme",
    }


def test_the_order_of_rows_changes_nothing() -> None:
    turned = replace(
        STATE,
        nodes=dict(reversed(STATE.nodes.items())),
        schedules=STATE.schedules[::-1],
    )
    assert compiled(turned).model_dump_json() == compiled(STATE).model_dump_json()
    assert project_files(turned) == project_files(STATE)


def test_the_seed_of_hashes_changes_nothing() -> None:
    code = (
        "import json\n"
        "from tests.core.test_compiler import STATE, compiled\n"
        "from etlfabric_core.specs.compiler import content_hash\n"
        "from etlfabric_core.specs.project import project_files\n"
        "spec = compiled(STATE)\n"
        "print(json.dumps([spec.model_dump_json(), content_hash(spec, STATE.nodes),"
        " project_files(STATE)]))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(outputs) == 1
    assert json.loads(outputs.pop())[0] == compiled(STATE).model_dump_json()


def test_the_content_hash_tells_what_runs_and_not_its_number() -> None:
    first = content_hash(compiled(STATE, 1), STATE.nodes)
    assert first == content_hash(compiled(STATE, 2), STATE.nodes)
    again = {slug: node.model_copy(update={"id": 77}) for slug, node in STATE.nodes.items()}
    assert first == content_hash(compiled(STATE), again), "a row made anew is the same node"
    edited = {**STATE.nodes, "load": pipeline(1, "orders_2")}
    assert first != content_hash(compiled(STATE), edited), "a config is not in the DagSpec"


def test_changes_name_nodes_fields_and_schedules() -> None:
    new = {
        "load": pipeline(1, config={"resources": [{"name": "orders"}], "batch_size": 5}),
        "stg": STATE.nodes["stg"].model_copy(update={"id": 5}),
        "extra": pipeline(4, "extra"),
    }
    later = NIGHTLY.model_copy(update={"cron": "0 7 * * *"})
    assert changes(STATE.nodes, new, STATE.schedules, [later]) == [
        {"node": "extra", "change": "added"},
        {"node": "late", "change": "removed"},
        {"node": "load", "change": "changed", "fields": ["config.batch_size"]},
        {"schedule": None, "change": "changed"},
        {"schedule": "some", "change": "removed"},
    ]


def test_tables_of_other_workflows_enter_the_project_only_when_they_are_read() -> None:
    assert "hits" not in project_files(STATE)["models/sources.yml"]
    reader = model(5, "select * from {{ source('web', 'hits') }}")
    state = replace(STATE, nodes={**STATE.nodes, "reader": reader})
    assert "hits" in project_files(state)["models/sources.yml"]
    assert ("elsewhere", "reader") not in graph_of(state).derived


def test_a_pipeline_into_another_database_is_no_source() -> None:
    away = pipeline(1, destination_connection_id=5)
    state = replace(STATE, nodes={"load": away}, outside={})
    assert "orders" not in project_files(state)["models/sources.yml"]
