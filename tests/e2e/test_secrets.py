"""A planted password is found nowhere: not in Airflow, not in the service, not in a file."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.e2e.running import Account, Stack

pytestmark = [pytest.mark.stack]

PASSWORD = "planted-Xk7wQz93-password"
WRONG = "planted-Vv2bMn55-wrong-password"


@pytest.fixture(scope="module")
def source(stack: Stack) -> dict[str, Any]:
    """A database with one table, behind the planted password."""
    with psycopg.connect(stack.superuser_url("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("create role shop login password {}").format(PASSWORD))
        admin.execute("create database shop owner shop")
    with psycopg.connect(stack.superuser_url("shop")) as connection:
        connection.execute("create table orders (id int primary key, amount numeric)")
        connection.execute("insert into orders values (1, 9.5), (2, 1.25)")
        connection.execute("grant all on orders to shop")
    port = stack.layout.ports["postgres"]
    return {"host": "127.0.0.1", "port": port, "database": "shop", "user": "shop"}


@pytest.mark.feature("A16", "B1", "B2", "X1")
def test_a_planted_password_is_found_nowhere(stack: Stack, source: dict[str, Any]) -> None:
    owner = stack.sign_up("secretive")
    good = owner.table_pipeline("good", "orders", source, PASSWORD)
    owner.post(f"/connections/{good['id']}/test")
    owner.model("amounts", "select sum(amount) as total from {{ source('raw', 'orders') }}")
    owner.publish()
    run = owner.start()
    assert owner.finished(run)["state"] == "success"
    assert owner.rows("marts", "amounts") == [["10.75"]]
    body = {"config": source, "secrets": {"password": WRONG}}
    assert owner.http.patch(f"/connections/{good['id']}", json=body).is_success
    failed_run = owner.start()
    failed = owner.finished(failed_run)
    assert failed["state"] == "failed"
    assert "password" in str(failed["error"]), "the error says what is wrong"

    found = [
        f"{place}: {planted}"
        for place, content in _everything(stack, owner, (run, failed_run))
        for planted in _forms(PASSWORD, WRONG)
        if planted in content
    ]
    assert not found, found


def _forms(*planted: str) -> list[bytes]:
    plain = [value.encode() for value in planted]
    return plain + [base64.b64encode(value).rstrip(b"=") for value in plain]


def _everything(
    stack: Stack, owner: Account, runs: tuple[dict[str, Any], ...]
) -> Iterator[tuple[str, bytes]]:
    yield from _files(stack.layout.var)
    for database in ("airflow", "etlfabric", "warehouse"):
        yield from _tables(stack.superuser_url(database), database)
    for path in ("/connections", "/pipelines", "/workflows", "/transformations", "/runs", "/me"):
        yield path, owner.http.get(path).content
    for run in runs:
        path = f"/runs/{run['dag_id']}/{run['run_id']}"
        yield path, owner.http.get(path).content
        for task in owner.run(run)["tasks"]:
            log = owner.http.get(f"{path}/tasks/{task['task_id']}/logs")
            yield f"log of {task['task_id']}", log.content


def _files(var: Path) -> Iterator[tuple[str, bytes]]:
    """Logs, bundles, storage, work directories; not the database's own files."""
    for path in var.rglob("*"):
        if path.is_file() and var / "postgres" not in path.parents:
            yield str(path.relative_to(var)), path.read_bytes()


def _tables(url: str, database: str) -> Iterator[tuple[str, bytes]]:
    """Every row of every table as text: DAGs, rendered templates, XComs, events, audit."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "select format('%I.%I', schemaname, tablename) from pg_tables"
            " where schemaname not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        for (table,) in tables:
            rows = connection.execute(f"select t::text from {table} as t").fetchall()
            yield f"{database}: {table}", "\n".join(row[0] for row in rows).encode()
