"""Whatever a stack keeps and tells, to look for a value that must not be there."""

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.e2e.airflow_api import airflow_get
from tests.e2e.running import Account, Stack
from tests.traces import rows_as_text, texts_of

LISTS = (
    "/audit",
    "/audit.csv",
    "/connections",
    "/me",
    "/pipelines",
    "/runs",
    "/schema-changes",
    "/tables",
    "/transformations",
    "/workflows",
)
Places = Iterable[tuple[str, bytes]]
Runs = Iterable[dict[str, Any]]


def places_of(places: Places, *values: str) -> list[str]:
    """Where one of the values is, in any of its forms."""
    forms = [form for value in values for form in _forms(value.lower().encode())]
    packed = [base64.b64encode(value.encode()).rstrip(b"=") for value in values]
    return [
        place
        for place, content in places
        if any(form in content.lower() for form in forms) or any(form in content for form in packed)
    ]


def _forms(value: bytes) -> tuple[bytes, ...]:
    return value, value.hex().encode()


def everything(stack: Stack, account: Account, runs: Runs) -> Iterator[tuple[str, bytes]]:
    """Files, databases, and what the service and Airflow answer."""
    yield from files(stack.layout.var)
    for database in ("airflow", "etlfabric", "warehouse"):
        for table, content in rows_as_text(stack.superuser_url(database)):
            yield f"{database}: {table}", content
    for path in LISTS:
        yield path, account.http.get(path).content
    for run in runs:
        yield from _of_run(account, run)
        yield from _of_airflow(stack, account, run)


def files(var: Path) -> Iterator[tuple[str, bytes]]:
    """Logs, bundles, storage, work directories; not the database's own files."""
    for path in var.rglob("*"):
        if path.is_file() and var / "postgres" not in path.parents:
            for content in texts_of(path):
                yield str(path.relative_to(var)), content


def _of_run(account: Account, run: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    path = f"/runs/{run['dag_id']}/{run['run_id']}"
    for told in (path, f"{path}/events"):
        yield told, account.http.get(told).content
    for task in account.run(run)["tasks"]:
        log = account.http.get(f"{path}/tasks/{task['task_id']}/logs")
        yield f"log of {task['task_id']}", log.content


def _of_airflow(stack: Stack, account: Account, run: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    base = f"/dags/{run['dag_id']}/dagRuns/{run['run_id']}"
    tasks = [(task["task_id"], task["try_number"]) for task in account.run(run)["tasks"]]
    paths = [base, f"{base}/taskInstances", "/eventLogs", "/importErrors"]
    for task, tries in tasks:
        of_task = f"{base}/taskInstances/{task}"
        paths += [f"{of_task}/tries", f"{of_task}/xcomEntries"]
        paths += [f"{of_task}/logs/{number}" for number in range(1, tries + 1)]
    for path in paths:
        yield f"Airflow's {path}", str(airflow_get(stack, path)).encode()
