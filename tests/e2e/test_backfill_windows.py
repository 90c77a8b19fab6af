"""A bounded backfill is the same from the API and from Airflow's shell, cancelled or not."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from etlfabric_core import clock
from tests.e2e.running import Account, Stack, eventually
from tests.e2e.sources import Source, execute

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200)]

DAYS = 6
SECONDS = 600  # for the windows of a backfill, on a machine that does other things as well
TABLES = ("merged", "appended", "replaced")
HOW: dict[str, dict[str, Any]] = {
    "merged": {"write_disposition": "merge", "primary_key": ["id"]},
    "appended": {},
    "replaced": {"write_disposition": "replace"},
}
MADE = (
    "create table readings as select n as id, 'first ' || n as v, "
    "timestamptz '2024-03-01Z' + n * interval '1 hour' as at "
    f"from generate_series(0, {24 * DAYS}) n"
)
# In and around the windows: what is outside must not arrive.
CHANGED = (
    "update readings set v = 'second ' || id where id % 3 = 0",
    "delete from readings where id % 10 = 5",
    "insert into readings select 1000 + n, 'late ' || n, "
    f"timestamptz '2024-03-01Z' + n * interval '1 hour' from generate_series(0, {24 * DAYS}, 6) n",
)
# As if the windows had never been loaded right. What the source has lost no merge brings back.
DAMAGED = (
    "delete from {table} where at >= '{start}' and at < '{end}' and id % 4 = 0",
    "update {table} set v = 'damaged' where at >= '{start}' and at < '{end}' and id % 10 <> 5",
)


@dataclass(frozen=True)
class Refill:
    """An organization whose tables hold all rows, while the source has other ones by now."""

    stack: Stack
    owner: Account
    source: Source
    pipeline: dict[str, Any]
    before: dict[str, list[tuple[Any, ...]]]

    @property
    def backfills(self) -> str:
        return f"/workflows/{self.owner.workflow()['id']}/backfills"

    def positions(self) -> Any:
        """Where the next live load begins."""
        shown = self.owner.get(f"/pipelines/{self.pipeline['id']}/state")["resources"]
        assert any(one["position"] for one in shown)
        return shown

    def table(self, name: str) -> list[tuple[Any, ...]]:
        """The rows in the warehouse, without the ids of their loads."""
        return self.warehouse(f"select id, v, at from {self.owner.slug}_raw.{name} order by 1, 2")

    def warehouse(self, *statements: str) -> list[tuple[Any, ...]]:
        url = self.stack.superuser_url("warehouse")
        return execute(url, "set timezone to 'UTC'", *statements)

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        return {name: self.table(name) for name in TABLES}

    def expected(self, start: str, end: str) -> dict[str, list[tuple[Any, ...]]]:
        """The source's rows of these times, and those that were there of all others."""
        begin, over = datetime.fromisoformat(start), datetime.fromisoformat(end)
        query = "select id, v, at from readings where at >= '{}' and at < '{}'"
        new = self.source.execute(query.format(start, end))
        kept = {
            name: [row for row in self.before[name] if not begin <= row[2] < over]
            for name in TABLES
        }
        # A merge brings rows and takes none away: the source's deletes are another matter.
        ids = {row[0] for row in new}
        inside = [row for row in self.before["merged"] if begin <= row[2] < over]
        kept["merged"] += [row for row in inside if row[0] not in ids]
        return {name: sorted([*rows, *new]) for name, rows in kept.items()}

    def damage(self, start: str, end: str) -> None:
        for name in TABLES:
            table = f"{self.owner.slug}_raw.{name}"
            self.warehouse(*(one.format(table=table, start=start, end=end) for one in DAMAGED))

    def finished(self, backfill: int) -> list[str]:
        """The states of its windows when it is over."""
        shown = eventually(
            lambda: self.owner.get(f"{self.backfills}/{backfill}"),
            lambda found: (
                found["completed_at"] is not None
                and not {"queued", "running"} & {one["state"] for one in found["windows"]}
            ),
            SECONDS,
        )
        return [one["state"] for one in shown["windows"]]


