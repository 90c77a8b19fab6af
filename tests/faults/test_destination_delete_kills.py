"""Deletes at DuckDB and MariaDB under SIGKILL: after the retry what the source has is there, and
marked is what it has no longer.

By default a kill on a few rows; `ETLFABRIC_KILLS=50` makes it many on many.
"""

import math
import random
import time
from pathlib import Path
from typing import Any

import pymysql
import pytest

from etlfabric_core.extract_load.plan import LoadPlan
from tests.destinations import DATASET, MariadbTarget, Target, load_plan
from tests.faults.load_process import ALL_KILLS, IS_WHOLE, SEED, LoadProcess
from tests.loading import csv_source, run
from tests.mariadb import MariaDb

pytestmark = pytest.mark.feature("X13", "B5")

ROWS = 100_000 if IS_WHOLE else 6_000
KILLS = math.ceil(ALL_KILLS / 4) if IS_WHOLE else 2
WAITING = (
    "select count(*) from information_schema.processlist "
    "where state like 'Waiting for table metadata lock%'"
)
PATIENCE_S = 120


def written(path: Path, ids: set[int]) -> dict[str, Path]:
    path.write_text("id,v\n" + "".join(f"{n},value {n * 7919}\n" for n in sorted(ids)))
    return {"t.csv": path}


def plan(target: Target, files: dict[str, Path], deletes: str) -> LoadPlan:
    typed = {"columns": {"id": {"type": "integer"}}, "deletes": deletes}
    merged: dict[str, Any] = {"write_disposition": "merge", "primary_key": ["id"]}
    return load_plan(target, csv_source(files), {"name": "t", "source": "t.csv", **typed, **merged})


def is_exact(target: Target, ids: set[int], deletes: str) -> bool:
    left = "_deleted_at is null" if deletes == "soft" else "1 = 1"
    (found,) = target.execute(
        f"select count(*), count(distinct id), coalesce(sum(id), 0) from t where {left}"
    )
    return tuple(map(int, found)) == (len(ids), len(ids), sum(ids))


@pytest.mark.parametrize("deletes", ["soft", "hard"])
def test_killed_and_retried_is_exact(target: Target, tmp_path: Path, deletes: str) -> None:
    chance = random.Random(f"{SEED} {deletes}")
    ids, epoch, killed = set(range(ROWS)), 1, 0
    files = written(tmp_path / "t.csv", ids)
    started = time.monotonic()
    run(plan(target, files, deletes), tmp_path / "work", files, epoch)
    span = time.monotonic() - started
    for number in range(KILLS):
        # A fifth goes, some come back, new ones come.
        ids = {n for n in ids if hash((n, number)) % 5} | {
            n for n in range(ROWS) if n % 7 == number
        }
        ids |= set(range(ROWS + 500 * number, ROWS + 500 * number + 500))
        files = written(tmp_path / "t.csv", ids)
        asked = plan(target, files, deletes)
        process = LoadProcess.start(asked, tmp_path / "work", files, epoch + 1)
        killed += process.kill_after(chance.uniform(0.1, 1.2) * span)
        run(asked, tmp_path / "work", files, epoch + 2)
        epoch += 2
        assert is_exact(target, ids, deletes)
    print(f"seed {SEED}, {deletes}: {killed} of {KILLS} were killed")


@pytest.mark.parametrize("deletes", ["soft", "hard"])
def test_a_writer_that_ends_inside_its_deletes(
    mariadb_server: MariaDb, tmp_path: Path, deletes: str
) -> None:
    """They are made and not committed when it is killed."""
    target = MariadbTarget.new(mariadb_server)
    before, ids = set(range(100)), set(range(20, 110))
    files = written(tmp_path / "t.csv", before)
    run(plan(target, files, deletes), tmp_path / "work", files, 1)
    files = written(tmp_path / "t.csv", ids)
    asked = plan(target, files, deletes)
    with as_root(mariadb_server) as blocker, blocker.cursor() as cursor:
        cursor.execute(f"lock tables {DATASET}._etlfabric_compared read")
        process = LoadProcess.start(asked, tmp_path / "killed", files, 2)
        deadline = time.monotonic() + PATIENCE_S
        while not int(target.execute(WAITING)[0][0]):
            assert time.monotonic() < deadline, "it never came to its deletes"
        process.kill_after(0)
    run(asked, tmp_path / "work", files, 3)
    assert is_exact(target, ids, deletes)


def as_root(server: MariaDb) -> "pymysql.Connection[Any]":
    return pymysql.connect(unix_socket=str(server.folder / "socket"), user="root")
