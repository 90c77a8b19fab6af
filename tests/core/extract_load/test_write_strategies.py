"""How new rows meet the rows that are there: insert, and the strategies of a merge."""

from pathlib import Path

import pytest

from etlfabric_core.errors import TerminalError
from tests.loading import Warehouse, csv_source, plan, run

FIRST = "id,v\n1,a\n2,b\n"
SECOND = "id,v\n2,B\n3,c\n"


class Table:
    """One table that is loaded again and again."""

    def __init__(self, warehouse: Warehouse, tmp_path: Path, **resource: object) -> None:
        self.warehouse, self.tmp_path, self.epoch = warehouse, tmp_path, 0
        self.spec = {"name": "t", "source": "t.csv", "primary_key": ["id"], **resource}

    def load(self, text: str):
        self.epoch += 1
        path = self.tmp_path / "t.csv"
        path.write_text(text)
        load_plan = plan(self.warehouse, csv_source({"t.csv": path}), self.spec)
        return run(load_plan, self.tmp_path / "work", {"t.csv": path}, self.epoch)

    def rows(self) -> list[tuple]:
        return self.warehouse.execute("select id, v from t order by 1, 2")


@pytest.mark.feature("C6")
def test_insert_takes_new_rows_and_fails_on_a_known_key(warehouse, tmp_path):
    table = Table(warehouse, tmp_path, write_disposition="insert")
    assert table.load(FIRST).tables[0].loaded == 2
    with pytest.raises(TerminalError, match=r"1 keys \(id\) are there already, for example 2;"):
        table.load(SECOND)
    assert table.rows() == [("1", "a"), ("2", "b")]
    table.load("id,v\n3,c\n")
    assert table.rows() == [("1", "a"), ("2", "b"), ("3", "c")]


@pytest.mark.feature("C6")
def test_insert_fails_on_a_key_that_comes_twice(warehouse, tmp_path):
    table = Table(warehouse, tmp_path, write_disposition="insert")
    with pytest.raises(TerminalError, match="is not unique: 2 rows share 1 keys"):
        table.load("id,v\n1,a\n1,b\n")
    assert table.rows() == []
    table.load(FIRST)
    assert table.rows() == [("1", "a"), ("2", "b")]


@pytest.mark.feature("C5", "C6")
@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("delete-insert", [("1", "a"), ("2", "B"), ("3", "c")]),
        ("upsert", [("1", "a"), ("2", "B"), ("3", "c")]),
        ("insert-only", [("1", "a"), ("2", "b"), ("3", "c")]),
    ],
)
def test_what_a_merge_does_with_a_known_key(warehouse, tmp_path, strategy, expected):
    table = Table(warehouse, tmp_path, write_disposition="merge", merge_strategy=strategy)
    table.load(FIRST)
    table.load(SECOND)
    assert table.rows() == expected
    table.load(SECOND)
    assert table.rows() == expected


@pytest.mark.feature("C5")
def test_scd2_keeps_former_versions(warehouse, tmp_path):
    table = Table(
        warehouse, tmp_path, write_disposition="merge", merge_strategy="scd2", primary_key=[]
    )
    for text in (FIRST, SECOND, SECOND):
        table.load(text)
    open_, closed = (
        warehouse.execute(f"select id, v from t where _dlt_valid_to is {null} null order by 1")
        for null in ("", "not")
    )
    assert (open_, closed) == ([("2", "B"), ("3", "c")], [("1", "a"), ("2", "b")])


@pytest.mark.parametrize("least", [2, 3])
def test_too_few_rows_are_taken_for_a_broken_source(warehouse, tmp_path, least):
    table = Table(warehouse, tmp_path, write_disposition="replace", minimum_rows=least)
    table.load("id,v\n1,a\n2,b\n3,c\n")
    if least == 2:
        table.load(FIRST)
        assert len(table.rows()) == 2
        return
    with pytest.raises(TerminalError, match="2 rows were extracted, minimum_rows is 3"):
        table.load(FIRST)
    assert len(table.rows()) == 3
