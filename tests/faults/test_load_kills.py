"""Loads under SIGKILL and SIGSTOP: after the retry exactly the source's rows, by count, distinct
keys and checksum.

By default on a part of the flights, as a whole on all 336,776 of them.
"""

import csv
import os
import random
import signal
import time
import zipfile
from collections.abc import Callable, Iterator
from io import TextIOWrapper
from pathlib import Path

import psycopg
import pytest

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.errors import TransientError
from etlfabric_core.extract_load.plan import LoadPlan
from tests.faults.load_process import IS_WHOLE, KILLS, SEED, LoadProcess
from tests.loading import FLIGHTS_DIR, Warehouse, csv_source, new_warehouse, plan, run

ROWS = 336_776 if IS_WHOLE else 40_000
KEY = ["time_hour", "carrier", "flight"]
HOW = {
    "append": {"write_disposition": "append", "cursor": {"column": "time_hour"}},
    "merge": {
        "write_disposition": "merge",
        "primary_key": KEY,
        "cursor": {"column": "time_hour"},
    },
    "replace": {"write_disposition": "replace"},
}


@pytest.fixture(scope="module")
def flights(tmp_path_factory) -> dict[str, Path]:
    """`all.csv`, and `early.csv`: its first half by time, cut where the time changes."""
    folder = tmp_path_factory.mktemp("flights")
    with zipfile.ZipFile(FLIGHTS_DIR / "flights.csv.zip") as archive:
        lines = TextIOWrapper(archive.open("flights.csv"), newline="")
        header, *rows = csv.reader(lines)
    when = header.index("time_hour")
    rows = sorted(rows, key=lambda row: row[when])[:ROWS]
    middle = rows[len(rows) // 2][when]
    early = [row for row in rows if row[when] < middle]
    for name, part in (("all.csv", rows), ("early.csv", early)):
        with (folder / name).open("w", newline="") as file:
            csv.writer(file).writerows([header, *part])
    return {name: folder / name for name in ("all.csv", "early.csv")}


@pytest.fixture
def warehouse(postgres: EmbeddedPostgres, flights: dict[str, Path]) -> Iterator[Warehouse]:
    """With what has to arrive in `public.all` and `public.early`, copied by PostgreSQL itself."""
    with new_warehouse(postgres) as made:
        definition = ", ".join(f"{name} text" for name in columns(flights))
        with psycopg.connect(postgres.url(made.database)) as connection:
            for name in ("all", "early"):
                connection.execute(f'create table public."{name}" ({definition})')
                statement = f"copy public.\"{name}\" from stdin (format csv, header, null 'NA')"
                with connection.cursor().copy(statement) as copy:
                    copy.write(flights[f"{name}.csv"].read_bytes())
        yield made


def columns(flights: dict[str, Path]) -> list[str]:
    with flights["all.csv"].open() as file:
        return next(csv.reader(file))


def is_exact(warehouse: Warehouse, name: str = "all") -> bool:
    """Whether `flights` holds these rows and no others: count, distinct keys, checksum."""
    print_of = (
        f"select count(*), count(distinct ({', '.join(KEY)})), "
        "sum(hashtextextended((to_jsonb(r) - '_dlt_load_id')::text, 0)) from {} r"
    )
    expected = warehouse.execute(print_of.format(f'public."{name}"'))
    return warehouse.execute(print_of.format("demo_raw.flights")) == expected


def flights_plan(warehouse: Warehouse, flights: dict[str, Path], name: str, how: str) -> LoadPlan:
    resource = {"name": "flights", "source": name, **HOW[how]}
    source = csv_source(flights, null_values=["NA"])
    return plan(warehouse, source, resource, batch_size=5_000)


@pytest.mark.feature("C5", "C12")
@pytest.mark.parametrize("how", HOW)
def test_killed_and_retried_is_exactly_once(warehouse, flights, tmp_path, how):
    chance = random.Random(f"{SEED}-{how}")
    print(f"ETLFABRIC_SEED={SEED} how={how} kills={KILLS} rows={ROWS}")
    run(flights_plan(warehouse, flights, "early.csv", how), tmp_path, flights, 1)
    assert is_exact(warehouse, "early")

    whole = flights_plan(warehouse, flights, "all.csv", how)
    duration = _duration(warehouse, whole, tmp_path, flights, how)
    epoch, killed = 10, 0
    while killed < KILLS:
        epoch += 1
        process = LoadProcess.start(whole, tmp_path / "work", flights, epoch)
        delay = chance.uniform(0, duration)
        hit = process.kill_after(delay)
        killed += hit
        print(f"epoch {epoch}: {delay:.2f} s of {duration:.2f} s, {'killed' if hit else 'done'}")
        if how != "append":  # a reader sees the old rows or the new ones, never a mixture
            assert is_exact(warehouse, "early") or is_exact(warehouse)
        retry = run(whole, tmp_path / "work", flights, epoch + 1)
        assert is_exact(warehouse), retry
        duration = retry.seconds  # the machine may have become faster since, or slower
        assert unfinished(warehouse) == 0
        epoch += 2
        if how != "replace" and killed < KILLS:
            _back_to_early(warehouse, flights, tmp_path)
            epoch += 1


def unfinished(warehouse: Warehouse) -> int:
    return warehouse.count("_etlfabric_load")


def _duration(warehouse, whole, tmp_path, flights, how) -> float:
    """How long the load takes undisturbed; leaves the early half behind."""
    began = time.monotonic()
    run(whole, tmp_path / "work", flights, 2)
    seconds = time.monotonic() - began
    if how == "replace":
        run(flights_plan(warehouse, flights, "early.csv", how), tmp_path, flights, 3)
    else:
        _back_to_early(warehouse, flights, tmp_path)
    return seconds


def _back_to_early(warehouse: Warehouse, flights: dict[str, Path], tmp_path: Path) -> None:
    """As if the later loads had never been: their rows, their records and their cursor."""
    first = "(select min(load_id) from _dlt_loads)"
    warehouse.execute(
        "delete from flights where time_hour >= (select max(time_hour) from public.early); "
        "insert into flights select *, " + first + " from public.early "
        "where time_hour = (select max(time_hour) from public.early); "
        f"delete from _dlt_pipeline_state where _dlt_load_id <> {first}; "
        f"delete from _dlt_loads where load_id <> {first}"
    )
    assert is_exact(warehouse, "early")


@pytest.mark.parametrize("stage", ["extract", "normalize"])
def test_a_paused_writer_writes_nothing_after_a_takeover(warehouse, flights, tmp_path, stage):
    whole = flights_plan(warehouse, flights, "all.csv", "append")
    zombie = LoadProcess.start(whole, tmp_path / "zombie", flights, 1)
    zombie.wait_for(stage)
    os.kill(zombie.process.pid, signal.SIGSTOP)
    take_over_and_wake_up(warehouse, whole, flights, tmp_path, zombie)


@pytest.mark.parametrize("how", HOW)
def test_a_writer_paused_inside_its_last_transaction(warehouse, flights, tmp_path, how):
    """All its rows are there and its commit is on the way when it stops."""
    run(flights_plan(warehouse, flights, "early.csv", how), tmp_path, flights, 1)
    whole = flights_plan(warehouse, flights, "all.csv", how)
    with psycopg.connect(warehouse.server.url(warehouse.database)) as blocker:
        blocker.execute("lock table demo_raw._dlt_loads in share mode")
        zombie = LoadProcess.start(whole, tmp_path / "zombie", flights, 2)
        wait_until(lambda: is_blocked(warehouse))
        os.kill(zombie.process.pid, signal.SIGSTOP)
    take_over_and_wake_up(warehouse, whole, flights, tmp_path, zombie)


def is_blocked(warehouse: Warehouse) -> bool:
    """Whether a session of the role waits for a table."""
    query = (
        "select 1 from pg_stat_activity where usename = %s "
        "and wait_event_type = 'Lock' and wait_event = 'relation'"
    )
    return bool(warehouse.execute(query, [warehouse.role]))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def take_over_and_wake_up(warehouse, load_plan, flights, tmp_path, zombie) -> None:
    try:
        result = run(load_plan, tmp_path / "work", flights, 3)
        assert is_exact(warehouse)
        loads = warehouse.execute("select load_id from _dlt_loads order by 1")
    finally:
        os.kill(zombie.process.pid, signal.SIGCONT)
    assert zombie.end() == ("failed", "transient")
    assert is_exact(warehouse)
    assert loads[-1] == (result.load_ids[0],)
    assert warehouse.execute("select load_id from _dlt_loads order by 1") == loads
    assert unfinished(warehouse) == 0


def test_an_older_try_that_comes_late_is_refused(warehouse, flights, tmp_path):
    early = flights_plan(warehouse, flights, "early.csv", "append")
    run(early, tmp_path, flights, 5)
    before = warehouse.count("flights")
    with pytest.raises(TransientError, match="newer try"):
        run(flights_plan(warehouse, flights, "all.csv", "append"), tmp_path, flights, 4)
    assert warehouse.count("flights") == before


def test_two_pipelines_load_into_one_dataset_at_once(warehouse, flights, tmp_path):
    weather_files = {"weather.csv": FLIGHTS_DIR / "weather.csv"}
    weather = plan(
        warehouse,
        csv_source(weather_files, null_values=["NA"]),
        {
            "name": "weather",
            "source": "weather.csv",
            "write_disposition": "merge",
            "primary_key": ["origin", "time_hour"],
        },
        pipeline="weather",
    )
    whole = flights_plan(warehouse, flights, "all.csv", "merge")
    both = [
        LoadProcess.start(whole, tmp_path / "a", flights, 1),
        LoadProcess.start(weather, tmp_path / "b", weather_files, 1),
    ]
    assert [process.end()[0] for process in both] == ["done", "done"]
    assert is_exact(warehouse)
    assert warehouse.count("weather") == 26_115


def test_the_destination_restarts_during_a_load(warehouse, flights, tmp_path):
    """Every session of the load is cut at once, as a restarting server does."""
    whole = flights_plan(warehouse, flights, "all.csv", "append")
    process = LoadProcess.start(whole, tmp_path / "work", flights, 1)
    process.wait_for("normalize")
    warehouse.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = %s",
        [warehouse.role],
    )
    assert process.end() == ("failed", "transient")
    run(whole, tmp_path / "work", flights, 2)
    assert is_exact(warehouse)
