"""Where loads are measured: two databases of one server, with the same rows to load again."""

import csv
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from cli.stack.ports import free_port
from cli.stack.postgres import FAST_AND_LOOSE, EmbeddedPostgres, binaries
from etlfabric_core.extract_load.plan import Endpoint, LoadPlan
from tests.loading import Warehouse, new_warehouse, plan, run

COLUMNS = {
    "id": "bigint",
    "quantity": "int",
    "customer": "text",
    "reference": "text",
    "note": "text",
    "price": "numeric(12,2)",
    "ratio": "float8",
    "paid": "boolean",
    "changed_at": "timestamptz",
    "day": "date",
}
ORDERS = """
create table {name} as select
  n as id, (n * 7919 % 100000)::int as quantity, 'customer ' || n % 50000 as customer,
  md5(n::text) as reference, repeat(chr(97 + (n % 26)::int), (n % 30)::int) as note,
  (n % 1000000 / 100.0)::numeric(12, 2) as price, n * 0.1::float8 as ratio, n % 3 = 0 as paid,
  timestamptz '2020-01-01' + n * interval '7 s' as changed_at,
  date '2020-01-01' + (n % 2000)::int as day
from generate_series(1::bigint, {rows}) n
"""
SUM = "select count(*), sum(hashtextextended(row({values})::text, 0)) from {name}"


@dataclass
class World:
    """A source and a destination on one server, and a directory to work in."""

    source: Warehouse
    destination: Warehouse
    work_dir: Path
    epoch: int = 0

    def orders(self, name: str, rows: int) -> None:
        """A table of ten columns at the source."""
        if self.source.execute("select to_regclass(%s)", [name]) != [(None,)]:
            return
        self.source.execute(ORDERS.format(name=name, rows=rows))
        self.source.execute(f"vacuum analyze {name}")
        self.source.execute(f"grant select on {name} to {self.source.role}")

    def csv_file(self, name: str, *, plain: bool = False) -> Path:
        """That table as CSV with a header; `plain` without booleans and zones."""
        path = self.work_dir / f"{name}{'_plain' * plain}.csv"
        if not path.exists():
            columns = ", ".join(COLUMNS)
            if plain:
                columns = columns.replace("paid", "paid::int as paid")
                columns = columns.replace(
                    "changed_at", "changed_at at time zone 'UTC' as changed_at"
                )
            copy = f"\\copy (select {columns} from {name}) to '{path}' csv header"
            psql(self.url(self.source), copy)
        return path

    def sqlite_file(self, name: str) -> Path:
        """That table in a SQLite file."""
        path = self.work_dir / f"{name}.sqlite"
        if not path.exists():
            types = ", ".join(f"{column} {type_}" for column, type_ in COLUMNS.items())
            places = ", ".join("?" * len(COLUMNS))
            with (
                self.csv_file(name, plain=True).open(newline="") as text,
                closing(sqlite3.connect(path)) as file,
            ):
                rows = csv.reader(text)
                next(rows)
                file.execute(f"create table {name} ({types})")
                file.executemany(f"insert into {name} values ({places})", rows)
                file.commit()
        return path

    def plan(self, table: str, origin: Endpoint | None = None, **resource: Any) -> LoadPlan:
        """A load of that table, by a pipeline of its own; from PostgreSQL unless told otherwise."""
        origin = origin or self.source.endpoint(schema=self.source.dataset)
        return plan(self.destination, origin, {"name": table, **resource}, pipeline=table)

    def drop(self, table: str) -> None:
        """The next load of the table is the first."""
        self.destination.execute(f"drop table if exists {table}, demo_raw_staging.{table}")
        for bookkeeping in ("_dlt_version", "_dlt_loads", "_dlt_pipeline_state"):
            self.destination.execute(f"drop table if exists {bookkeeping}")

    def require_same_rows(self, source: str, loaded: str) -> None:
        """Counts and hashes of all values, whatever type a column has got.

        Raises:
            RuntimeError: they differ.
        """
        values = ", ".join(f"{column}::{type_}" for column, type_ in COLUMNS.items())
        values = values.replace("paid::", "paid::int::")  # MariaDB has no booleans
        given, found = (
            warehouse.execute(SUM.format(values=values, name=name))
            for warehouse, name in ((self.source, source), (self.destination, loaded))
        )
        if given != found:
            raise RuntimeError(f"{loaded} holds {found}, {source} {given}")

    def url(self, warehouse: Warehouse) -> str:
        """As superuser, with the dataset first in the search path."""
        url = warehouse.server.url(warehouse.database)
        return f"{url}?options=-csearch_path%3D{warehouse.dataset}"

    def next_epoch(self) -> int:
        """Every load is a new try."""
        self.epoch += 1
        return self.epoch

    def raw_table(self, name: str) -> None:
        """An empty table for an anchor."""
        types = ", ".join(f"{column} {type_}" for column, type_ in COLUMNS.items())
        self.destination.execute(f"drop table if exists {name}; create table {name} ({types})")

    def raw_copy(self, table: str) -> float:
        """Seconds in which one server process writes binary rows and another one reads them."""
        self.raw_table("raw_copy")
        reading = subprocess.Popen(
            _psql(self.url(self.source), f"copy {table} to stdout (format binary)"),
            stdout=subprocess.PIPE,
        )
        began = time.monotonic()
        psql(self.url(self.destination), "copy raw_copy from stdin (format binary)", reading.stdout)
        seconds = time.monotonic() - began
        if reading.wait() != 0:
            raise RuntimeError("the anchor could not read its table")
        return seconds

    def client_copy(self, path: Path) -> float:
        r"""Seconds in which psql's \copy loads a CSV file."""
        self.raw_table("raw_copy")
        began = time.monotonic()
        psql(self.url(self.destination), f"\\copy raw_copy from '{path}' csv header")
        return time.monotonic() - began

    def load(self, load_plan: LoadPlan, files: Mapping[str, Path] | None = None) -> "Load":
        """A first, full load in a process that has loaded one row before, as a warm worker has."""
        table = load_plan.pipeline
        self.drop(table)
        self.drop("warm_up")
        self.orders("warm_up", 1)
        folder = self.work_dir / "load"
        calls = [
            (loaded, (one, folder, self.next_epoch(), dict(files or {})))
            for one in (self.plan("warm_up"), load_plan)
        ]
        result: Load = in_child(*calls)[-1]
        return result


