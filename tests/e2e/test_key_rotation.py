"""The encryption keys change while runs go on and people work: nobody notices."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql

from etlfabric_core.crypto import SecretBox, SecretUnreadable
from etlfabric_core.key_ring import KeyRing
from tests.e2e.running import Account, Stack
from tests.e2e.sources import Source

pytestmark = [pytest.mark.stack]

ROTATIONS = int(os.environ.get("ETLFABRIC_ROTATIONS", "2"))
PASSWORD = "behind-a-rotating-key-7731"
ROWS = 200
PAUSE_SECONDS = 0.1  # between two requests of the traffic


@pytest.fixture
def owner(stack: Stack) -> Account:
    """An organization whose one pipeline needs a stored password."""
    source = Source.create(stack, "rotated", PASSWORD)
    source.execute(f"create table orders as select generate_series(1, {ROWS}) as id")
    owner = stack.sign_up("rotated")
    resource = {"name": "orders", "write_disposition": "replace"}
    owner.pipeline("orders", source.connect(owner), resource, retries=0)
    owner.model("counted", "select count(*) as n from {{ source('raw', 'orders') }}")
    owner.publish()
    return owner


@pytest.mark.feature("A16")
def test_keys_rotate_under_runs_and_traffic(stack: Stack, owner: Account) -> None:
    used = [stack.layout.keys_file.read_text().strip()]
    connection = owner.get("/connections")["items"][-1]
    assert owner.finished(owner.start())["state"] == "success"
    with _traffic(owner, connection) as answers:
        for _ in range(ROTATIONS):
            run, before = owner.start(), sum(answers.values())
            stack.etlfabric("keys", "rotate")
            assert sum(answers.values()) > before, "no request fell into the rotation"
            used.append(stack.layout.keys_file.read_text().strip())
            finished = owner.finished(run)
            assert finished["state"] == "success", finished
    print(f"{ROTATIONS} rotations under {sum(answers.values())} requests: {dict(answers)}")
    assert set(answers) <= {200}, answers
    assert owner.rows("marts", "counted") == [[ROWS]]

    *older, newest = used
    assert len(set(used)) == ROTATIONS + 1
    sealed = list(_sealed(stack))
    assert len(sealed) >= 2
    for value, place in sealed:
        assert SecretBox(KeyRing(newest)).open(value, **place)
        with pytest.raises(SecretUnreadable):
            SecretBox(KeyRing(",".join(older))).open(value, **place)
    printed = stack.etlfabric("keys", "status").stdout.splitlines()
    assert len(printed) == 1
    assert f"{len(sealed)} secrets" in printed[0]
    verified = stack.etlfabric("audit", "verify").stdout
    assert "rotated: whole." in verified


@contextmanager
def _traffic(owner: Account, connection: dict[str, Any]) -> Iterator[Counter[int]]:
    """People who read, test and change the connection the whole time; their answers, by status."""
    path, answers, over = f"/connections/{connection['id']}", Counter[int](), threading.Event()
    change = {"secrets": {"password": PASSWORD}}
    requests = cycle(
        (("GET", "/connections", None), ("GET", path, None), ("POST", f"{path}/test", None)) * 3
        + (("PATCH", path, change),)
    )

    def work() -> None:
        with httpx.Client(base_url=owner.http.base_url, headers=owner.http.headers) as http:
            while not over.wait(PAUSE_SECONDS):
                method, url, body = next(requests)
                answer = http.request(method, url, json=body, timeout=60)
                bad_test = url.endswith("/test") and not answer.json().get("ok")
                answers[599 if bad_test else answer.status_code] += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


def _sealed(stack: Stack) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Everything in the database that is sealed, with its place."""
    columns = {
        ("connection", "secrets"): "org_id",
        ("organization", "mask_key"): "id",
        ("organization", "warehouse_password"): "id",
    }
    with psycopg.connect(stack.superuser_url("etlfabric")) as database:
        for (table, column), org_id in columns.items():
            query = sql.SQL("select {}, {} from {} where length({}) > 0").format(
                *map(sql.Identifier, (column, org_id, table, column))
            )
            for value, org in database.execute(query):
                yield value, {"org_id": org, "field": f"{table}.{column}"}
