"""Loads into DuckDB and MariaDB under SIGKILL: after the retry exactly the rows of the source.

By default a few kills on a few rows; `ETLFABRIC_KILLS=50` makes it fifty on many.
"""

import math
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etlfabric_core.extract_load.plan import LoadPlan
from tests.destinations import Target, duckdb_target, load_plan, mariadb_target
from tests.faults.load_process import ALL_KILLS, IS_WHOLE, SEED, LoadProcess
from tests.loading import csv_source, run
from tests.mariadb import running_mariadb

ROWS = 200_000 if IS_WHOLE else 12_000
KILLS = math.ceil(ALL_KILLS / 6) if IS_WHOLE else 1
TYPED = {"id": {"type": "integer"}}
HOW: dict[str, dict[str, Any]] = {
    "append": {"cursor": {"column": "id"}},
    "replace": {"write_disposition": "replace"},
    "merge": {"write_disposition": "merge", "primary_key": ["id"]},
}


@pytest.fixture(params=["duckdb", "mariadb"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    if request.param == "duckdb":
        with duckdb_target(tmp_path / "databases") as made:
            yield made
    else:
        with running_mariadb() as server, mariadb_target(server) as made:
            yield made


def written(path: Path, rows: int) -> Path:
    with path.open("w") as file:
        file.write("id,v\n")
        file.writelines(f"{n},value {n * 7919}\n" for n in range(rows))
    return path


@pytest.mark.feature("B5", "C5")
@pytest.mark.parametrize("how", HOW)
def test_killed_and_retried_is_exactly_once(target: Target, tmp_path: Path, how: str) -> None:
    random.seed(f"{SEED} {how}")
    early = {"t.csv": written(tmp_path / "early.csv", ROWS // 2)}
    whole = {"t.csv": written(tmp_path / "whole.csv", ROWS)}
    plan = _plan(target, early, how)
    run(plan, tmp_path / "work", early, 1)
    started = time.monotonic()
    run(_plan(target, early, how, pipeline="timed", name="timed"), tmp_path / "w2", early, 1)
    span, epoch, killed = time.monotonic() - started, 1, 0
    for _ in range(KILLS):
        epoch += 1
        process = LoadProcess.start(plan, tmp_path / "work", whole, epoch)
        killed += process.kill_after(random.uniform(0.1, 1.5) * span)
    epoch += 1
    run(plan, tmp_path / "work", whole, epoch)
    print(f"seed {SEED}, {how}: {killed} of {KILLS} were killed")
    (found,) = target.execute("select count(*), count(distinct id), sum(id), min(v) from t")
    total = (ROWS, ROWS, ROWS * (ROWS - 1) // 2, "value 0")
    assert (*map(int, found[:3]), found[3]) == total


@pytest.mark.feature("B5", "C5")
def test_rows_of_a_load_that_is_not_complete_are_taken_out(target: Target, tmp_path: Path) -> None:
    """As if it had been killed just before the transaction that makes it count."""
    whole = {"t.csv": written(tmp_path / "whole.csv", ROWS)}
    plan = _plan(target, whole, "append")
    (load_id,) = run(plan, tmp_path / "work", whole, 1).load_ids
    target.execute(f"delete from _dlt_loads where load_id = '{load_id}'")
    target.execute(f"insert into _etlfabric_load values ('{plan.pipeline}', '{load_id}', 't')")
    done = run(plan, tmp_path / "work", whole, 2)
    assert (done.orphans_removed, done.tables[0].loaded) == (ROWS, ROWS)
    assert int(target.execute("select count(*) from t")[0][0]) == ROWS
    assert not target.execute("select * from _etlfabric_load")


def _plan(target: Target, files: dict[str, Path], how: str, **given: Any) -> LoadPlan:
    name = given.pop("name", "t")
    resource = {"name": name, "source": "t.csv", "columns": TYPED, **HOW[how]}
    return load_plan(target, csv_source(files), resource, **given)
