"""Loads into DuckDB, MariaDB and S3 under SIGKILL: after the retry exactly the source's rows.

By default a few kills on a few rows; `ETLFABRIC_KILLS=50` makes it fifty on many.
"""

import contextlib
import math
import random
from pathlib import Path
from typing import Any

import pytest

from etlfabric_core.errors import FabricError
from etlfabric_core.extract_load.plan import LoadPlan
from tests.destinations import Target, load_plan
from tests.faults.load_process import ALL_KILLS, IS_WHOLE, SEED, LoadProcess
from tests.faults.proxy import Direction, proxy
from tests.lakes import LakeTarget
from tests.loading import csv_source, run
from tests.s3_server import S3Server

ROWS = 200_000 if IS_WHOLE else 12_000
KILLS = math.ceil(ALL_KILLS / 6) if IS_WHOLE else 1
TYPED = {"id": {"type": "integer"}}
HOW: dict[str, dict[str, Any]] = {
    "append": {"cursor": {"column": "id"}},
    "replace": {"write_disposition": "replace"},
    "merge": {"write_disposition": "merge", "primary_key": ["id"]},
}


@pytest.fixture(params=["delta", "parquet"] if IS_WHOLE else ["delta"])
def lake(request: pytest.FixtureRequest, s3: S3Server) -> LakeTarget:
    return LakeTarget.new(s3, request.param)


def written(path: Path, rows: int) -> Path:
    with path.open("w") as file:
        file.write("id,v\n")
        file.writelines(f"{n},value {n * 7919}\n" for n in range(rows))
    return path


@pytest.mark.feature("B5", "C5")
@pytest.mark.parametrize("how", HOW)
def test_killed_and_retried_is_exactly_once(target: Target, tmp_path: Path, how: str) -> None:
    _kill_and_retry(target, tmp_path, how)
    assert not target.execute("select * from _etlfabric_load")


@pytest.mark.feature("B5", "C5")
@pytest.mark.parametrize("how", HOW if IS_WHOLE else ["append", "merge"])
def test_so_it_is_in_a_bucket(lake: LakeTarget, tmp_path: Path, how: str) -> None:
    if how == "merge" and lake.table_format == "parquet":
        pytest.skip("plain files are not merged into")
    _kill_and_retry(lake, tmp_path, how)


@pytest.mark.feature("B5", "C5")
@pytest.mark.parametrize("direction", ["to_server", "to_client"] if IS_WHOLE else ["to_client"])
def test_a_line_to_a_bucket_that_breaks_loses_and_doubles_nothing(
    lake: LakeTarget, tmp_path: Path, direction: Direction
) -> None:
    """Cut in the answers, the server has done what the load never hears of."""
    random.seed(f"{SEED} {direction}")
    early = {"t.csv": written(tmp_path / "early.csv", ROWS // 2)}
    whole = {"t.csv": written(tmp_path / "whole.csv", ROWS)}
    epoch = 2
    with proxy(lake.server.port, direction) as line:
        url = {"endpoint_url": f"http://127.0.0.1:{line.port}"}
        run(_plan(lake, early, "append"), tmp_path / "work", early, 1)
        timed = _plan(lake, early, "append", pipeline="timed", name="timed")
        destination = lake.endpoint(**url)
        run(timed.model_copy(update={"destination": destination}), tmp_path / "w2", early, 1)
        plan = _plan(lake, whole, "append").model_copy(update={"destination": destination})
        for _ in range(KILLS):
            epoch, span = epoch + 1, line.passed
            line.break_after(math.ceil(random.uniform(0.05, 1) * span))
            with contextlib.suppress(FabricError):
                run(plan, tmp_path / "work", whole, epoch)
            line.mend()
    run(_plan(lake, whole, "append"), tmp_path / "work", whole, epoch + 1)
    _require_all(lake)


def _kill_and_retry(target: Target, tmp_path: Path, how: str) -> None:
    """Each kill falls into the load of a table of its own, whose first half is there already."""
    chance = random.Random(f"{SEED}-{how}")
    print(f"ETLFABRIC_SEED={SEED} {type(target).__name__} how={how} kills={KILLS} rows={ROWS}")
    early = {"t.csv": written(tmp_path / "early.csv", ROWS // 2)}
    whole = {"t.csv": written(tmp_path / "whole.csv", ROWS)}
    work = tmp_path / "work"
    run(_plan(target, early, how), work, early, 1)
    duration = run(_plan(target, whole, how), work, whole, 2).seconds
    number = killed = 0
    while killed < KILLS:
        number += 1
        own = {"pipeline": f"killed{number}", "name": f"t{number}"}
        run(_plan(target, early, how, **own), work, early, 1)
        asked = _plan(target, whole, how, **own)
        process = LoadProcess.start(asked, work, whole, 2)
        hit = process.kill_after(delay := chance.uniform(0, duration))
        killed += hit
        print(f"{delay:.2f} s of {duration:.2f} s, {'killed' if hit else 'done'}")
        duration = run(asked, work, whole, 3).seconds
        _require_all(target, own["name"])


def _require_all(target: Target, table: str = "t") -> None:
    (found,) = target.execute(f"select count(*), count(distinct id), sum(id), min(v) from {table}")
    total = (ROWS, ROWS, ROWS * (ROWS - 1) // 2, "value 0")
    assert (*map(int, found[:3]), found[3]) == total
    (changed,) = target.execute(
        f"select count(*) from {table} where v <> concat('value ', id * 7919)"
    )
    assert int(changed[0]) == 0


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
