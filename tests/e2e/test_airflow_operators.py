"""Airflow as its operators see it: an organization's own see exactly its DAGs, members nothing."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import CHROMIUM, chromium
from tests.e2e.operating import (
    CLOSED,
    PASSWORD,
    Operation,
    Tenant,
    add_rows,
    operations,
    operator,
    settled,
    state_of,
    tenant,
    token,
)
from tests.e2e.running import Stack, eventually

OURS, CANARY, PLAIN = "operated", "canarybird", "plainmember"
GHOST = f"{CANARY}.ghost.py"  # a file that never yielded a DAG
TAKEN_AWAY_SECONDS = 60
WHOLE = "ETLFABRIC_AIRFLOW_SWEEP" in os.environ  # every filter on every path as well
REFUSED = (403, 404, 405)
# Some routes read the body before they refuse; one of these gets that far.
BODIES: tuple[dict[str, Any], ...] = (
    {},
    {"actions": [{"action": "delete", "entities": [CANARY]}]},
    {"connection_id": CANARY, "conn_type": "http"},
    {"dag_runs": [{"dag_run_id": CANARY}], "dry_run": False},
)


@dataclass(frozen=True)
class World:
    """Two organizations whose operators may sign in, and the platform's owner in Airflow."""

    stack: Stack
    ours: Tenant
    theirs: Tenant
    us: httpx.Client  # our operator in Airflow
    admin: httpx.Client
    member: str  # the e-mail address of a member of ours who is no operator
    operations: list[Operation]

    def get(self, operation: Operation, path: Any, **params: Any) -> httpx.Response:
        """A GET as our operator. What is asked for may be named in a refusal, nothing else."""
        needed = {
            name: path.get(name, "2020-01-01T00:00:00Z" if "date" in name else "1")
            for name in operation.needed
        }
        headers = dict.fromkeys(operation.headers, "1")
        answer = self.us.get(operation.url(path), params=needed | params, headers=headers)
        text = answer.text
        if answer.is_error:
            for value in (*path.values(), *params.values()):
                for one in value if isinstance(value, list) else [value]:
                    text = text.replace(one, "")
        assert CANARY not in text, f"{operation} {params}: {answer.status_code} {text[:2000]}"
        return answer


@pytest.fixture(scope="module")
def world(stack: Stack) -> Iterator[World]:
    ours = tenant(stack, OURS)
    ghost = stack.layout.var / "airflow" / "bundles" / "etlfabric" / "entries" / GHOST
    ghost.write_text(f"raise RuntimeError('{CANARY} cannot be built')\n")
    theirs = tenant(stack, CANARY)
    stack.etlfabric("platform", "grant", theirs.email, "owner", "--unverified")
    for one in theirs.account.get("/platform/organizations", limit=200)["items"]:
        if one["slug"] in (OURS, CANARY):
            allow(theirs, one["slug"], True)
    with operator(stack, theirs.email) as admin, operator(stack, ours.email) as us:
        for one in (ours, theirs):
            settled(stack, one.slug)
            add_rows(stack, one, admin)
        # Airflow keeps what a user may do for half a minute.
        eventually(lambda: us.get("/api/v2/dags").status_code, lambda code: code == 200)
        yield World(stack, ours, theirs, us, admin, plain_member(stack), operations(stack))
    ghost.unlink(missing_ok=True)
    stack.etlfabric("platform", "revoke", theirs.email)


def plain_member(stack: Stack) -> str:
    """An editor of our organization, and the owner of one that is not allowed to."""
    email = f"owner@{stack.sign_up(PLAIN).slug}.example.com"
    with psycopg.connect(stack.superuser_url("etlfabric")) as connection:
        connection.execute(
            "insert into membership (org_id, user_id, role) select o.id, u.id, 'editor'"
            ' from organization o, "user" u where o.slug = %s and u.email = %s',
            [OURS, email],
        )
    return email


