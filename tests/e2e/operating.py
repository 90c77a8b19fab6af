"""Two organizations in Airflow, their operators, and what those ask of Airflow."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import httpx
import psycopg
import yaml

from tests.e2e.running import Account, Stack, eventually

PASSWORD = "correct horse battery"
METHODS = ("get", "post", "put", "patch", "delete")
# What Airflow cannot tell apart by DAG; closed to an organization's operators as a whole.
CLOSED = re.compile(
    r"/api/v2/(assets|config|connections|eventLogs|jobs|plugins|pools|providers|variables)\b"
    r"|/auth/fab/|/ui/connections"
)
Values = Mapping[str, str | list[str]]


@dataclass(frozen=True)
class Operation:
    """One route of Airflow with its parameters."""

    method: str
    path: str
    query: tuple[str, ...]
    needed: tuple[str, ...]
    headers: tuple[str, ...]

    @property
    def in_path(self) -> tuple[str, ...]:
        return tuple(re.findall(r"{(\w+)}", self.path))

    def url(self, values: Values) -> str:
        """The path with these values; what nothing is known of is 1."""

        def value(found: re.Match[str]) -> str:
            given = values.get(found[1], "1")
            return given if isinstance(given, str) else given[0]

        return re.sub(r"{(\w+)}", value, self.path)

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


@dataclass(frozen=True)
class Tenant:
    """An organization with a run, and the values of parameters that lead to what it has."""

    account: Account
    values: dict[str, str | list[str]]

    @property
    def slug(self) -> str:
        return self.account.slug

    @property
    def email(self) -> str:
        return f"owner@{self.slug}.example.com"


def operations(stack: Stack) -> list[Operation]:
    """Every route of the API, of the pages and of the accounts, as Airflow documents them."""
    base = stack.layout.airflow_url
    package = files("airflow.api_fastapi.core_api.openapi")
    documents = (
        ("", httpx.get(f"{base}/openapi.json", timeout=30).json()),
        ("/auth", httpx.get(f"{base}/auth/openapi.json", timeout=30).json()),
        ("", yaml.safe_load((package / "_private_ui.yaml").read_text())),
    )
    found = [one for prefix, document in documents for one in _operations(prefix, document)]
    assert len(found) > 150, "Airflow documents its routes elsewhere now"
    return [one for one in found if not re.search(r"/auth/(token|login|logout)", one.path)]


def _operations(prefix: str, document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                given = methods[method].get("parameters", [])
                query = [p for p in given if p["in"] == "query"]
                yield Operation(
                    method,
                    prefix + path,
                    tuple(p["name"] for p in query),
                    tuple(p["name"] for p in query if p.get("required")),
                    tuple(p["name"] for p in given if p["in"] == "header" and p.get("required")),
                )


def token(stack: Stack, username: str, password: str = PASSWORD) -> httpx.Response:
    """Airflow's answer to a sign-in by its API."""
    body = {"username": username, "password": password}
    return httpx.post(f"{stack.layout.airflow_url}/auth/token", json=body, timeout=60)


def operator(stack: Stack, username: str, password: str = PASSWORD) -> httpx.Client:
    """Airflow, signed in."""
    answer = token(stack, username, password)
    assert answer.status_code == 201, answer.text
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    # Airflow hangs up after an error of its own, so every request has its own connection.
    limits = httpx.Limits(max_keepalive_connections=0)
    base = stack.layout.airflow_url
    return httpx.Client(base_url=base, headers=headers, timeout=60, limits=limits)


def tenant(stack: Stack, slug: str) -> Tenant:
    """An organization with a schedule, and a run and a backfill that begin."""
    account = stack.sign_up(slug)
    account.csv_pipeline(f"{slug}_load", {f"{slug}_rows": b"id,value\n1,10\n"})
    workflow = account.workflow()["id"]
    account.post(
        "/schedules",
        {"workflow_id": workflow, "cron": "0 5 1 1 *", "timezone": "UTC", "missed_runs": "skip"},
    )
    account.publish()
    run = account.start()
    days = {"from_date": "2023-12-31T00:00:00Z", "to_date": "2024-01-02T00:00:00Z"}
    account.post(f"/workflows/{workflow}/backfills", days)
    return Tenant(account, _names(account, run))