@pytest.fixture(scope="module")
def refill(stack: Stack) -> Refill:
    source = Source.create(stack, "refillsource")
    source.execute(MADE)
    owner = stack.sign_up("refilling")
    resources = [
        {"name": name, "source": "readings", "cursor": {"column": "at"}, **HOW[name]}
        for name in TABLES
    ]
    pipeline = owner.pipeline("readings", source.connect(owner), *resources, retries=0)
    hour = (clock.now() + timedelta(hours=12)).hour  # no scheduled run comes in between
    schedule = {"workflow_id": owner.workflow()["id"], "cron": f"0 {hour} * * *", "timezone": "UTC"}
    owner.post("/schedules", schedule | {"missed_runs": "skip"})
    owner.publish()
    ended = owner.finished(owner.start())
    assert ended["state"] == "success", ended["error"]
    made = Refill(stack, owner, source, pipeline, {})
    made.before.update(made.tables())
    assert {len(rows) for rows in made.before.values()} == {24 * DAYS + 1}
    source.execute(*CHANGED)
    return made


@pytest.mark.feature("X5", "K4", "C4", "C5")
def test_a_backfill_leaves_the_same_rows_from_the_api_the_shell_and_resumed(
    refill: Refill,
) -> None:
    period = {"from_date": "2024-03-02T00:00:00Z", "to_date": "2024-03-03T23:59:59Z"}
    positions = refill.positions()
    planned = refill.owner.post(f"{refill.backfills}/plan", period)
    windows = planned["windows"]
    assert [one["takes_part"] for one in planned["parts"]] == [True] * len(TABLES)
    assert len(windows) == 2
    bounds = windows[0]["start"], windows[-1]["end"]
    wanted = refill.expected(*bounds)
    assert wanted != refill.before

    created = refill.owner.post(refill.backfills, period)
    assert refill.finished(created["id"]) == ["success"] * 2
    assert refill.tables() == wanted
    assert refill.positions() == positions

    refill.damage(*bounds)
    assert refill.tables() != wanted
    known = {one["id"] for one in refill.owner.get(refill.backfills)}
    options = ("--from-date", period["from_date"], "--to-date", period["to_date"])
    again = ("--reprocess-behavior", "completed")
    refill.stack.airflow("backfill", "create", "--dag-id", refill.owner.dag_id, *options, *again)
    (id,) = {one["id"] for one in refill.owner.get(refill.backfills)} - known
    assert refill.finished(id) == ["success"] * 2
    assert refill.tables() == wanted
    assert refill.positions() == positions

    refill.damage(*bounds)
    resumed = cancelled_and_resumed(refill, period | {"reprocess": "completed"})
    assert refill.finished(resumed) == ["success"] * 2
    assert refill.tables() == wanted
    assert refill.positions() == positions


def cancelled_and_resumed(refill: Refill, body: dict[str, Any]) -> int:
    """Cancels a backfill whose first window waits for its rows. Returns what goes on with it."""
    with psycopg.connect(refill.source.url) as blocker:
        blocker.execute("lock table readings in access exclusive mode")
        id = refill.owner.post(refill.backfills, body)["id"]
        eventually(lambda: waits_for_rows(refill), bool, SECONDS)
        refill.owner.post(f"{refill.backfills}/{id}/cancel")
        assert set(refill.finished(id)) <= {"failed", "stopped"}
    resumed: dict[str, Any] = refill.owner.post(f"{refill.backfills}/{id}/resume")
    return int(resumed["id"])


def waits_for_rows(refill: Refill) -> bool:
    """Whether a load has asked the source and is kept waiting by the lock."""
    query = "select 1 from pg_stat_activity where usename = %s and wait_event_type = 'Lock'"
    with psycopg.connect(refill.source.url) as connection:
        return bool(connection.execute(query, [refill.source.config["user"]]).fetchall())