def allow(owner: Tenant, slug: str, allowed: bool) -> None:
    """What the platform's owner decides about an organization."""
    organizations = owner.account.get("/platform/organizations", limit=200)["items"]
    [number] = [one["id"] for one in organizations if one["slug"] == slug]
    answer = owner.account.http.patch(
        f"/platform/organizations/{number}", json={"airflow_operators": allowed}
    )
    assert answer.json()["airflow_operators"] is allowed


@pytest.mark.feature("A9")
def test_an_operator_sees_the_own_organization(world: World) -> None:
    dag, run, task = (str(world.ours.values[name]) for name in ("dag_id", "run_id", "task_id"))
    path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}"
    for url, key in (
        ("/api/v2/dags", "dags"),
        ("/ui/dags", "dags"),
        ("/api/v2/dagTags", "tags"),
        ("/api/v2/dagStats", "dags"),
        ("/api/v2/dags/~/dagRuns", "dag_runs"),
        (f"/api/v2/dags/{dag}/dagVersions", "dag_versions"),
        (f"/api/v2/dags/{dag}/tasks", "tasks"),
        (f"/api/v2/backfills?dag_id={dag}", "backfills"),
        ("/ui/backfills", "backfills"),
        ("/api/v2/dags/~/dagRuns/~/taskInstances", "task_instances"),
        (f"{path}/xcomEntries", "xcom_entries"),
        (f"{path}/logs/1", "content"),
        (f"/ui/grid/runs/{dag}", None),
        (f"/ui/structure/structure_data?dag_id={dag}", "nodes"),
    ):
        answer = world.us.get(url)
        assert answer.status_code == 200, f"{url}: {answer.text}"
        assert answer.json()[key] if key else answer.json(), url
    assert world.us.get(f"/api/v2/dagSources/{dag}").status_code == 200


@pytest.mark.feature("A9")
def test_no_read_route_tells_of_another_organization(world: World) -> None:
    ours, theirs = world.ours.values, world.theirs.values
    wild = {**ours, "dag_id": "~", "dag_run_id": "~", "run_id": "~", "task_id": "~"}
    seen = 0
    for operation in (one for one in world.operations if one.method == "get"):
        if CLOSED.search(operation.path):
            for values in (ours, theirs):
                assert world.get(operation, values).status_code in REFUSED, operation
            continue
        for values in (ours, wild):
            seen += world.get(operation, values).status_code == 200
            for name in set(operation.query) & theirs.keys() if values is wild or WHOLE else ():
                world.get(operation, values, **{name: theirs[name]})
        if {"dag_id", "backfill_id", "import_error_id"} & {*operation.in_path, *operation.needed}:
            assert world.get(operation, theirs).status_code in REFUSED, operation
            if "dag_id" not in operation.query:  # a parameter that Airflow's check looks for, too
                answer = world.get(operation, theirs, dag_id=ours["dag_id"])
                assert answer.status_code in REFUSED, operation
        # Ours in the path, theirs behind it.
        for name in operation.in_path:
            world.get(operation, {**ours, name: theirs.get(name, "1")})
    assert seen > 60, "hardly anything was answered: the sweep proves nothing"


@pytest.mark.feature("A9")
def test_no_write_route_reaches_another_organization(world: World) -> None:
    before = state_of(world.stack, CANARY)
    theirs = world.theirs.values
    for operation in (one for one in world.operations if one.method != "get"):
        needed = dict.fromkeys(operation.needed, "1") | {"dag_id": world.ours.values["dag_id"]}
        answers = [
            world.us.request(operation.method, operation.url(theirs), params=needed, json=body)
            for body in BODIES
        ]
        codes = {answer.status_code for answer in answers}
        scoped = {"dag_id", "backfill_id", "file_token"} & {*operation.in_path}
        assert codes <= {200, 201, 400, 422, *REFUSED}, f"{operation}: {codes}"
        if scoped or CLOSED.search(operation.path):
            assert codes <= {422, *REFUSED}, f"{operation}: {codes}"
            assert codes & {*REFUSED}, f"{operation}: {codes}"
    assert state_of(world.stack, CANARY) == before


