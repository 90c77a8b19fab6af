"""Loads of whole tables, from databases and from files, beside the fastest way there is."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from etlfabric_core.extract_load.plan import Endpoint, FileRef, LoadPlan
from tests.benchmarks.dlt_default import DefaultLoad
from tests.benchmarks.report import Report
from tests.benchmarks.world import COLUMNS, Load, World, in_child
from tests.loading import csv_source
from tests.mariadb import MariaDb, running_mariadb

ROWS = int(os.environ.get("ROWS", "2_000_000"))
MORE_ROWS = int(os.environ.get("MORE_ROWS", "0"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
DEFAULT_ROWS = 50_000  # dlt by itself is so slow that a part of the rows tells its rate
GIBIBYTE = 1 << 30
TYPED = {
    "id": {"type": "integer"},
    "quantity": {"type": "integer"},
    "customer": {"name": "client"},
    "price": {"type": "number"},
    "ratio": {"type": "number"},
    "paid": {"type": "boolean"},
    "changed_at": {"type": "timestamp"},
    "day": {"type": "date"},
}
CALCULATED = {
    "total": {"expression": "price * quantity", "type": "number"},
    "label": {"expression": "upper(client) || ' ' || reference", "type": "text"},
}


def alternate(
    anchor: Callable[[], float], load: Callable[[], Load], verify: Callable[[], None]
) -> tuple[list[float], list[Load]]:
    """Both in turn; `verify` fails when what was loaded is not what is there."""
    anchors, loads = [], []
    for _ in range(ROUNDS):
        anchors.append(anchor())
        loads.append(load())
        verify()
    return anchors, loads


def pg_full(world: World, report: Report) -> None:
    """PostgreSQL to PostgreSQL: speed against raw COPY and against dlt, and memory."""
    world.orders("orders", ROWS)
    raw, loads = alternate(
        lambda: world.raw_copy("orders"),
        lambda: world.load(world.plan("orders")),
        lambda: world.require_same_rows("orders", "orders"),
    )
    ours = [load.seconds for load in loads]
    report.ratio("pg_full", ">= 0.40", ours=("load_s", ours), anchor=("raw_s", raw), rows=ROWS)
    peak = max(load.peak_mib for load in loads)
    report.add("pg_full_rss_mib", peak, "<= 256", rows=ROWS)
    _vs_default(world, report, ours)
    if MORE_ROWS:
        world.orders("more_orders", MORE_ROWS)
        more = world.load(world.plan("more_orders"))
        world.require_same_rows("more_orders", "more_orders")
        world.source.execute("drop table more_orders")
        world.drop("more_orders")
        report.add("pg_full_rss_more_mib", more.peak_mib, "<= 256", rows=MORE_ROWS)


def _vs_default(world: World, report: Report, ours: list[float]) -> None:
    seconds = []
    for number in range(ROUNDS):
        warm, load = (
            DefaultLoad(
                world.url(world.source),
                world.url(world.destination),
                table,
                f"{table}_default_{number}",
                str(world.work_dir / "default"),
                limit=DEFAULT_ROWS,
            )
            for table in ("warm_up", "orders")
        )
        taken = in_child((warm.run, ()), (load.run, ()))[-1]
        seconds.append(taken * ROWS / min(ROWS, DEFAULT_ROWS))
    report.ratio(
        "pg_full_vs_dlt", ">= 20", ours=("load_s", ours), anchor=("dlt_s_by_its_rate", seconds)
    )


def csv_mapped(world: World, report: Report) -> None:
    """A CSV file whose columns get names and types."""
    _csv(world, report, "csv_mapped", ">= 0.60", columns=TYPED)


def csv_calculated(world: World, report: Report) -> None:
    """The same, with two calculated columns."""
    _csv(world, report, "csv_calculated", ">= 0.30", columns=TYPED, calculated=CALCULATED)


def _csv(world: World, report: Report, name: str, target: str, **resource: Any) -> None:
    world.orders("orders", ROWS)
    path = world.csv_file("orders")
    anchors, loads = alternate(
        lambda: world.client_copy(path),
        lambda: world.load(csv_plan(world, name, path, **resource), {path.name: path}),
        lambda: world.require_same_rows("orders", f"(select *, client as customer from {name}) t"),
    )
    ours = [load.seconds for load in loads]
    peak = max(load.peak_mib for load in loads)
    report.ratio(
        name, target, ours=("load_s", ours), anchor=("copy_s", anchors), rows=ROWS, rss_mib=peak
    )
    world.drop(name)


def csv_plan(world: World, name: str, path: Path, **resource: Any) -> LoadPlan:
    """A load of a CSV file into a table of that name."""
    return world.plan(name, csv_source({path.name: path}), source=path.name, **resource)


def csv_1gb(world: World, report: Report) -> None:
    """The memory in which a CSV file of 1 GiB is mapped and loaded."""
    world.orders("orders", ROWS)
    path = world.csv_file("orders")
    large = world.work_dir / "large.csv"
    header, _, rows = path.read_bytes().partition(b"\n")
    with large.open("wb") as file:
        file.write(header + b"\n")
        while (left := GIBIBYTE - file.tell()) >= len(rows):
            file.write(rows)
        file.write(rows[: rows.rfind(b"\n", 0, left) + 1])
    size = large.stat().st_size
    load = world.load(
        csv_plan(world, "large", large, columns=TYPED, calculated=CALCULATED), {large.name: large}
    )
    world.drop("large")
    large.unlink()
    report.add("csv_1gb_rss_mib", load.peak_mib, "<= 512", bytes=size, load_s=load.seconds)


def sql_sqlite(world: World, report: Report) -> None:
    """An uploaded SQLite file."""
    world.orders("orders", ROWS)
    path = world.sqlite_file("orders")
    ref = FileRef(name=path.name, sha256="0" * 64, size=path.stat().st_size, url="/")
    source = Endpoint(connector="sqlite", config={"uploads": [1]}, files=(ref,))
    _sql(world, report, "sql_full_sqlite", source, {path.name: path})


def sql_mariadb(world: World, report: Report) -> None:
    """A MariaDB server."""
    world.orders("orders", ROWS)
    path = world.csv_file("orders", plain=True)
    with running_mariadb() as server:
        _fill(server, path)
        _sql(world, report, "sql_full_mariadb", server.endpoint(), {})


def _fill(server: MariaDb, path: Path) -> None:
    types = {**COLUMNS, "ratio": "double", "changed_at": "datetime"}
    columns = ", ".join(f"{column} {type_}" for column, type_ in types.items())
    server.execute(
        f"create table sql_full_mariadb ({columns})",
        f"load data infile '{path}' into table sql_full_mariadb fields terminated by ',' "
        "optionally enclosed by '\"' ignore 1 lines",
        f"grant select, show view on {server.database}.* to '{server.user}'@'%'",
    )


def _sql(
    world: World, report: Report, name: str, source: Endpoint, files: Mapping[str, Path]
) -> None:
    table = "orders" if files else name
    raw, loads = alternate(
        lambda: world.raw_copy("orders"),
        lambda: world.load(world.plan(name, source, source=table), files),
        lambda: world.require_same_rows("orders", name),
    )
    peak = max(load.peak_mib for load in loads)
    ours = [load.seconds for load in loads]
    report.ratio(
        name, ">= 0.20", ours=("load_s", ours), anchor=("raw_s", raw), rows=ROWS, rss_mib=peak
    )
    world.drop(name)
