"""Rows that are gone from the source: found by their keys, marked or removed, never too many."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from etlfabric_core.errors import FabricError, TerminalError
from etlfabric_core.extract_load.destinations.postgres import deletes
from etlfabric_core.extract_load.plan import LoadResult, Window
from etlfabric_core.graph.resources import ResourceConfig
from tests.loading import Warehouse, csv_source, plan, run

pytestmark = pytest.mark.feature("X13")

KEYED = {"name": "t", "write_disposition": "merge", "primary_key": ["id"]}
SOFT = {**KEYED, "deletes": "soft"}
HARD = {**KEYED, "deletes": "hard"}
CURSOR = {"cursor": {"column": "at"}}


class Source:
    """A table of PostgreSQL that is loaded again and again."""

    def __init__(self, warehouse: Warehouse, tmp_path: Path) -> None:
        self.warehouse, self.tmp_path, self.epoch = warehouse, tmp_path, 0
        for statement in (
            "create schema source",
            "create table source.t (id int primary key, at timestamptz not null, v text)",
            f"grant usage on schema source to {warehouse.role}",
            f"grant select on source.t to {warehouse.role}",
        ):
            warehouse.execute(statement)

    def insert(self, *days: int, v: str = "a") -> None:
        """One row a day of January, which is also its key."""
        for day in days:
            at = datetime(2024, 1, day, 12, tzinfo=UTC)
            self.warehouse.execute("insert into source.t values (%s, %s, %s)", [day, at, v])

    def delete(self, *ids: int) -> None:
        self.warehouse.execute("delete from source.t where id = any (%s)", [list(ids)])

    def load(self, resource: dict[str, Any], window: Window | None = None) -> LoadResult:
        self.epoch += 1
        made = plan(
            self.warehouse,
            self.warehouse.endpoint(),
            resource,
            source_schema="source",
            window=window,
        ).model_copy(update={"mask_key": "ab" * 16})
        return run(made, self.tmp_path / "work", {}, self.epoch)

    def ids(self, condition: str = "true") -> list[int]:
        query = f"select id from demo_raw.t where {condition} order by id"
        return [row[0] for row in self.warehouse.execute(query)]


@pytest.fixture
def source(warehouse: Warehouse, tmp_path: Path) -> Source:
    return Source(warehouse, tmp_path)


@pytest.mark.parametrize("cursor", [{}, CURSOR], ids=["whole", "incremental"])
@pytest.mark.parametrize("strategy", ["delete-insert", "upsert", "insert-only"])
def test_a_deleted_row_is_marked_and_comes_back(source, cursor, strategy):
    resource = {**SOFT, **cursor, "merge_strategy": strategy}
    source.insert(*range(1, 11))
    source.load(resource)
    assert source.ids("_deleted_at is null") == list(range(1, 11))
    source.delete(3, 10)
    source.insert(11)
    for deleted in (2, 0):
        assert source.load(resource).tables[0].deleted == deleted
        assert source.ids("_deleted_at is not null") == [3, 10]
    marked = source.warehouse.execute("select _deleted_at from demo_raw.t where id = 3")
    source.insert(10, v="again")
    source.load(resource)
    assert source.ids("_deleted_at is not null") == [3]
    assert source.warehouse.execute("select _deleted_at from demo_raw.t where id = 3") == marked
    source.insert(3)  # behind the cursor, and marked as there all the same
    source.load(resource)
    assert source.ids("_deleted_at is null") == list(range(1, 12))


@pytest.mark.parametrize("cursor", [{}, CURSOR], ids=["whole", "incremental"])
def test_a_deleted_row_is_removed(source, cursor):
    source.insert(*range(1, 11))
    source.load({**HARD, **cursor})
    source.delete(1, 10)
    assert source.load({**HARD, **cursor}).tables[0].deleted == 2
    assert source.ids() == list(range(2, 10))
    source.insert(10)
    source.load({**HARD, **cursor})
    assert source.ids() == list(range(2, 11))


@pytest.mark.parametrize("how", [SOFT, HARD], ids=["soft", "hard"])
def test_too_many_deletes_change_nothing(source, how):
    source.insert(*range(1, 11))
    source.load(how)
    source.delete(*range(1, 7))
    source.insert(20)
    with pytest.raises(TerminalError, match=r"6 of 10 rows are gone .* max_deleted is 0\.5; noth"):
        source.load(how)
    assert source.ids() == list(range(1, 11))
    source.load({**how, "max_deleted": 0.6})
    left = "_deleted_at is null" if how is SOFT else "true"
    assert source.ids(left) == [7, 8, 9, 10, 20]
    source.delete(*range(7, 21))
    with pytest.raises(TerminalError, match="the source gave no keys, and the table has 5 rows"):
        source.load({**how, "max_deleted": 1})
    assert source.ids(left) == [7, 8, 9, 10, 20]


@pytest.mark.parametrize("cursor", [{}, CURSOR], ids=["whole", "incremental"])
def test_only_what_the_filters_select_is_compared(source, cursor):
    source.insert(1, 2, 3, v="north")
    source.insert(4, 5, 6, v="south")
    source.load({**SOFT, **cursor})
    north = {**SOFT, **cursor, "filters": [{"column": "v", "op": "eq", "value": "north"}]}
    source.delete(1, 4)
    assert source.load(north).tables[0].deleted == 1
    assert source.ids("_deleted_at is not null") == [1]


def test_a_backfill_compares_its_window(source):
    source.insert(*range(1, 11))
    source.load({**SOFT, **CURSOR})
    source.delete(2, 5)
    source.warehouse.execute("update source.t set at = at + interval '20 days' where id = 4")
    window = Window(start=datetime(2024, 1, 4, tzinfo=UTC), end=datetime(2024, 1, 8, tzinfo=UTC))
    assert source.load({**SOFT, **CURSOR}, window).tables[0].deleted == 1
    # 2 lies outside; 4 left the window, and is at the source all the same.
    assert source.ids("_deleted_at is not null") == [5]


def test_a_masked_and_renamed_key_is_compared_as_it_is_loaded(source):
    mask = {"columns": {"id": {"name": "The Key", "mask": "hash"}, "at": {"include": False}}}
    resource = {**SOFT, **mask, **CURSOR, "primary_key": ["The Key"], "cursor": None}
    source.insert(*range(1, 6))
    source.load(resource)
    source.delete(2)
    assert source.load(resource).tables[0].deleted == 1
    assert source.warehouse.execute(
        "select count(*), count(distinct the_key) from demo_raw.t where _deleted_at is null"
    ) == [(4, 4)]


def test_a_calculated_key_is_compared(source):
    calculated = {"k": {"expression": "upper(v)", "type": "text"}}
    resource = {**SOFT, "primary_key": ["k", "id"], "calculated": calculated, **CURSOR}
    source.insert(1, v="a\tb\\n'\"")
    source.insert(2, 3, v="c")
    source.load(resource)
    source.delete(3)
    assert source.load(resource).tables[0].deleted == 1
    assert source.ids("_deleted_at is null") == [1, 2]


def test_a_rejected_row_is_not_gone(warehouse, tmp_path):
    typed = {"columns": {"n": {"type": "integer"}}, "on_bad_row": "quarantine"}
    resource = {**HARD, **typed, "source": "t.csv"}
    path = tmp_path / "t.csv"
    for epoch, text in enumerate(["id,n\n1,1\n2,2\n3,3\n", "id,n\n1,x\n2,2\n"], start=1):
        path.write_text(text)
        made = plan(warehouse, csv_source({"t.csv": path}), resource)
        table = run(made, tmp_path / "work", {"t.csv": path}, epoch).tables[0]
    assert (table.deleted, table.rejected) == (1, 1)
    assert warehouse.execute("select id, n from t order by id") == [("1", 1), ("2", 2)]


def test_a_load_that_ends_before_the_deletes_is_made_good(source, monkeypatch):
    source.insert(*range(1, 11))
    source.load(SOFT)
    source.delete(1)
    source.insert(11)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(deletes, "apply", interrupted)
        with pytest.raises(KeyboardInterrupt):
            source.load(SOFT)
    assert source.ids("_deleted_at is null") == list(range(1, 12))
    assert source.load(SOFT).tables[0].deleted == 1
    assert source.ids("_deleted_at is null") == list(range(2, 12))


def test_a_writer_that_was_taken_over_deletes_nothing(source, monkeypatch):
    source.insert(*range(1, 5))
    source.load(HARD)
    source.delete(1)
    apply = deletes.apply

    def taken_over(session: Any, tables: Any) -> Any:
        source.warehouse.execute("update demo_raw._etlfabric_lease set epoch = epoch + 1")
        return apply(session, tables)

    monkeypatch.setattr(deletes, "apply", taken_over)
    with pytest.raises(FabricError, match="a newer try"):
        source.load(HARD)
    assert source.ids() == [1, 2, 3, 4]


def test_keys_are_compared_as_often_as_asked(source):
    daily = {**SOFT, "deletes_every": 24, "verify_count": True}
    source.insert(*range(1, 5))
    source.load(daily)
    source.delete(1)
    assert source.load(daily).tables[0].deleted == 0
    source.warehouse.execute(
        "update demo_raw._etlfabric_compared set compared_at = compared_at - interval '25 hours'"
    )
    compared = source.load(daily).tables[0]
    assert (compared.deleted, compared.source_rows, compared.target_rows) == (1, 3, 3)


def test_a_column_of_that_name_at_the_source_is_refused(source):
    source.warehouse.execute('alter table source.t add column "_Deleted_At" text')
    source.insert(1)
    with pytest.raises(TerminalError, match="the source has a column '_deleted_at' itself"):
        source.load(SOFT)


FILTERED = {"filters": [{"column": "v", "op": "eq", "value": "x"}]}


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ({**SOFT, "write_disposition": "append"}, "by the key of a merge"),
        ({**SOFT, "merge_strategy": "scd2"}, "closes the rows that are gone itself"),
        ({**SOFT, **FILTERED, "columns": {"v": {"mask": "hash"}}}, "must be loaded"),
        ({**SOFT, **FILTERED, "columns": {"v": {"include": False}}}, "must be loaded"),
        ({**SOFT, **FILTERED, "other_columns": "exclude"}, "must be loaded"),
        ({**SOFT, "max_deleted": 0}, "greater than 0"),
    ],
)
def test_what_cannot_be_compared_is_refused(resource, words):
    with pytest.raises(ValueError, match=words):
        ResourceConfig.model_validate(resource)


@pytest.mark.parametrize("deletes", ["soft", "hard"])
def test_more_keys_than_fit_into_memory_are_joined(warehouse, tmp_path, deletes):
    """Looked through once for each row, they would be ten thousand million."""
    rows = 100_000
    warehouse.execute(
        "create schema source; "
        f"create table source.t as select generate_series(1, {rows}) as id; "
        f"grant usage on schema source to {warehouse.role}; "
        f"grant select on source.t to {warehouse.role}; "
        f"alter role {warehouse.role} set work_mem = '64kB'; "
        f"alter role {warehouse.role} set statement_timeout = '90s'"
    )
    resource = {"name": "t", "write_disposition": "merge", "primary_key": ["id"]}
    asked = plan(
        warehouse, warehouse.endpoint(), resource | {"deletes": deletes}, source_schema="source"
    )
    run(asked, tmp_path, {}, 1)
    warehouse.execute("delete from source.t where id % 10 = 0")
    assert run(asked, tmp_path, {}, 2).tables[0].deleted == rows // 10
    left = "_deleted_at is null" if deletes == "soft" else "true"
    assert warehouse.execute(f"select count(*) from demo_raw.t where {left}") == [(rows * 9 // 10,)]
