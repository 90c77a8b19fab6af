"""PostgreSQL to PostgreSQL as binary files, killed or cut off: exact after the retry."""

import random
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cli.stack.postgres import EmbeddedPostgres, wait_until
from tests.faults.load_process import IS_WHOLE, KILLS, SEED, LoadProcess
from tests.faults.places import HOW, fill, is_exact, load_plan
from tests.loading import Warehouse, new_warehouse, run

ROWS = 400_000 if IS_WHOLE else 40_000


@pytest.fixture(scope="module")
def source(postgres: EmbeddedPostgres) -> Iterator[Warehouse]:
    with new_warehouse(postgres) as made:
        fill(made, ROWS)
        yield made


@pytest.fixture
def warehouse(postgres: EmbeddedPostgres) -> Iterator[Warehouse]:
    with new_warehouse(postgres) as made:
        yield made


@pytest.mark.feature("C5", "C12")
@pytest.mark.parametrize("how", HOW)
def test_killed_and_retried_is_exactly_once(warehouse, source, tmp_path, how):
    chance = random.Random(f"{SEED}-{how}")
    print(f"ETLFABRIC_SEED={SEED} how={how} kills={KILLS} rows={ROWS}")
    run(load_plan(warehouse, source, "early", how), tmp_path / "work", {}, 1)
    whole = load_plan(warehouse, source, "everything", how)
    duration = run(whole, tmp_path / "work", {}, 2).seconds
    epoch, killed = 3, 0
    while killed < KILLS:
        _back_to_early(warehouse, source, tmp_path, how, epoch)
        process = LoadProcess.start(whole, tmp_path / "work", {}, epoch + 1)
        delay = chance.uniform(0, duration)
        hit = process.kill_after(delay)
        killed += hit
        print(f"{delay:.2f} s of {duration:.2f} s, {'killed' if hit else 'done'}")
        if how != "append":  # a reader sees the old rows or the new ones, never a mixture
            assert is_exact(warehouse, source, "early") or is_exact(warehouse, source)
        result = run(whole, tmp_path / "work", {}, epoch + 2)
        assert is_exact(warehouse, source), result
        duration = result.seconds  # the machine may have become faster since, or slower
        assert warehouse.count("_etlfabric_load") == 0
        epoch += 3


def _back_to_early(
    warehouse: Warehouse, source: Warehouse, tmp_path: Path, how: str, epoch: int
) -> None:
    warehouse.execute("delete from t where id >= (select count(*) from t) / 2")
    run(load_plan(warehouse, source, "early", how), tmp_path / "work", {}, epoch)
    assert is_exact(warehouse, source, "early")


def test_the_destination_is_cut_off_before_the_rows_come(warehouse, source, tmp_path):
    whole = load_plan(warehouse, source, "everything", "append")
    process = LoadProcess.start(whole, tmp_path / "work", {}, 1)
    process.wait_for("normalize")
    assert cut_off(warehouse)
    assert process.end() == ("failed", "transient")
    run(whole, tmp_path / "work", {}, 2)
    assert is_exact(warehouse, source)


def test_the_source_is_cut_off_while_it_sends(warehouse, source, tmp_path):
    """It has begun its COPY and waits for the table when its session ends."""
    whole = load_plan(warehouse, source, "everything", "append")
    with psycopg.connect(source.server.url(source.database)) as blocker:
        blocker.execute("lock table demo_raw.everything in access exclusive mode")
        process = LoadProcess.start(whole, tmp_path / "work", {}, 1)
        wait_until(lambda: copying(source), 60, lambda: AssertionError("no COPY at the source"))
        assert cut_off(source)
        assert process.end() == ("failed", "transient")
    run(whole, tmp_path / "work", {}, 2)
    assert is_exact(warehouse, source)


def cut_off(warehouse: Warehouse) -> int:
    """Ends every session of the role, as a server does that restarts; says how many."""
    query = "select pg_terminate_backend(pid) from pg_stat_activity where usename = %s"
    return len(warehouse.execute(query, [warehouse.role]))


def copying(source: Warehouse) -> bool:
    """Whether a session of the role has asked for rows in binary and waits for them."""
    query = (
        "select 1 from pg_stat_activity where usename = %s and wait_event_type = 'Lock' "
        "and query ilike '%%to stdout (format binary)%%'"
    )
    return bool(source.execute(query, [source.role]))