def hostile(world: World) -> Iterator[tuple[str, str, Any]]:
    """Requests whose path is our own, or everybody's, and whose body names theirs."""
    ours, theirs = world.ours.values, world.theirs.values
    dag, run, task = theirs["dag_id"], theirs["dag_run_id"], theirs["task_id"]
    theirs_ti = {"dag_id": dag, "dag_run_id": run, "task_id": task, "map_index": -1}
    theirs_run = {"dag_id": dag, "dag_run_id": run}

    def bulk(action: str, entity: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"actions": [{"action": action, "entities": [entity], **more}]}

    for path in (ours, {"dag_id": "~", "dag_run_id": "~"}):
        base = f"/api/v2/dags/{path['dag_id']}"
        instances = f"{base}/dagRuns/{path['dag_run_id']}/taskInstances"
        yield "PATCH", instances, bulk("update", {**theirs_ti, "new_state": "failed"})
        yield "PATCH", instances, bulk("update", {**theirs_ti, "note": "x"})
        yield "PATCH", instances, bulk("delete", theirs_ti)
        yield "PATCH", f"{base}/dagRuns", bulk("update", {**theirs_run, "state": "failed"})
        yield "PATCH", f"{base}/dagRuns", bulk("delete", theirs_run)
        yield "POST", f"{base}/clearDagRuns", {"dry_run": False, "dag_runs": [theirs_run]}
        clear = {"dry_run": False, "dag_run_id": run, "task_ids": [task], "only_failed": False}
        yield "POST", f"{base}/clearTaskInstances", clear
    days = {"from_date": "2022-12-31T00:00:00Z", "to_date": "2023-01-02T00:00:00Z"}
    yield "POST", "/api/v2/backfills", {"dag_id": dag, **days}
    yield "POST", "/api/v2/backfills/dry_run", {"dag_id": dag, **days}
    yield "PATCH", f"/api/v2/dags?dag_id_pattern={CANARY}%", {"is_paused": True}
    yield "PATCH", f"/api/v2/dags?dag_id_prefix_pattern={CANARY}", {"is_paused": True}
    decoy = f"dag_id={ours['dag_id']}"
    yield "PATCH", f"/api/v2/dags?{decoy}&dag_id_pattern={CANARY}%", {"is_paused": True}
    yield "POST", f"/api/v2/backfills?{decoy}", {"dag_id": dag, **days}


@pytest.mark.feature("A9")
def test_a_body_with_ids_of_another_organization_changes_nothing(world: World) -> None:
    before = state_of(world.stack, CANARY)
    for method, url, body in hostile(world):
        answer = world.us.request(method, url, json=body)
        assert answer.status_code in (200, 403, 404), f"{method} {url}: {answer.text}"
        text = answer.text
        for value in world.theirs.values.values():
            text = text.replace(value, "") if isinstance(value, str) else text
        assert CANARY not in text, f"{method} {url} {json.dumps(body)}: {text}"
        assert state_of(world.stack, CANARY) == before, f"{method} {url} {json.dumps(body)}"
    for path in ("dagRuns/list", "dagRuns/~/taskInstances/list"):
        answer = world.us.post(
            f"/api/v2/dags/~/{path}", json={"dag_ids": [world.theirs.values["dag_id"]]}
        )
        assert answer.is_error or answer.json()["total_entries"] == 0, answer.text


