"""What may change at the destination: entities x policies, on the way that loads really take."""

from pathlib import Path

import pytest

from etlfabric_core.errors import TerminalError
from tests.loading import Warehouse, csv_source, plan, run

pytestmark = pytest.mark.feature("C10")

FIRST = "id,n\n1,10\n"
TYPED = {"columns": {"n": {"type": "integer"}}}


class Table:
    """One table that is loaded again and again, with its columns as they are configured."""

    def __init__(self, warehouse: Warehouse, tmp_path: Path) -> None:
        self.warehouse, self.tmp_path, self.epoch = warehouse, tmp_path, 0

    def load(self, text: str, contract: dict[str, str], **resource: object):
        self.epoch += 1
        path = self.tmp_path / "t.csv"
        path.write_text(text)
        spec = {"name": "t", "source": "t.csv", "contract": contract, **resource}
        load_plan = plan(self.warehouse, csv_source({"t.csv": path}), spec)
        return run(load_plan, self.tmp_path / "work", {"t.csv": path}, self.epoch)

    def columns(self) -> list[str]:
        found = self.warehouse.execute(
            "select column_name from information_schema.columns where table_schema = %s "
            "and table_name = 't' and column_name not like '\\_dlt%%' order by ordinal_position",
            [self.warehouse.dataset],
        )
        return [row[0] for row in found]

    def rejected(self) -> list[tuple]:
        return self.warehouse.execute('select "column", reason, row from t__rejected')


@pytest.fixture
def table(warehouse: Warehouse, tmp_path: Path) -> Table:
    return Table(warehouse, tmp_path)


@pytest.mark.parametrize("policy", ["evolve", "freeze", "discard_row", "discard_value"])
def test_a_new_table(table, policy):
    there = table.warehouse.execute
    if policy == "freeze":
        with pytest.raises(TerminalError, match=r"contract\.tables: the table does not exist"):
            table.load(FIRST, {"tables": policy})
    else:
        result = table.load(FIRST, {"tables": policy})
        assert result.skipped == (() if policy == "evolve" else ("t",))
    assert (there("select to_regclass('t') is not null") == [(True,)]) == (policy == "evolve")


@pytest.mark.parametrize("policy", ["evolve", "freeze", "discard_row", "discard_value"])
def test_a_new_column(table, policy):
    table.load(FIRST, {})
    text = "id,n,extra\n2,20,\n3,30,x\n"
    rows = "select id from t order by 1"
    if policy == "freeze":
        with pytest.raises(TerminalError, match=r"contract\.columns: new are extra; nothing"):
            table.load(text, {"columns": policy})
        assert table.warehouse.execute(rows) == [("1",)]
        return
    loaded = table.load(text, {"columns": policy}).tables[0]
    assert loaded.extracted == loaded.loaded + loaded.rejected == 2
    assert table.columns() == (["id", "n", "extra"] if policy == "evolve" else ["id", "n"])
    if policy == "discard_row":
        assert table.warehouse.execute(rows) == [("1",), ("2",)]
        assert table.rejected() == [
            (
                "extra",
                "the contract allows no new column",
                {"id": "3", "n": "30", "extra": "x"},
            )
        ]
    else:
        assert table.warehouse.execute(rows) == [("1",), ("2",), ("3",)]


@pytest.mark.parametrize("policy", ["evolve", "freeze", "discard_row", "discard_value"])
def test_another_type(table, policy):
    table.load(FIRST, {}, **TYPED)
    text = "id,n\n2,20\n3,many\n"  # n is text now
    rows = "select id, n from t order by 1"
    if policy in ("freeze", "evolve"):
        words = r"contract\.data_type: n is text, was integer; nothing was written"
        words = words if policy == "freeze" else "a value does not fit its column"
        with pytest.raises(TerminalError, match=words):
            table.load(text, {"data_type": policy})
        table.load("id,n\n4,40\n", {}, **TYPED)
        assert table.warehouse.execute(rows) == [("1", 10), ("4", 40)]
        return
    loaded = table.load(text, {"data_type": policy}).tables[0]
    assert loaded.extracted == loaded.loaded + loaded.rejected == 2
    if policy == "discard_row":
        assert table.warehouse.execute(rows) == [("1", 10), ("2", 20)]
        assert table.rejected() == [
            ("n", "the contract asks for an integer", {"id": "3", "n": "many"})
        ]
    else:
        assert table.warehouse.execute(rows) == [("1", 10), ("2", 20), ("3", None)]


@pytest.mark.parametrize("policy", ["freeze", "discard_row", "discard_value"])
@pytest.mark.parametrize(
    "masked",
    [
        {"columns": {"n": {"mask": "hash"}}},
        {
            "columns": {"n": {"include": False}},
            "calculated": {"n": {"expression": "id", "type": "integer", "mask": "redact"}},
        },
    ],
    ids=["column", "calculated"],
)
def test_a_mask_fits_no_column_that_holds_other_types_than_text(table, policy, masked):
    table.load(FIRST, {}, **TYPED)
    with pytest.raises(TerminalError, match=r"n is text, was integer; nothing was written"):
        table.load("id,n\n2,20\n", {"data_type": policy}, **masked)
    assert table.warehouse.execute("select id, n from t") == [("1", 10)]


def test_a_contract_does_not_hide_a_bad_value(table):
    table.load(FIRST, {}, **TYPED)
    with pytest.raises(TerminalError, match=r"line 2, column 'n': not an integer"):
        table.load("id,n,extra\n2,x,y\n", {"columns": "discard_row"}, **TYPED)


def test_what_the_table_has_already_is_no_change(table):
    frozen = {"tables": "freeze", "columns": "freeze", "data_type": "freeze"}
    table.load("Id,n,At\n1,10,2024-01-01\n", {})
    table.load("Id,n,At\n2,20,2024-01-02\n", frozen)
    assert table.warehouse.count("t") == 2
