"""Rows that are gone from the source, at DuckDB and MariaDB: marked or removed, never too many."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from etlfabric_core import clock
from etlfabric_core.errors import FabricError, TerminalError, TransientError
from etlfabric_core.extract_load.destinations.sql import deletes
from etlfabric_core.extract_load.destinations.sql.ledger import LEASE_TABLE
from etlfabric_core.extract_load.plan import LoadResult, TableLoad, Window
from tests.destinations import Target, load, load_plan
from tests.loading import csv_source

pytestmark = pytest.mark.feature("X13", "B5")

TYPES = {"id": {"type": "integer"}, "at": {"type": "timestamp"}}
KEYED = {"write_disposition": "merge", "primary_key": ["id"], "columns": TYPES}
SOFT = {**KEYED, "deletes": "soft"}
HARD = {**KEYED, "deletes": "hard"}
CURSOR = {"cursor": {"column": "at"}}


class Source:
    """A file of one row a day of January, its number the key, that is loaded again and again."""

    def __init__(self, target: Target, folder: Path) -> None:
        self.target, self.folder, self.epoch = target, folder, 0
        self.rows: dict[int, tuple[int, str]] = {}

    def insert(self, ids: Iterable[int], v: str = "a") -> None:
        self.rows |= {id: (id, v) for id in ids}

    def delete(self, *ids: int) -> None:
        for id in ids:
            del self.rows[id]

    def load(self, resource: dict[str, Any], **given: Any) -> LoadResult:
        path = self.folder / "t.csv"
        lines = [f"{id},2024-01-{day:02}T12:00:00Z,{v}" for id, (day, v) in self.rows.items()]
        path.write_text("\n".join(["id,at,v", *lines]) + "\n")
        self.epoch += 1
        spec = {"name": "t", "source": "t.csv", **resource}
        plan = load_plan(self.target, csv_source({"t.csv": path}), spec, **given)
        plan = plan.model_copy(update={"mask_key": "ab" * 16})
        return load(self.folder / "work", plan, {"t.csv": path}, self.epoch)

    def table(self, resource: dict[str, Any], **given: Any) -> TableLoad:
        return self.load(resource, **given).tables[0]

    def ids(self, condition: str = "1 = 1") -> list[int]:
        found = self.target.execute(f"select id from t where {condition} order by id")
        return [int(row[0]) for row in found]


@pytest.fixture
def source(target: Target, tmp_path: Path) -> Source:
    return Source(target, tmp_path)


@pytest.mark.parametrize("cursor", [{}, CURSOR], ids=["whole", "incremental"])
def test_a_deleted_row_is_marked_and_comes_back(source: Source, cursor: dict[str, Any]) -> None:
    resource = {**SOFT, **cursor}
    source.insert(range(1, 11))
    source.load(resource)
    source.delete(3, 10)
    source.insert([11])
    for deleted in (2, 0):
        assert source.table(resource).deleted == deleted
        assert source.ids("_deleted_at is not null") == [3, 10]
    [(marked,)] = source.target.execute("select _deleted_at from t where id = 3")
    age = clock.now() - (marked if marked.tzinfo else marked.replace(tzinfo=UTC))
    assert 0 <= age.total_seconds() < 600
    source.insert([3])  # behind the cursor, and marked as there all the same
    assert source.table(resource).restored == (1 if cursor else 0)
    assert source.ids("_deleted_at is not null") == [10]


def test_a_deleted_row_is_removed(source: Source) -> None:
    source.insert(range(1, 11))
    assert source.table(HARD).deleted == 0
    source.delete(1, 10)
    assert source.table(HARD).deleted == 2
    assert source.ids() == list(range(2, 10))
    staging = source.target.execute(
        "select count(*) from information_schema.tables where table_name like '%etlfabric_keys%'"
    )
    assert int(staging[0][0]) == 0, "no keys are left behind"


@pytest.mark.parametrize("how", [SOFT, HARD], ids=["soft", "hard"])
def test_too_many_deletes_change_nothing(source: Source, how: dict[str, Any]) -> None:
    source.insert(range(1, 11))
    source.load(how)
    source.delete(*range(1, 7))
    source.insert([20])
    with pytest.raises(TerminalError, match=r"6 of 10 rows are gone .* max_deleted is 0\.5; noth"):
        source.load(how)
    assert source.ids() == list(range(1, 11))
    source.load({**how, "max_deleted": 0.6})
    left = "_deleted_at is null" if how is SOFT else "1 = 1"
    assert source.ids(left) == [7, 8, 9, 10, 20]
    source.rows.clear()
    with pytest.raises(TerminalError, match="the source gave no keys, and the table has 5 rows"):
        source.load({**how, "max_deleted": 1})
    assert source.ids(left) == [7, 8, 9, 10, 20]


def test_only_what_the_filters_select_is_compared(source: Source) -> None:
    source.insert([1, 2, 3], v="north")
    source.insert([4, 5, 6], v="south")
    source.load(SOFT)
    filters = [
        {"column": "v", "op": "in", "value": ["north", "east"]},
        {"column": "id", "op": "gte", "value": 1},
        {"column": "at", "op": "lt", "value": "2024-02-01T00:00:00Z"},
    ]
    source.delete(1, 4)
    assert source.table({**SOFT, "filters": filters}).deleted == 1
    assert source.ids("_deleted_at is not null") == [1]
    ordered = [{"column": "v", "op": "gt", "value": "m"}]
    with pytest.raises(TerminalError, match="the filter on 'v' by 'gt' cannot be asked"):
        source.load({**SOFT, "filters": ordered})
    assert source.ids("_deleted_at is not null") == [1]


def test_a_backfill_compares_its_window(source: Source) -> None:
    source.insert(range(1, 11))
    source.load({**SOFT, **CURSOR})
    source.delete(2, 5)
    source.rows[4] = (24, "a")
    window = Window(start=datetime(2024, 1, 4, tzinfo=UTC), end=datetime(2024, 1, 8, tzinfo=UTC))
    assert source.table({**SOFT, **CURSOR}, window=window).deleted == 1
    # 2 lies outside; 4 left the window, and is at the source all the same.
    assert source.ids("_deleted_at is not null") == [5]


def test_keys_are_compared_as_they_are_loaded(source: Source) -> None:
    named = {"id": {"name": "The Key", "mask": "hash"}, "at": {"type": "timestamp"}}
    resource = {**HARD, "columns": named, "primary_key": ["The Key", "at", "v"]}
    source.insert(range(1, 6), v="Ä\t'b\\\" ")
    source.load(resource)
    source.delete(2)
    assert source.table(resource).deleted == 1
    found = source.target.execute("select count(*), count(distinct the_key) from t")
    assert tuple(map(int, found[0])) == (4, 4)
    source.rows[3] = (3, "ä\t'b\\\" ")  # another text, so another key
    assert source.table(resource).deleted == 1
    assert int(source.target.execute("select count(*) from t")[0][0]) == 4


def test_a_rejected_row_is_not_gone(source: Source) -> None:
    bad = {**HARD, "columns": {"id": {"type": "integer"}, "v": {"type": "integer"}}}
    resource = {**bad, "on_bad_row": "quarantine"}
    source.insert([1, 2, 3], v="7")
    source.load(resource)
    source.delete(3)
    source.rows[1] = (1, "x")
    done = source.table(resource)
    assert (done.deleted, done.rejected) == (1, 1)
    assert source.ids() == [1, 2]


def test_keys_are_compared_as_often_as_asked(source: Source) -> None:
    daily = {**SOFT, "deletes_every": 24}
    source.insert(range(1, 5))
    source.load(daily)
    source.delete(1)
    assert source.table(daily).deleted == 0
    source.target.execute("update _etlfabric_compared set compared_at = compared_at - 25 * 3600")
    assert source.table(daily).deleted == 1


def test_a_load_that_ends_before_the_deletes_is_made_good(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.insert(range(1, 11))
    source.load(SOFT)
    source.delete(1)
    source.insert([11])

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(deletes.Comparison, "apply", interrupted)
        with pytest.raises(KeyboardInterrupt):
            source.load(SOFT)
    assert source.ids("_deleted_at is null") == list(range(1, 12))
    assert source.table(SOFT).deleted == 1
    assert source.ids("_deleted_at is null") == list(range(2, 12))


@pytest.mark.parametrize(
    ("statement", "error", "words"),
    [
        ("update {lease} set epoch = epoch + 1", FabricError, "a newer try"),
        ("delete from {keys}", TransientError, "the keys that were brought"),
    ],
)
def test_a_writer_that_was_disturbed_deletes_nothing(
    source: Source, monkeypatch: pytest.MonkeyPatch, statement: str, error: Any, words: str
) -> None:
    source.insert(range(1, 5))
    source.load(HARD)
    source.delete(1)
    apply = deletes.Comparison.apply

    def disturbed(one: deletes.Comparison, staged: int | None) -> Any:
        lease = one.ledger.name(LEASE_TABLE)
        one._run(statement.format(lease=lease, keys=one.staged.name))
        return apply(one, staged)

    monkeypatch.setattr(deletes.Comparison, "apply", disturbed)
    with pytest.raises(error, match=words):
        source.load(HARD)
    assert source.ids() == [1, 2, 3, 4]
