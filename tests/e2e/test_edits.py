"""From an edit to a DAG version, while a run is under way."""

import time

import pytest

from tests.e2e.airflow_api import airflow_get
from tests.e2e.running import Account, Stack, eventually

pytestmark = [pytest.mark.stack]

READING = b"id,value\n1,10\n2,20\n"
EDIT_SECONDS = 10


@pytest.mark.feature("K4", "X9", "F1", "F6")
def test_an_edit_is_a_new_version_and_the_run_under_way_keeps_the_old_one(stack: Stack) -> None:
    owner = stack.sign_up("editors")
    owner.csv_pipeline("readings", {"readings": READING})
    # The first model waits long enough for the edit to arrive in the middle of the run.
    slow = "select count(*) as n, pg_sleep(12)::text as pause from {{ source('raw', 'readings') }}"
    owner.model("slow", slow)
    last = owner.model("last", "select 'old' as written_by from {{ ref('slow') }}")
    first = owner.publish()["revision"]["number"]
    run = owner.start()
    eventually(
        lambda: _states(owner, run), lambda states: states.get("slow") == "running", seconds=90
    )
    before = _versions(stack, owner.dag_id)

    saved = owner.change_sql(last, "select 'new' as written_by from {{ ref('slow') }}")
    assert saved.is_success, saved.text
    assert owner.publish()["revision"]["number"] == first + 1
    published = time.monotonic()
    eventually(lambda: _versions(stack, owner.dag_id), lambda now: now > before, EDIT_SECONDS)
    print(f"new DAG version {time.monotonic() - published:.1f} s after publishing")

    assert owner.finished(run)["state"] == "success"
    assert owner.rows("marts", "last") == [["old"]]
    assert owner.finished(owner.start())["state"] == "success"
    assert owner.rows("marts", "last") == [["new"]]


@pytest.mark.feature("F6", "I1")
def test_a_partial_run_skips_the_rest_in_one_step(stack: Stack) -> None:
    owner = stack.sign_up("partial")
    owner.csv_pipeline("readings", {"readings": READING})
    owner.model("one", "select * from {{ source('raw', 'readings') }}")
    owner.model("two", "select * from {{ ref('one') }}")
    owner.publish()
    assert owner.finished(owner.start())["state"] == "success"
    run = owner.finished(owner.start("one"))
    assert run["state"] == "success"
    assert _states(owner, run) == {"readings": "skipped", "one": "success", "two": "skipped"}


@pytest.mark.feature("X6")
def test_rejected_rows_are_replayed_by_a_run_after_the_edit_that_mends_them(stack: Stack) -> None:
    owner = stack.sign_up("replayers")
    number = {"type": "integer"}
    content = {"readings": b"id,value\n1,10\n2,20x\n3,none\n"}
    made = owner.csv_pipeline(
        "readings", content, columns={"value": number}, on_bad_row="quarantine"
    )
    owner.model("total", "select sum(value) as value from {{ source('raw', 'readings') }}")
    owner.publish()
    assert owner.finished(owner.start())["state"] == "success"
    assert owner.count("raw", "readings__rejected") == 2

    [resource] = made["config"]["resources"]
    mended = {**number, "functions": [{"name": "replace", "arguments": ["x", ""]}]}
    config = {"resources": [{**resource, "columns": {"value": mended}}]}
    headers = {"If-Match": str(owner.get(f"/pipelines/{made['id']}")["version"])}
    saved = owner.http.patch(f"/pipelines/{made['id']}", json={"config": config}, headers=headers)
    assert saved.is_success, saved.text
    owner.publish()
    run = owner.finished(owner.post(f"/pipelines/{made['id']}/rejected/replay", {}))
    assert run["state"] == "success", run
    assert _states(owner, run) == {"readings": "success", "total": "skipped"}
    [result] = run["results"]
    [table] = result["tables"]
    assert result["replay"] is True
    assert (table["extracted"], table["loaded"], table["rejected"]) == (2, 1, 1)
    assert owner.count("raw", "readings") == 2
    left = owner.get(f"/pipelines/{made['id']}/rejected")["tables"]
    assert left == [{"table": "readings", "rows": 1, "blocked": None}]


@pytest.mark.feature("X3", "F7", "I3")
def test_a_failing_model_or_test_fails_the_run_and_keeps_its_results(stack: Stack) -> None:
    owner = stack.sign_up("failing")
    owner.csv_pipeline("readings", {"readings": READING})
    broken = owner.model(
        "shares", "select 1 / (id::int - 2) as x from {{ source('raw', 'readings') }}"
    )
    test = {"type": "accepted_values", "column": "value", "values": ["10"]}
    owner.model("checked", "select * from {{ source('raw', 'readings') }}", tests=[test])
    owner.publish()
    run = owner.finished(owner.start())
    assert run["state"] == "failed"
    results = {result["node"]: result for result in run["results"]}
    assert results["readings"]["outcome"] == "success"
    assert "division by zero" in results["shares"]["error"]["message"]
    found = {line["status"]: line["failures"] for line in results["checked"]["dbt"]}
    assert found["fail"] == 1
    assert owner.change_sql(broken, "select 1 as x").is_success


def _states(owner: Account, run: dict[str, object]) -> dict[str, str]:
    tasks = owner.run(run)["tasks"]
    return {task["node"]: task["state"] for task in tasks if task["node"]}


def _versions(stack: Stack, dag_id: str) -> int:
    """How many versions of a DAG Airflow has."""

    return int(airflow_get(stack, f"/dags/{dag_id}/dagVersions")["total_entries"])
