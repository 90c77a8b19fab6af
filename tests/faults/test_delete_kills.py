"""Deletes under SIGKILL and SIGSTOP: after the retry what the source has is there, and marked is
what it has no longer."""

import os
import random
import signal
from collections.abc import Iterator

import psycopg
import pytest

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.extract_load.plan import LoadPlan
from tests.faults.load_process import IS_WHOLE, KILLS, SEED, LoadProcess
from tests.faults.test_load_kills import is_blocked, wait_until
from tests.loading import Warehouse, new_warehouse, plan, run

ROWS = 200_000 if IS_WHOLE else 10_000
MADE = (
    "create schema source",
    "create table source.t (id int primary key, at int not null, v text)",
    f"insert into source.t select n, n, md5(n::text) from generate_series(1, {ROWS}) as n",
    "grant usage on schema source to {role}",
    "grant select on source.t to {role}",
)
# A fifth goes, some come back, new ones come.
CHANGED = (
    "delete from source.t where hashint4(id + {round}) % 5 = 0",
    "insert into source.t select n, {top} + 1, md5(n::text) from generate_series(1, {top}) as n "
    "where hashint4(n) % 3 = 0 on conflict do nothing",
    "insert into source.t select n, n, md5(n::text) "
    "from generate_series({top} + 1, {top} + 500) as n",
)


@pytest.fixture
def warehouse(postgres: EmbeddedPostgres) -> Iterator[Warehouse]:
    with new_warehouse(postgres) as made:
        for statement in MADE:
            made.execute(statement.format(role=made.role))
        yield made


def load_plan(warehouse: Warehouse, deletes: str = "soft") -> LoadPlan:
    resource = {
        "name": "t",
        "write_disposition": "merge",
        "primary_key": ["id"],
        "cursor": {"column": "at"},
        "deletes": deletes,
    }
    return plan(warehouse, warehouse.endpoint(), resource, source_schema="source")


def change(warehouse: Warehouse, number: int) -> None:
    [(top,)] = warehouse.execute("select max(at) from source.t")
    for statement in CHANGED:
        warehouse.execute(statement.format(round=number, top=top))


def is_exact(warehouse: Warehouse, left: str = "_deleted_at is null") -> bool:
    print_of = "select count(*), sum(hashtextextended(format('%s %s %s', id, at, v), 0)) from {}"
    expected = warehouse.execute(print_of.format("source.t"))
    return warehouse.execute(print_of.format(f"demo_raw.t where {left}")) == expected


@pytest.mark.feature("X13")
def test_killed_and_retried_is_exact(warehouse, tmp_path):
    chance = random.Random(f"{SEED}-deletes")
    print(f"ETLFABRIC_SEED={SEED} kills={KILLS} rows={ROWS}")
    asked = load_plan(warehouse)
    duration = run(asked, tmp_path, {}, 1).seconds
    assert is_exact(warehouse)
    number = killed = 0
    while killed < KILLS:
        number += 1
        change(warehouse, number)
        process = LoadProcess.start(asked, tmp_path / "work", {}, 10 * number + 2)
        hit = process.kill_after(delay := chance.uniform(0, duration))
        killed += hit
        print(f"{delay:.2f} s of {duration:.2f} s, {'killed' if hit else 'done'}")
        duration = run(asked, tmp_path / "work", {}, 10 * number + 3).seconds
        assert is_exact(warehouse)


@pytest.mark.feature("X13")
@pytest.mark.parametrize(("deletes", "how"), [("soft", signal.SIGKILL), ("hard", signal.SIGSTOP)])
def test_a_writer_that_ends_inside_its_deletes(warehouse, tmp_path, deletes, how):
    """They are made and not committed when it is hit; one that wakes up later commits nothing."""
    asked = load_plan(warehouse, deletes)
    run(asked, tmp_path, {}, 1)
    change(warehouse, 0)
    before = warehouse.execute("select count(*) from source.t")
    with psycopg.connect(warehouse.server.url(warehouse.database)) as blocker:
        blocker.execute("lock table demo_raw._etlfabric_compared in share mode")
        process = LoadProcess.start(asked, tmp_path / "zombie", {}, 2)
        wait_until(lambda: is_blocked(warehouse))
        os.kill(process.process.pid, how)
    left = "_deleted_at is null" if deletes == "soft" else "true"
    try:
        run(asked, tmp_path / "work", {}, 3)
        assert is_exact(warehouse, left)
    finally:
        if how is signal.SIGSTOP:
            os.kill(process.process.pid, signal.SIGCONT)
    if how is signal.SIGSTOP:
        assert process.end() == ("failed", "transient")
    assert is_exact(warehouse, left)
    assert warehouse.execute("select count(*) from source.t") == before
