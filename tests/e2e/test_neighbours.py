"""One organization's trouble, and the service's own, stay where they are."""

import copy
import json
import os
import signal

import psycopg
import pytest

from tests.e2e.airflow_api import is_live
from tests.e2e.running import Account, Stack, eventually

pytestmark = [pytest.mark.stack]

READING = b"id,value\n1,10\n2,20\n"


@pytest.fixture(scope="module")
def neighbours(stack: Stack) -> tuple[Account, Account]:
    """Two organizations, each with a pipeline and a model that run."""
    return _working(stack, "neighboura"), _working(stack, "neighbourb")


def _working(stack: Stack, name: str) -> Account:
    owner = stack.sign_up(name)
    owner.csv_pipeline("readings", {"readings": READING})
    owner.model("totals", "select sum(value::int) as total from {{ source('raw', 'readings') }}")
    owner.publish()
    assert owner.finished(owner.start())["state"] == "success"
    assert owner.rows("marts", "totals") == [[30]]
    return owner


@pytest.mark.feature("F5")
@pytest.mark.parametrize(
    ("sql", "line", "part"),
    [
        ("select 1 as a,\n  {{ ref('nowhere') }}.x", None, "nowhere"),
        ("select *\nfrom {{ source('raw', 'readings') }}\nwher value > 1", 3, "unexpected token"),
        ("select 1\n{% if true %}", None, "endif"),
        (
            "select value,\n       missing_column\nfrom {{ source('raw', 'readings') }}",
            2,
            "missing",
        ),
    ],
    ids=["unknown ref", "SQL", "Jinja", "unknown column"],
)
def test_a_broken_model_is_refused_at_save_with_its_line(
    neighbours: tuple[Account, Account], sql: str, line: int | None, part: str
) -> None:
    owner, _ = neighbours
    stored = next(m for m in owner.get("/transformations")["items"] if m["slug"] == "totals")
    answer = owner.change_sql(stored, sql)
    assert answer.status_code == 422, answer.text
    problem = answer.json()["problems"][0]
    assert part in problem["message"].lower()
    assert problem["node"] == "totals"
    if line:
        assert problem["line"] == line
    assert owner.get(f"/transformations/{stored['id']}") == stored


@pytest.mark.feature("X9", "K4")
def test_a_corrupted_document_harms_neither_the_neighbour_nor_the_last_good_dag(
    stack: Stack, neighbours: tuple[Account, Account]
) -> None:
    owner, neighbour = neighbours
    seq = _plant_corrupted_publication(stack, owner)
    refusal = stack.layout.var / "airflow" / "bundles" / "etlfabric" / "specs" / owner.dag_id
    eventually(lambda: refusal / f"{seq}.error.json", lambda file: file.exists(), 30)
    reason = json.loads((refusal / f"{seq}.error.json").read_text())["reason"]
    assert "telepathy" in reason
    path = f"/workflows/{owner.workflow()['id']}/graph"
    told = eventually(lambda: owner.get(path)["problems"], bool)
    assert "telepathy" in told[0]["message"], "the organization is told, too"
    assert not neighbour.get(f"/workflows/{neighbour.workflow()['id']}/graph")["problems"]
    assert is_live(stack, owner.dag_id)
    assert is_live(stack, neighbour.dag_id)
    for account in (owner, neighbour):
        assert account.finished(account.start())["state"] == "success"


@pytest.mark.feature("X9", "I8")
def test_a_service_that_hangs_hides_no_dag_and_is_followed_again(
    stack: Stack, neighbours: tuple[Account, Account]
) -> None:
    owner, neighbour = neighbours
    stored = next(m for m in owner.get("/transformations")["items"] if m["slug"] == "totals")
    dag_ids = owner.dag_id, neighbour.dag_id
    pid = int((stack.layout.pid_file("api")).read_text().split()[0])
    os.kill(pid, signal.SIGSTOP)
    try:
        failures = _refresh_failures(stack)
        eventually(lambda: _refresh_failures(stack), lambda now: now >= failures + 3, 60)
        assert all(is_live(stack, dag_id) for dag_id in dag_ids)
    finally:
        os.kill(pid, signal.SIGCONT)
    sql = "select 2 * sum(value::int) as total from {{ source('raw', 'readings') }}"
    assert owner.change_sql(stored, sql).is_success
    owner.publish()
    assert owner.finished(owner.start())["state"] == "success"
    assert owner.rows("marts", "totals") == [[60]]


@pytest.mark.feature("I8")
def test_a_killed_service_comes_back(stack: Stack, neighbours: tuple[Account, Account]) -> None:
    owner, _ = neighbours
    pid_file = stack.layout.pid_file("api")
    pid = pid_file.read_text().split()[0]
    os.kill(int(pid), signal.SIGKILL)
    eventually(lambda: pid_file.read_text().split()[0], lambda now: now != pid, 60)
    eventually(
        lambda: stack.etlfabric("status", check=False).returncode, lambda code: code == 0, 60
    )
    assert is_live(stack, owner.dag_id)
    assert owner.finished(owner.start())["state"] == "success"


def _plant_corrupted_publication(stack: Stack, owner: Account) -> int:
    """A line of the feed whose spec names a kind that nothing can build. Returns its seq."""
    with psycopg.connect(stack.superuser_url("etlfabric")) as connection:
        found = connection.execute(
            "select org_id, workflow_id, spec from publication"
            " where org_slug = %s order by id desc limit 1",
            [owner.slug],
        ).fetchone()
        assert found is not None
        org_id, workflow_id, spec = found
        broken = copy.deepcopy(spec)
        broken["revision"] += 1000
        broken["nodes"][0]["kind"] = "telepathy"
        row = connection.execute(
            "insert into publication"
            " (org_id, workflow_id, workflow_slug, org_slug, revision_number, spec)"
            " values (%s, %s, %s, %s, %s, %s) returning id",
            [org_id, workflow_id, spec["workflow"], owner.slug, None, json.dumps(broken)],
        ).fetchone()
    assert row is not None
    return int(row[0])


def _refresh_failures(stack: Stack) -> int:
    """How often the dag-processor has said that the service did not answer."""
    log = stack.layout.log_file("dag-processor").read_text(errors="replace")
    return log.count("Error refreshing bundle")
