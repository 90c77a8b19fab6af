"""From PostgreSQL into a database that the platform keeps, under Airflow: exact, again, killed."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pytest

from cli.stack import control
from tests.e2e.running import Account, Stack, eventually
from tests.e2e.sources import Source

pytestmark = [pytest.mark.stack]

ROWS, MORE = 1_000, 60_000
BEGUN_BYTES = 1_000_000  # of rows that a load has written down before it is killed
FOLLOWED = {"cursor": {"column": "at"}}
MERGED = {
    "name": "items",
    "write_disposition": "merge",
    "primary_key": ["id"],
    "columns": {"id": {"type": "integer"}},
    **FOLLOWED,
}
APPENDED = {"name": "events", **FOLLOWED}
TABLES = ("items", "events")
MADE = "create table {} (id int primary key, v text, at timestamptz)"
ADDED = (
    "insert into {table} select n, md5(n::text) || repeat(' é', n % 7), "
    "timestamptz '{since}Z' + n * interval '1 second' "
    "from generate_series({first}, {last}) as n"
)
# Every tenth item is another one from now on, and newer than all that there was.
EDITED = (
    "update items set v = null, at = timestamptz '{since}Z' + id * interval '1 second' "
    "where id % 10 = 0"
)


def added(table: str, first: int, last: int, *, since: str) -> str:
    """The statement that makes these rows."""
    return ADDED.format(table=table, first=first, last=last, since=since)


@dataclass(frozen=True)
class Lake:
    """An organization whose pipeline fills a database of its own."""

    stack: Stack
    owner: Account
    source: Source
    connection: dict[str, Any]

    @property
    def file(self) -> Path:
        """The database, as the platform keeps it."""
        name = f"{self.connection['id']}.duckdb"
        (found,) = (self.stack.layout.var / "databases").glob(f"*/{name}")
        return found

    def loaded(self, table: str) -> list[tuple[Any, ...]]:
        """The rows that arrived, without dlt's own columns."""
        with duckdb.connect(str(self.file), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(
                f'select id, v, epoch_us("at") from raw.{table} order by id'
            ).fetchall()

    def require_exact(self) -> None:
        """Each row of the source once, and no other."""
        for table in TABLES:
            asked = f"select id, v, (extract(epoch from at) * 1000000)::bigint from {table}"
            assert self.loaded(table) == self.source.execute(f"{asked} order by id")

    def run(self) -> dict[str, tuple[int, int, int]]:
        """Runs the pipeline: what it says of each table (extracted, loaded, rejected)."""
        return evidence(self.owner.finished(self.owner.start()))

    def writer(self) -> psutil.Process | None:
        """The process of the load, when it has the database open and rows of its own on disk."""
        work = self.stack.layout.var / "work" / self.owner.dag_id
        if not self.file.exists() or _bytes_in(work) < BEGUN_BYTES:
            return None
        for process in control.marked(self.stack.layout):
            try:
                if any(opened.path == str(self.file) for opened in process.open_files()):
                    return process
            except psutil.NoSuchProcess:
                continue  # it ended while we looked
        return None


def _bytes_in(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).stat().st_size
            except FileNotFoundError:
                continue  # it was moved or removed while we looked
    return total


def evidence(run: dict[str, Any]) -> dict[str, tuple[int, int, int]]:
    """Extracted, loaded and rejected rows by table, of a run that went well."""
    assert run["state"] == "success", run["error"]
    (result,) = run["results"]
    return {
        one["table"]: (one["extracted"], one["loaded"], one["rejected"]) for one in result["tables"]
    }


@pytest.fixture
def lake(stack: Stack) -> Lake:
    source = Source.create(stack, "lakesource")
    for table in TABLES:
        source.execute(MADE.format(table), added(table, 1, ROWS, since="2024-01-01"))
    owner = stack.sign_up("lakeside")
    kept = {"name": "Lake", "connector": "duckdb", "config": {}, "direction": "both"}
    connection = owner.post("/connections", kept)
    into = {"destination_connection_id": connection["id"]}
    owner.pipeline("to_lake", source.connect(owner), MERGED, APPENDED, **into)
    owner.publish()
    return Lake(stack, owner, source, connection)


@pytest.mark.feature("B5", "C4", "C5", "C12", "X3")
def test_a_kept_database_is_exact_after_every_run_and_after_a_kill(lake: Lake) -> None:
    assert lake.run() == {"items": (ROWS, ROWS, 0), "events": (ROWS, ROWS, 0)}
    lake.require_exact()

    newer = added("events", ROWS + 1, ROWS + 7, since="2024-02-01")
    lake.source.execute(EDITED.format(since="2024-02-01"), newer)
    changed = ROWS // 10
    assert lake.run() == {"items": (changed, changed, 0), "events": (7, 7, 0)}
    lake.require_exact()
    shown = lake.owner.post(f"/connections/{lake.connection['id']}/preview", {"table": "raw.items"})
    assert shown["rows"], "the database can be looked into"

    for table in TABLES:
        lake.source.execute(added(table, MORE, 2 * MORE, since="2024-03-01"))
    lake.source.execute(EDITED.format(since="2024-04-01"))
    run = lake.owner.start()
    writer = eventually(lake.writer, bool, seconds=120)
    os.kill(writer.pid, signal.SIGKILL)
    ended = lake.owner.finished(run, seconds=400)
    evidence(ended)
    assert {task["task_id"]: task["try_number"] for task in ended["tasks"]}["to_lake"] == 2
    lake.require_exact()