@pytest.mark.feature("A9")
def test_an_operator_operates_the_own_organization(world: World) -> None:
    dag = f"/api/v2/dags/{world.ours.values['dag_id']}"
    for paused in (True, False):
        answer = world.us.patch(dag, json={"is_paused": paused})
        assert answer.json()["is_paused"] is paused, answer.text
    made = world.us.post(f"{dag}/dagRuns", json={"logical_date": None})
    assert made.status_code == 200, made.text
    settled(world.stack, OURS)
    run = f"{dag}/dagRuns/{made.json()['dag_run_id']}"
    assert world.us.get(run).json()["state"] == "success"
    cleared = world.us.post(f"{run}/clear", json={"dry_run": True})
    assert cleared.status_code == 200, cleared.text


@pytest.mark.feature("A9")
def test_errors_of_a_file_without_dags_are_for_the_platform_alone(world: World) -> None:
    """Airflow itself would show them to everybody who may see any."""
    url = "/api/v2/importErrors"
    known = eventually(
        lambda: world.admin.get(url).json()["import_errors"],
        lambda errors: any(one["filename"] == GHOST for one in errors),
    )
    number = next(one["import_error_id"] for one in known if one["filename"] == GHOST)
    assert world.us.get(url).status_code == 403
    assert world.us.get(f"{url}/{number}").status_code == 403
    with psycopg.connect(world.stack.superuser_url("airflow"), autocommit=True) as connection:
        connection.execute("delete from import_error where filename = %s", [GHOST])
        answer = world.us.get(url)
        connection.execute(
            "insert into import_error (timestamp, filename, bundle_name, stacktrace)"
            " values (now(), %s, 'etlfabric', %s)",
            [GHOST, CANARY],
        )
    assert [one["filename"] for one in answer.json()["import_errors"]] == [f"{OURS}.main.py"]


@pytest.mark.feature("A9")
def test_a_platform_operator_sees_everything(world: World) -> None:
    seen = {dag["dag_id"] for dag in world.admin.get("/api/v2/dags?limit=100").json()["dags"]}
    assert {world.ours.values["dag_id"], world.theirs.values["dag_id"]} <= seen
    assert world.admin.get("/api/v2/pools").status_code == 200


@pytest.mark.feature("A9")
def test_a_plain_member_signs_in_to_nothing(world: World) -> None:
    answer = token(world.stack, world.member)
    assert answer.status_code == 403
    assert "may not sign in to Airflow" in answer.json()["detail"]
    wrong = token(world.stack, world.member, "wrong")
    nobody = token(world.stack, "nobody@example.com")
    assert wrong.status_code == nobody.status_code == 401
    assert wrong.text == nobody.text


@pytest.mark.feature("A9")
def test_what_is_taken_away_is_gone_within_a_minute(world: World) -> None:
    with operator(world.stack, world.ours.email, PASSWORD) as us:
        assert us.get("/api/v2/dags").status_code == 200
        allow(world.theirs, OURS, False)
        began = time.monotonic()
        try:
            assert token(world.stack, world.ours.email).status_code == 403
            eventually(
                lambda: us.get("/api/v2/dags").status_code,
                lambda code: code == 401,
                TAKEN_AWAY_SECONDS,
            )
            assert us.get("/ui/auth/me").status_code == 401
        finally:
            allow(world.theirs, OURS, True)
        assert time.monotonic() - began < TAKEN_AWAY_SECONDS


@pytest.mark.feature("A9")
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_form_lets_an_operator_in_and_tells_a_member_why_not(world: World) -> None:
    with chromium() as browser:
        page = browser.new_page(base_url=world.stack.layout.airflow_url)
        fill_in(page, world.member)
        expect(page.get_by_text("may not sign in to Airflow")).to_be_visible()
        fill_in(page, world.ours.email)
        page.goto("/dags")
        expect(page.get_by_role("link", name=f"{OURS}.main").first).to_be_visible()
        assert CANARY not in page.content()
        page.goto("/auth/users/list/")
        assert world.theirs.email not in page.content()


def fill_in(page: Page, email: str) -> None:
    """Airflow's sign-in form."""
    page.goto("/auth/login/")
    page.get_by_label("Username").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign In").click()