def _names(account: Account, run: dict[str, Any]) -> dict[str, str | list[str]]:
    task = f"{account.slug}_load"
    dag_id, run_id = run["dag_id"], run["run_id"]
    return {
        **dict.fromkeys(("dag_id", "source_dag_id", "root_dag_id", "dag_display_name"), dag_id),
        **dict.fromkeys(("dag_run_id", "run_id", "source_run_id"), run_id),
        **dict.fromkeys(("task_id", "source_task_id", "root", "node_id"), task),
        **dict.fromkeys(("try_number", "task_try_number", "version_number"), "1"),
        **dict.fromkeys(("map_index", "source_map_index"), "-1"),
        **dict.fromkeys(("group_id", "task_group_id"), "transform"),
        **dict.fromkeys(("tags", "owners", "owner"), account.slug),
        **dict.fromkeys(("pool", "pool_name"), f"org_{account.slug}"),
        "dag_ids": [dag_id],
        "run_ids": [run_id],
        "filename": f"{account.slug}.main.py",
        "name": f"org_{account.slug}",
        "username": f"owner@{account.slug}.example.com",
        "xcom_key": "return_value",
    }


def add_rows(stack: Stack, made: Tenant, admin: httpx.Client) -> None:
    """An import error and an XCom of the organization, and the ids that Airflow gave."""
    dag_id = str(made.values["dag_id"])
    made.values["file_token"] = _good(admin.get(f"/api/v2/dags/{dag_id}"))["file_token"]
    found = _good(admin.get("/api/v2/backfills", params={"dag_id": dag_id}))["backfills"]
    made.values["backfill_id"] = str(found[0]["id"])
    path = f"/api/v2/dags/{dag_id}/dagRuns/{made.values['dag_run_id']}/taskInstances"
    body = {"key": "return_value", "value": f"{made.slug} was here"}
    _good(admin.post(f"{path}/{made.values['task_id']}/xcomEntries", json=body))
    with psycopg.connect(stack.superuser_url("airflow")) as connection:
        row = connection.execute(
            "insert into import_error (timestamp, filename, bundle_name, stacktrace)"
            " values (now(), %s, 'etlfabric', %s) returning id",
            [made.values["filename"], f"{made.slug} is broken"],
        ).fetchone()
    assert row is not None
    made.values["import_error_id"] = str(row[0])
    pattern = f"{made.slug}%"
    for name in ("dag_id", "dag_display_name", "run_id", "task_id", "pool_name", "tag_name"):
        made.values[f"{name}_pattern"] = pattern
        made.values[f"{name}_prefix_pattern"] = made.slug
    made.values["filename_pattern"] = pattern


def _good(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def state_of(stack: Stack, slug: str) -> dict[str, list[Any]]:
    """What a write to an organization's objects would change in Airflow's database."""
    columns = {
        "dag": "dag_id, is_paused, is_stale",
        "dag_run": "dag_id, run_id, state, conf::text",
        "task_instance": "dag_id, run_id, task_id, state, try_number",
        "xcom": "dag_id, run_id, task_id, key, value::text",
        "backfill": "dag_id, id, is_paused, completed_at is null or true",
        "task_instance_note": "ti_id::text, content",
        "dag_run_note": "dag_run_id::text, content",
        "dag_favorite": "dag_id, user_id::text",
        "dag_priority_parsing_request": "relative_fileloc",
    }
    with psycopg.connect(stack.superuser_url("airflow")) as connection:
        return {
            table: sorted(
                row
                for row in connection.execute(f"select {names} from {table}").fetchall()  # type: ignore[arg-type]
                if str(row[0]).startswith(slug) or table.endswith("note")
            )
            for table, names in columns.items()
        }


def settled(stack: Stack, slug: str) -> None:
    """Waits until nothing of the organization runs any more."""
    query = "select count(*) from dag_run where dag_id like %s and state in ('queued', 'running')"

    def running() -> int:
        with psycopg.connect(stack.superuser_url("airflow")) as connection:
            row = connection.execute(query, [f"{slug}.%"]).fetchone()
        assert row is not None
        return int(row[0])

    eventually(running, lambda number: number == 0, 120)