@dataclass(frozen=True)
class Load:
    """How long a load took, and the most memory that its process has used until its end."""

    seconds: float
    peak_mib: float


def loaded(load_plan: LoadPlan, work_dir: Path, epoch: int, files: dict[str, Path]) -> Load:
    """In a child: one load."""
    result = run(load_plan, work_dir, files, epoch)
    return Load(result.seconds, peak_mib("self"))


def peak_mib(pid: int | str) -> float:
    """The most memory a process has had; unlike `ru_maxrss`, without that of its parent."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def in_child(*calls: tuple[Callable[..., Any], tuple[Any, ...]]) -> list[Any]:
    """What the functions return, one after the other in one new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return [pool.submit(function, *arguments).result() for function, arguments in calls]


def psql(url: str, command: str, stdin: Any = subprocess.DEVNULL) -> None:
    """One command."""
    subprocess.run(_psql(url, command), stdin=stdin, check=True)


def _psql(url: str, command: str) -> list[str]:
    return [str(binaries() / "psql"), "-qX", "-v", "ON_ERROR_STOP=1", url, "-c", command]


@contextmanager
def new_world() -> Iterator[World]:
    """Gone at the end."""
    with tempfile.TemporaryDirectory(prefix="bench-load-") as folder:
        work_dir = Path(folder)
        work_dir.chmod(0o755)  # the server runs as another user where we are root
        server = EmbeddedPostgres(work_dir / "pg", free_port(), "bench", settings=FAST_AND_LOOSE)
        server.start()
        try:
            with new_warehouse(server) as source, new_warehouse(server) as destination:
                for warehouse in (source, destination):
                    warehouse.execute(f"alter database {warehouse.database} set timezone to 'UTC'")
                yield World(source, destination, work_dir)
        finally:
            server.stop()
