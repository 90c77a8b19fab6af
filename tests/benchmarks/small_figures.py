"""Loads of what has changed since the last one, beside dlt as it comes."""

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from etlfabric_core.extract_load.plan import LoadPlan
from tests.benchmarks.dlt_default import DefaultLoad
from tests.benchmarks.load_figures import ROUNDS
from tests.benchmarks.report import Report
from tests.benchmarks.world import World, loaded
from tests.faults.load_process import LoadProcess

MERGE_ROWS, CHANGED = 500_000, 10_000
IDLE_ROWS = 20_000
CHANGE = (
    "update changing set quantity = quantity + 1, changed_at = newest.at + interval '1 s' "
    "from (select max(changed_at) as at from changing) newest "
    f"where id % {MERGE_ROWS // CHANGED} = 0"
)


def merge_10k(world: World, report: Report) -> None:
    """A few changed rows of many, merged by key."""
    world.orders("changing", MERGE_ROWS)
    merge = {"write_disposition": "merge", "primary_key": ["id"]}
    load_plan = world.plan("changing", cursor={"column": "changed_at"}, **merge)
    default = _default(world, "changing", key="id", cursor="changed_at")
    theirs, ours = [], []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        for _ in range(ROUNDS + 1):  # the first loads everything
            theirs.append(pool.submit(default.run).result())
            arguments = (load_plan, world.work_dir / "load", world.next_epoch(), {})
            ours.append(pool.submit(loaded, *arguments).result().seconds)
            world.require_same_rows("changing", "changing")
            world.source.execute(CHANGE)
    report.ratio(
        "merge_10k",
        ">= 2",
        ours=("load_s", ours[1:]),
        anchor=("dlt_s", theirs[1:]),
        changed=CHANGED,
        rows=MERGE_ROWS,
    )


def incremental_idle(world: World, report: Report) -> None:
    """Nothing new: a process forked from one that has imported, beside dlt in a cold one.

    So do tasks run: the worker has imported everything before it forks for a task.
    """
    world.orders("still", IDLE_ROWS)
    load_plan = world.plan("still", cursor={"column": "changed_at"})
    default = _default(world, "still", cursor="changed_at")
    theirs, ours = [], []
    for _ in range(ROUNDS + 1):
        theirs.append(_seconds(default.run_cold))
        ours.append(_seconds(lambda: _preloaded(world, load_plan)))
    for table in ("still", "still_default.still"):
        if world.destination.execute(f"select count(*) from {table}") != [(IDLE_ROWS,)]:
            raise RuntimeError(f"{table}: there was something to load")
    report.ratio(
        "incremental_idle", ">= 5", ours=("load_s", ours[1:]), anchor=("cold_dlt_s", theirs[1:])
    )


def _default(world: World, table: str, **how: Any) -> DefaultLoad:
    return DefaultLoad(
        world.url(world.source),
        world.url(world.destination),
        table,
        f"{table}_default",
        str(world.work_dir / "default"),
        **how,
    )


def _preloaded(world: World, load_plan: LoadPlan) -> None:
    process = LoadProcess.start(load_plan, world.work_dir / "load", {}, world.next_epoch())
    if process.end()[0] != "done":
        raise RuntimeError("the load failed")


def _seconds(action: Callable[[], Any]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began
