"""The main job, as `make demo` does it, on a stack of the tests' own."""

import json
from typing import Any

import httpx
import pytest

from cli.client.service import sign_in
from cli.demo import EMAIL, EXPECTED
from tests.e2e.running import Account, Stack, eventually

pytestmark = [pytest.mark.stack]

DAG = "demo.flights"


@pytest.fixture(scope="module")
def summary(stack: Stack) -> dict[str, Any]:
    """What the demo prints as its last line."""
    found: dict[str, Any] = json.loads(stack.etlfabric("demo").stdout.splitlines()[-1])
    return found


@pytest.fixture
def demo(stack: Stack, summary: dict[str, Any]) -> Account:
    """The owner of the demo organization, freshly signed in."""
    password = stack.secrets["demo_password"]
    return Account.of(stack.layout, sign_in(stack.layout.api_url, EMAIL, password, None))


@pytest.mark.feature("C3", "C4", "C5", "C11", "C12", "K3")
def test_every_row_arrives(stack: Stack, summary: dict[str, Any]) -> None:
    assert (summary["state"], summary["dag_id"]) == ("success", DAG)
    assert summary["rows"] == EXPECTED
    assert summary["api_url"] == stack.layout.api_url
    assert httpx.get(f"{summary['airflow_url']}/api/v2/version").is_success


@pytest.mark.feature("K4")
def test_airflow_lists_the_workflow_as_a_dag(stack: Stack, demo: Account) -> None:
    assert f'"{DAG}"' in stack.airflow("dags", "list", "-o", "json")


@pytest.mark.feature("F1", "F9")
def test_every_transformation_is_built(demo: Account) -> None:
    assert demo.count("staging", "stg_flights") == EXPECTED["flights"]
    assert demo.count("marts", "daily_on_time_by_carrier") > 365 * 10
    assert demo.count("marts", "daily_on_time_by_airport") > 365 * 50
    hours = demo.count("marts", "delays_with_weather")
    assert hours == demo.count("marts", "hourly_departures") > 10_000
    assert demo.count("marts", "airlines_history") == EXPECTED["airlines"]


@pytest.mark.feature("F7", "F8", "I3")
def test_gaps_in_the_data_are_warnings_and_the_run_is_green(demo: Account) -> None:
    run = next(r for r in _runs(demo) if r["run_type"] == "manual")
    detail = demo.run(run)
    assert detail["state"] == "success"
    tests = {
        node["unique_id"].split(".")[2]: node
        for result in detail["results"]
        for node in result["dbt"]
        if node["unique_id"].startswith("test.")
    }
    warned = {name: node["failures"] for name, node in tests.items() if node["status"] == "warn"}
    to_planes = next(count for name, count in warned.items() if "stg_planes" in name)
    to_airports = next(count for name, count in warned.items() if "stg_airports" in name)
    assert to_planes > 10_000, "flights whose plane is not listed"
    assert to_airports > 1_000, "flights to airports that are not listed"
    assert {node["status"] for node in tests.values()} == {"pass", "warn"}
    singular = [node for name, node in tests.items() if "no_departure_two_hours_early" in name]
    assert [node["status"] for node in singular] == ["pass"]


@pytest.mark.feature("K4", "C4", "X5")
def test_a_backfill_from_the_shell_leaves_every_row_once(stack: Stack, demo: Account) -> None:
    window = ("--from-date", "2013-03-01", "--to-date", "2013-03-03")
    stack.airflow("backfill", "create", "--dag-id", DAG, *window)
    ended = eventually(
        lambda: [run["state"] for run in _runs(demo) if run["run_type"] == "backfill"],
        lambda states: len(states) >= 2 and not {"queued", "running"} & set(states),
        seconds=420,
    )
    assert set(ended) == {"success"}
    assert {table: demo.count("raw", table) for table in EXPECTED} == EXPECTED


@pytest.mark.feature("F1")
def test_applied_again_nothing_changes(stack: Stack, summary: dict[str, Any]) -> None:
    again = stack.etlfabric("demo").stdout
    assert "already up" in again
    assert not [line for line in again.splitlines() if line.startswith(("created", "changed"))]
    assert "unchanged   flights, revision 1" in again
    assert json.loads(again.splitlines()[-1])["rows"] == EXPECTED


def _runs(account: Account) -> list[dict[str, Any]]:
    flights = next(w for w in account.get("/workflows")["items"] if w["slug"] == "flights")
    runs: list[dict[str, Any]] = account.get("/runs", workflow_id=flights["id"])["items"]
    return runs
