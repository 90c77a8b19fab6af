"""Loads into DuckDB and MariaDB: every way of writing, tried again, ends with the same rows."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from etlfabric_core.connectors import duckdb as connector
from etlfabric_core.errors import TerminalError, TransientError
from etlfabric_core.extract_load.destinations.writer import FencedError
from etlfabric_core.extract_load.plan import LoadResult, Window
from etlfabric_core.extract_load.runner import run_load
from tests.destinations import DuckdbTarget, Target, load, load_plan
from tests.faults.load_process import LoadProcess
from tests.loading import Holder, csv_source

FIRST = "id,v\n1,a\n2,b\n"
SECOND = "id,v\n2,B\n3,c\n"
HOW_OFTEN: dict[str, dict[str, Any]] = {
    "append": {},
    "replace": {"write_disposition": "replace"},
    "merge": {"write_disposition": "merge", "primary_key": ["id"]},
}
INTEGER = {"columns": {"id": {"type": "integer"}}}


class Table:
    """One table that is loaded again and again."""

    def __init__(self, target: Target, folder: Path, **resource: Any) -> None:
        self.target, self.folder, self.epoch = target, folder, 0
        self.spec = {"name": "t", "source": "t.csv", **INTEGER, **resource}

    def load(self, text: str, **given: Any) -> LoadResult:
        self.epoch += 1
        path = self.folder / "t.csv"
        path.write_text(text)
        plan = load_plan(self.target, csv_source({"t.csv": path}), self.spec, **given)
        return load(self.folder / "work", plan, {"t.csv": path}, self.epoch)

    def rows(self) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.target.execute("select id, v from t order by 1, 2")]


@pytest.mark.feature("B5", "C5")
def test_rows_are_appended_and_counted_where_they_lie(target, tmp_path):
    table = Table(target, tmp_path)
    done = table.load(FIRST).tables[0]
    assert (done.extracted, done.normalized, done.loaded) == (2, 2, 2)
    assert table.load(SECOND).tables[0].loaded == 2
    assert table.rows() == [(1, "a"), (2, "B"), (2, "b"), (3, "c")]


@pytest.mark.feature("B5", "C5")
def test_a_table_is_replaced(target, tmp_path):
    table = Table(target, tmp_path, write_disposition="replace")
    table.load(FIRST)
    assert table.load(SECOND).tables[0].loaded == 2
    assert table.rows() == [(2, "B"), (3, "c")]
    assert table.load("id,v\n").tables[0].loaded == 0
    assert table.rows() == []


@pytest.mark.feature("B5", "C5")
def test_rows_are_merged_by_their_key(target, tmp_path):
    table = Table(target, tmp_path, write_disposition="merge", primary_key=["id"])
    table.load(FIRST)
    assert table.load(SECOND).tables[0].loaded == 2
    assert table.rows() == [(1, "a"), (2, "B"), (3, "c")]


@pytest.mark.feature("B5", "C6")
@pytest.mark.parametrize(
    ("strategy", "expected"),
    [("upsert", [(1, "a"), (2, "B"), (3, "c")]), ("insert-only", [(1, "a"), (2, "b"), (3, "c")])],
)
def test_duckdb_merges_by_every_strategy(duckdb, tmp_path, strategy, expected):
    merge = {"write_disposition": "merge", "primary_key": ["id"], "merge_strategy": strategy}
    table = Table(duckdb, tmp_path, **merge)
    table.load(FIRST)
    table.load(SECOND)
    assert table.rows() == expected


@pytest.mark.feature("B5", "C6")
def test_former_versions_are_kept(target, tmp_path):
    table = Table(target, tmp_path, write_disposition="merge", merge_strategy="scd2")
    table.load(FIRST)
    table.load("id,v\n1,a\n2,B\n")
    current = target.execute("select id, v from t where _dlt_valid_to is null order by 1, 2")
    assert [tuple(row) for row in current] == [(1, "a"), (2, "B")]
    assert table.rows() == [(1, "a"), (2, "B"), (2, "b")]


@pytest.mark.feature("B5", "C6")
def test_insert_takes_new_rows_and_fails_on_a_known_key(duckdb, tmp_path):
    table = Table(duckdb, tmp_path, write_disposition="insert", primary_key=["id"])
    table.load(FIRST)
    with pytest.raises(TerminalError, match=r"1 keys \(id\) are there already, for example 2;"):
        table.load(SECOND)
    assert table.rows() == [(1, "a"), (2, "b")]


@pytest.mark.feature("B5")
def test_keys_of_text_are_told_apart_by_case_accents_and_blanks(target, tmp_path):
    keyed = {"write_disposition": "merge", "primary_key": ["id"], "columns": {}}
    table = Table(target, tmp_path, **keyed)
    table.load("id,v\na,1\n")
    table.load('id,v\nA,2\nä,3\n"a ",4\n')
    assert sorted(table.rows()) == [("A", "2"), ("a", "1"), ("a ", "4"), ("ä", "3")]


@pytest.mark.feature("B5")
@pytest.mark.parametrize("text", ["id,v\n1,a\n1,b\n", "id,v\n1,a\n,b\n"])
def test_a_key_that_is_none_fails_the_load(target, tmp_path, text):
    table = Table(target, tmp_path, write_disposition="merge", primary_key=["id"])
    table.load(FIRST)
    with pytest.raises(TerminalError, match=r"primary_key|part of the key"):
        table.load(text)
    assert table.rows() == [(1, "a"), (2, "b")]


@pytest.mark.feature("B5", "X5")
def test_a_backfill_replaces_the_rows_of_its_window(target, tmp_path):
    at = {"id": {"type": "timestamp"}}
    table = Table(target, tmp_path, columns=at, cursor={"column": "id"})
    text = "id,v\n2024-01-01T00:00:00Z,a\n2024-01-02T00:00:00Z,b\n"
    table.load(text)
    window = Window(start=datetime(2024, 1, 2, tzinfo=UTC), end=datetime(2024, 1, 3, tzinfo=UTC))
    table.load(text.replace(",a", ",A").replace(",b", ",B"), window=window)
    assert [value for _, value in table.rows()] == ["a", "B"]
    assert table.load(text).tables[0].loaded == 0, "the live cursor is where it was"


@pytest.mark.feature("B5")
def test_the_next_load_begins_where_the_last_one_ended(target, tmp_path):
    table = Table(target, tmp_path, cursor={"column": "id"})
    table.load(FIRST)
    assert table.load("id,v\n1,x\n2,b\n3,c\n").tables[0].loaded == 1
    assert table.rows() == [(1, "a"), (2, "b"), (3, "c")]


@pytest.mark.feature("B5", "C5")
@pytest.mark.parametrize("how", HOW_OFTEN)
def test_a_table_that_somebody_dropped_is_made_again(target, tmp_path, how):
    table = Table(target, tmp_path, **HOW_OFTEN[how])
    table.load(FIRST)
    target.execute("drop table t")
    assert table.load(FIRST).tables[0].loaded == 2
    assert table.rows() == [(1, "a"), (2, "b")]


@pytest.mark.feature("B5", "C4")
def test_a_dropped_table_is_not_made_again_without_its_older_rows(target, tmp_path):
    table = Table(target, tmp_path, cursor={"column": "id"})
    table.load(FIRST)
    target.execute("drop table t")
    with pytest.raises(TerminalError, match="'t' is not there any more") as caught:
        table.load("id,v\n1,x\n2,b\n3,c\n")
    assert "reset the cursor" in str(caught.value.hint)


@pytest.mark.feature("B5", "X6")
def test_rejected_rows_arrive_beside_the_others(target, tmp_path):
    table = Table(target, tmp_path, on_bad_row="quarantine", write_disposition="replace")
    done = table.load("id,v\n1,a\nx,b\n").tables[0]
    assert (done.extracted, done.loaded, done.rejected) == (2, 1, 1)
    rejected = target.execute(
        "select line, row from t__rejected"
        if isinstance(target, DuckdbTarget)
        else "select line, `row` from t__rejected"
    )
    assert rejected[0][0] == 3
    assert '"x"' in rejected[0][1]


@pytest.mark.feature("B5", "C10")
def test_a_frozen_table_is_left_alone(target, tmp_path):
    Table(target, tmp_path).load(FIRST)
    frozen = {"contract": {"columns": "freeze", "data_type": "freeze"}}
    table = Table(target, tmp_path, **frozen)
    table.epoch = 1
    table.load(SECOND)
    with pytest.raises(TerminalError, match=r"contract\.columns: new are w"):
        table.load("id,v,w\n4,d,e\n")
    assert len(table.rows()) == 4


@pytest.mark.feature("B5")
def test_a_new_column_is_added(target, tmp_path):
    table = Table(target, tmp_path)
    table.load(FIRST)
    assert table.load("id,v,w\n3,c,x\n").tables[0].new_columns == ("w",)
    assert [row[0] for row in target.execute("select w from t order by id")] == [None, None, "x"]


@pytest.mark.feature("B5")
def test_a_column_without_room_for_the_values_fails_the_load(target, tmp_path):
    Table(target, tmp_path).load(FIRST)
    table = Table(target, tmp_path, columns={})  # text now
    table.epoch = 1
    with pytest.raises(TerminalError, match="it is bigint at the destination and would be text"):
        table.load(SECOND)
    assert table.rows() == [(1, "a"), (2, "b")]


@pytest.mark.feature("B5", "C5")
def test_an_older_writer_is_fenced(target, tmp_path):
    table = Table(target, tmp_path)
    table.epoch = 5
    table.load(FIRST)
    table.epoch = 1
    with pytest.raises(FencedError):
        table.load(SECOND)
    assert table.rows() == [(1, "a"), (2, "b")]


@pytest.mark.feature("B5", "C5")
def test_a_load_waits_for_the_one_that_has_the_database(duckdb, tmp_path):
    """In another process, as two loads are; whoever reads meanwhile is told so."""
    path = tmp_path / "early.csv"
    path.write_text("id,v\n" + "".join(f"{n},x\n" for n in range(20_000)))
    spec = {"name": "other", "source": "t.csv"}
    plan = load_plan(duckdb, csv_source({"t.csv": path}), spec, pipeline="other")
    process = LoadProcess.start(plan, tmp_path / "other", {"t.csv": path}, 1)
    process.wait_for("load")
    process.pause()
    with pytest.raises(TransientError, match="a load is writing"):
        connector.list_tables(duckdb.endpoint(), {})
    waited: list[int] = []

    class Waiting(Holder):
        def check(self) -> None:
            super().check()
            waited.append(1)
            if len(waited) == 3:
                process.resume()

    table = Table(duckdb, tmp_path)
    (tmp_path / "t.csv").write_text(FIRST)
    mine = load_plan(duckdb, csv_source({"t.csv": tmp_path / "t.csv"}), table.spec)
    run_load(
        mine,
        work_dir=tmp_path / "work",
        files={"t.csv": tmp_path / "t.csv"},
        lease=Waiting(1),
        progress=lambda stage, rows: None,
    )
    assert process.end()[0] == "done"
    assert table.rows() == [(1, "a"), (2, "b")]
    assert duckdb.execute("select count(*) from other") == [(20_000,)]
    assert len(waited) > 3


@pytest.fixture
def duckdb(tmp_path: Path) -> DuckdbTarget:
    return DuckdbTarget(tmp_path / "databases" / "1" / "2.duckdb")
