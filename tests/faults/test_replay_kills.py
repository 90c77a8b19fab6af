"""Replays under SIGKILL and SIGSTOP: after the retry every row is in its table or its quarantine,
and in one of them only."""

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.extract_load.plan import LoadPlan
from tests.faults.load_process import IS_WHOLE, KILLS, SEED, LoadProcess
from tests.faults.test_load_kills import is_blocked, unfinished, wait_until
from tests.loading import Warehouse, new_warehouse, plan, run

ROWS = 60_000 if IS_WHOLE else 3_000
# Of three rows one is loaded at once, one is mended, and one is beyond help.
MADE = (
    "create schema source",
    "create table source.t (id int primary key, v text)",
    "insert into source.t select n, case n % 3 when 0 then n::text when 1 then n || 'x' "
    f"else 'y' end from generate_series(1, {ROWS}) as n",
    "grant usage on schema source to {role}",
    "grant select on source.t to {role}",
)
MENDED = {"v": {"type": "integer", "functions": [{"name": "replace", "arguments": ["x", ""]}]}}
HOW = {
    "append": {},
    "merge": {"write_disposition": "merge", "primary_key": ["id"]},
    "insert": {"write_disposition": "insert", "primary_key": ["id"]},
}
# As it was before any replay.
BACK = "delete from t where id % 3 = 1; delete from t__rejected; "
BACK += "insert into t__rejected select * from before"


@pytest.fixture
def warehouse(postgres: EmbeddedPostgres) -> Iterator[Warehouse]:
    with new_warehouse(postgres) as made:
        for statement in MADE:
            made.execute(statement.format(role=made.role))
        yield made


def load_plan(warehouse: Warehouse, how: str, columns: Any, *replay: str) -> LoadPlan:
    resource = {"name": "t", **HOW[how], "columns": columns, "on_bad_row": "quarantine"}
    resource["max_rejected"] = ROWS
    asked = plan(warehouse, warehouse.endpoint(), resource, source_schema="source", batch_size=500)
    return asked.model_copy(update={"replay": replay})


def replay_plan(warehouse: Warehouse, how: str, folder: Path) -> LoadPlan:
    """Of a table whose other rows were put aside by a load before."""
    run(load_plan(warehouse, how, {"v": {"type": "integer"}}), folder, {}, 1)
    assert warehouse.count("t__rejected") == 2 * ROWS // 3
    warehouse.execute("create table before as select * from t__rejected")
    return load_plan(warehouse, how, MENDED, "t")


def is_exact(warehouse: Warehouse) -> bool:
    """Each row of the source once: mended in the table, beyond help in the quarantine."""
    loaded = "select count(*), count(distinct id), sum(id), sum(v) from {}"
    kept = "select count(*), count(distinct {0}), sum({0}) from {1}"
    mended = "(select id, replace(v, 'x', '')::int as v from source.t where v <> 'y') as s"
    pairs = (
        (loaded.format("t"), loaded.format(mended)),
        (
            kept.format("(row ->> 'id')::int", "t__rejected"),
            kept.format("id", "source.t where v = 'y'"),
        ),
    )
    found = [warehouse.execute(have) == warehouse.execute(want) for have, want in pairs]
    return all(found) and unfinished(warehouse) == 0


@pytest.mark.feature("X6")
@pytest.mark.parametrize("how", HOW)
def test_killed_and_retried_is_exact(warehouse, tmp_path, how):
    chance = random.Random(f"{SEED}-replay-{how}")
    print(f"ETLFABRIC_SEED={SEED} how={how} kills={KILLS} rows={ROWS}")
    asked = replay_plan(warehouse, how, tmp_path)
    duration = run(asked, tmp_path, {}, 2).seconds
    assert is_exact(warehouse)
    number = killed = 0
    while killed < KILLS:
        number += 1
        warehouse.execute(BACK)
        process = LoadProcess.start(asked, tmp_path / "work", {}, 10 * number + 3)
        hit = process.kill_after(delay := chance.uniform(0, duration))
        killed += hit
        print(f"{delay:.2f} s of {duration:.2f} s, {'killed' if hit else 'done'}")
        duration = run(asked, tmp_path / "work", {}, 10 * number + 4).seconds
        assert is_exact(warehouse)


@pytest.mark.feature("X6")
@pytest.mark.parametrize(
    ("how", "sent"),
    [("append", signal.SIGKILL), ("merge", signal.SIGKILL), ("insert", signal.SIGSTOP)],
)
def test_a_writer_that_ends_inside_its_last_transaction(warehouse, tmp_path, how, sent):
    """Its rows are there and have left the quarantine, and neither is committed when it is hit."""
    asked = replay_plan(warehouse, how, tmp_path)
    with psycopg.connect(warehouse.server.url(warehouse.database)) as blocker:
        blocker.execute("lock table demo_raw._dlt_loads in share mode")
        process = LoadProcess.start(asked, tmp_path / "zombie", {}, 2)
        wait_until(lambda: is_blocked(warehouse))
        os.kill(process.process.pid, sent)
    try:
        assert warehouse.count("t__rejected") == 2 * ROWS // 3
        run(asked, tmp_path / "work", {}, 3)
        assert is_exact(warehouse)
    finally:
        if sent is signal.SIGSTOP:
            os.kill(process.process.pid, signal.SIGCONT)
    if sent is signal.SIGSTOP:
        assert process.end() == ("failed", "transient")
    assert is_exact(warehouse)
