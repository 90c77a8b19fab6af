"""Rejected rows are loaded through a mended configuration, and what is refused again stays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import LoadPlan, LoadResult, TableLoad
from tests.loading import Warehouse, csv_source, plan, run

TEXT = "id,n\n1,10\n2,2x\n3,30\n4,y\n"
STRICT = {"n": {"type": "integer"}}
# Takes an x away: mends the row of 2, and not that of 4.
MENDED = {"n": {"type": "integer", "functions": [{"name": "replace", "arguments": ["x", ""]}]}}


@dataclass
class Loads:
    """Loads of one file as the table `t`, and replays of its rejected rows."""

    warehouse: Warehouse
    folder: Path
    resource: Mapping[str, Any]
    epoch: int = 0
    files: dict[str, Path] = field(default_factory=dict)

    def load(self, text: str, **changes: Any) -> TableLoad:
        (self.folder / "t.csv").write_text(text)
        return self._run((), changes).tables[0]

    def replay(self, **changes: Any) -> TableLoad:
        result = self._run(("t",), changes)
        assert result.replay
        table = result.tables[0]
        assert table.extracted == table.loaded + table.rejected
        return table

    def _run(self, replay: tuple[str, ...], changes: Mapping[str, Any]) -> LoadResult:
        self.epoch += 1
        files = {"t.csv": self.folder / "t.csv"}
        resource = {"name": "t", "source": "t.csv", "on_bad_row": "quarantine", "columns": STRICT}
        resource |= {**self.resource, **changes}
        asked = plan(self.warehouse, csv_source(files), resource, pipeline="one")
        asked = asked.model_copy(update={"replay": replay, "mask_key": "00" * 32})
        return run(asked, self.folder / "work", files, self.epoch)

    def rows(self, columns: str = "id, n") -> list[tuple[Any, ...]]:
        return self.warehouse.execute(f"select {columns} from t order by 1, 2")

    def kept(self) -> list[tuple[Any, ...]]:
        """Line, column, reason."""
        return self.warehouse.execute('select line, "column", reason from t__rejected order by 1')


@pytest.fixture
def loads(warehouse: Warehouse, tmp_path: Path) -> Any:
    return lambda how="append", **resource: Loads(
        warehouse, tmp_path, {"write_disposition": how, **resource}
    )


HOW: Mapping[str, Mapping[str, Any]] = {
    "append": {},
    "replace": {},
    "merge": {"primary_key": ["id"]},
    "insert": {"primary_key": ["id"]},
}


@pytest.mark.feature("X6")
@pytest.mark.parametrize("how", HOW)
def test_what_is_mended_is_loaded_and_the_rest_stays(loads, how):
    loads = loads(how, **HOW[how])
    loads.load(TEXT)
    before = loads.warehouse.execute(
        "select id, rejected_at, row, read_as from t__rejected order by line"
    )
    done = loads.replay(columns=MENDED)
    assert (done.extracted, done.loaded, done.rejected) == (2, 1, 1)
    assert loads.rows() == [("1", 10), ("2", 2), ("3", 30)]
    assert loads.kept() == [(5, "n", "not an integer")]
    after = loads.warehouse.execute("select id, rejected_at, row, read_as from t__rejected")
    assert (after[0][0], after[0][2:]) == (before[1][0], before[1][2:])
    assert after[0][1] > before[1][1]
    again = loads.replay(columns=MENDED)
    assert (again.extracted, again.loaded, again.rejected) == (1, 0, 1)
    assert len(loads.rows()) == 3


def test_nothing_is_there_to_replay(loads):
    loads = loads()
    loads.load("id,n\n1,10\n")
    done = loads.replay()
    assert (done.extracted, done.loaded, done.rejected) == (0, 0, 0)
    assert loads.rows() == [("1", 10)]


@pytest.mark.feature("X6")
def test_the_live_cursor_is_neither_read_nor_moved(loads):
    loads = loads(cursor={"column": "id"}, columns={"id": {"type": "integer"}, **STRICT})
    loads.load(TEXT)
    state = "select count(*), max(version), max(version_hash) from _dlt_pipeline_state"
    before = loads.warehouse.execute(state)
    mended = {"id": {"type": "integer"}, **MENDED}
    assert loads.replay(columns=mended).loaded == 1
    assert loads.warehouse.execute(state) == before
    assert loads.load(TEXT + "5,50\n", columns=mended).loaded == 1
    assert loads.rows() == [(1, 10), (2, 2), (3, 30), (5, 50)]


def test_the_next_replaced_table_has_a_quarantine_of_its_own(loads):
    loads = loads("replace")
    loads.load(TEXT)
    loads.replay(columns=MENDED)
    loads.load("id,n\n7,z\n")
    assert loads.rows() == []
    assert loads.kept() == [(2, "n", "not an integer")]


@pytest.mark.feature("X6", "C10")
def test_what_a_contract_refused_is_loaded_when_it_allows_the_column(loads):
    loads = loads(columns={})
    loads.load("id\n1\n")
    strict = {"columns": "discard_row"}
    loads.load("id,note\n2,\n3,new\n", contract=strict)
    assert loads.kept() == [(3, "note", "the contract allows no new column")]
    assert loads.replay(contract=strict).rejected == 1
    assert loads.replay().loaded == 1
    assert loads.rows("id, note") == [("1", None), ("2", None), ("3", "new")]


def test_a_row_without_its_key_is_loaded_when_it_gets_one(loads):
    loads = loads("merge", primary_key=["id"], columns={})
    loads.load("id,n\n1,10\n,20\n")
    assert loads.replay(columns={"id": {"default": "none"}}).loaded == 1
    assert loads.rows() == [("1", "10"), ("none", "20")]


def test_a_table_that_fails_on_bad_rows_today_keeps_what_still_does_not_fit(loads):
    loads = loads()
    loads.load(TEXT)
    done = loads.replay(columns=MENDED, on_bad_row="fail")
    assert (done.loaded, done.rejected) == (1, 1)


@pytest.mark.feature("X6", "C5")
@pytest.mark.parametrize("strategy", ["delete-insert", "upsert"])
def test_a_newer_row_of_the_key_is_not_overwritten_by_an_older_one(loads, strategy):
    loads = loads("merge", primary_key=["id"], merge_strategy=strategy)
    loads.load(TEXT)
    loads.load("id,n\n2,99\n1,11\n")
    done = loads.replay(columns=MENDED)
    assert (done.loaded, done.rejected) == (0, 2)
    assert loads.rows() == [("1", 11), ("2", 99), ("3", 30)]
    assert (3, "id", "the table has another row of this key by now") in loads.kept()


def test_an_older_row_of_the_key_is_replaced(loads):
    loads = loads("merge", primary_key=["id"])
    loads.load("id,n\n2,1\n")
    loads.load("id,n\n2,2x\n")
    assert loads.replay(columns=MENDED).loaded == 1
    assert loads.rows() == [("2", 2)]


def test_of_several_rows_with_one_key_the_newest_is_loaded(loads):
    loads = loads("merge", primary_key=["id"])
    for text in ("5x", "6x", "7x"):
        loads.load(f"id,n\n1,10\n2,{text}\n")
    done = loads.replay(columns=MENDED)
    assert (done.loaded, done.rejected) == (1, 2)
    assert loads.rows() == [("1", 10), ("2", 7)]


@pytest.mark.parametrize("how", [("insert", {}), ("merge", {"merge_strategy": "insert-only"})])
def test_an_insert_leaves_alone_what_is_there(loads, how):
    loads = loads(how[0], primary_key=["id"], **how[1])
    loads.load("id,n\n2,1\n")
    loads.load("id,n\n2,2x\n3,3x\n")
    done = loads.replay(columns=MENDED)
    assert (done.loaded, done.rejected) == (1, 1)
    assert loads.rows() == [("2", 1), ("3", 3)]


@pytest.mark.feature("X6", "C12")
def test_a_row_that_a_later_load_read_again_is_not_doubled(loads):
    """The boundary of an append is read by two loads; the second one had the mended columns."""
    loads = loads(cursor={"column": "at"}, columns={**STRICT, "at": {"type": "date"}})
    mended = {**MENDED, "at": {"type": "date"}}
    text = "id,n,at\n1,10,2024-01-01\n2,2x,2024-01-01\n3,3x,2023-12-31\n"
    loads.load(text)
    assert loads.load(text, columns=mended).loaded == 1
    done = loads.replay(columns=mended)
    assert (done.loaded, done.rejected) == (1, 1)
    assert loads.rows() == [("1", 10), ("2", 2), ("3", 3)]
    assert loads.kept() == [(3, None, "a later load has loaded this row")]


@pytest.mark.feature("X6", "X12")
def test_a_masked_value_is_loaded_as_it_is_kept_and_not_masked_again(loads):
    who = {"who": {"mask": "hash", "functions": [{"name": "lower"}]}}
    loads = loads()
    loads.load("id,n,who\n1,10,Ann\n2,2x,ANN\n", columns={**STRICT, **who})
    assert loads.replay(columns={**MENDED, **who}).loaded == 1
    hashes = {row[0] for row in loads.rows("who, n")}
    assert len(hashes) == 1
    assert len(next(iter(hashes))) == 64


@pytest.mark.feature("X6", "X12")
def test_what_was_masked_otherwise_cannot_be_had_back(loads):
    loads = loads()
    loads.load("id,n,who\n1,10,Ann\n2,2x,Ben\n", columns={**STRICT, "who": {"mask": "hash"}})
    upper = [{"name": "upper"}]
    for today in ({}, {"mask": "redact"}, {"mask": "hash", "functions": upper}):
        done = loads.replay(columns={**MENDED, "who": today})
        assert (done.loaded, done.rejected) == (0, 1)
        line, column, reason = loads.kept()[0]
        assert (line, column) == (3, "who")
        assert "kept masked" in reason


def test_a_masked_value_that_did_not_fit_itself_is_not_taken_for_an_empty_one(loads):
    masked = {"type": "integer", "mask": "hash", "default": 0}
    loads = loads()
    loads.load("id,n,pin\n1,10,5\n2,2x,many\n3,3x,7\n", columns={**STRICT, "pin": masked})
    done = loads.replay(columns={**MENDED, "pin": masked})
    assert (done.loaded, done.rejected) == (1, 1)
    assert [row[:2] for row in loads.kept()] == [(3, "pin")]


def test_a_column_that_is_masked_since_is_masked_on_its_way(loads):
    loads = loads()
    loads.load("id,n,who\n1,1x,Ann\n")
    assert loads.replay(columns={**MENDED, "who": {"mask": "redact"}}).loaded == 1
    assert loads.rows("who, n") == [("***", 1)]


def test_calculated_columns_are_calculated_from_what_is_kept(loads):
    total = {"twice": {"expression": "n * 2", "type": "integer"}}
    loads = loads()
    loads.load(TEXT, calculated=total)
    assert loads.replay(columns=MENDED, calculated=total).loaded == 1
    assert loads.rows("id, n, twice") == [("1", 10, 20), ("2", 2, 4), ("3", 30, 60)]


def test_what_is_calculated_from_a_masked_column_is_not_made_of_its_mask(loads):
    columns = {**STRICT, "who": {"mask": "redact"}}
    letter = {"letter": {"expression": "LEFT(who, 1)", "type": "text", "mask": "hash"}}
    loads = loads()
    loads.load("id,n,who\n1,1x,Ann\n", columns=columns, calculated=letter)
    done = loads.replay(columns={**columns, **MENDED}, calculated=letter)
    assert (done.loaded, done.rejected) == (0, 1)


def test_filters_that_are_new_hold_for_kept_rows_too(loads):
    loads = loads(filters=[{"column": "id", "op": "ne", "value": "9"}])
    loads.load("id,n\n1,1x\n2,2x\n9,9x\n")
    done = loads.replay(columns=MENDED, filters=[{"column": "id", "op": "gt", "value": "1"}])
    assert (done.loaded, done.rejected) == (1, 1)
    assert loads.rows() == [("2", 2)]
    assert loads.kept() == [(2, "id", "the row does not meet the filters")]


def test_a_column_that_a_row_was_kept_without_is_no_empty_one(loads):
    loads = loads()
    text = "id,n,note\n1,1x,hello\n"
    loads.load(text, other_columns="exclude", columns={**STRICT, "id": {}})
    done = loads.replay(columns=MENDED)
    assert (done.loaded, done.rejected) == (0, 1)
    assert loads.kept()[0][1] == "note"
    assert loads.replay(other_columns="exclude", columns={**MENDED, "id": {}}).loaded == 1


def test_columns_that_the_source_got_or_lost_since(loads):
    loads = loads()
    loads.load("id,n,old\n1,1x,\n2,2x,value\n")
    (loads.folder / "t.csv").write_text("id,n,fresh\n")
    done = loads.replay(columns=MENDED)
    assert (done.loaded, done.rejected) == (1, 1)
    assert loads.rows("id, n, fresh") == [("1", 1, None)]
    assert [row[1] for row in loads.kept()] == ["old"]


def test_a_row_of_an_earlier_version_stays(loads):
    loads = loads()
    loads.load("id,n\n1,1x\n")
    loads.warehouse.execute("alter table t__rejected drop column read_as")
    done = loads.replay(columns=MENDED)
    assert (done.loaded, done.rejected) == (0, 1)
    assert "not known how" in loads.kept()[0][2]


def test_values_come_back_as_they_were(warehouse, tmp_path):
    """Also numbers that JSON cannot say."""
    numbers = ("-0.0", "nan", "inf", "-inf", "0.1", "1e-320", "1.7976931348623157e308")
    columns = "id int, x double precision, b bigint, at timestamptz, is_on bool, v text"
    warehouse.execute(f"create schema source; create table source.t ({columns})")
    rest = "9223372036854775807, '1899-12-31 23:59:59.999999Z', true, 'x1'"
    for place, number in enumerate(numbers):
        warehouse.execute(f"insert into source.t values ({place}, '{number}', {rest})")
    warehouse.execute(f"grant usage on schema source to {warehouse.role}")
    warehouse.execute(f"grant select on source.t to {warehouse.role}")

    def asked(column: Mapping[str, Any]) -> LoadPlan:
        spec = {"name": "t", "on_bad_row": "quarantine", "columns": {"v": column}}
        return plan(warehouse, warehouse.endpoint(), spec, source_schema="source")

    run(asked(STRICT["n"]), tmp_path, {}, 1)
    mended = asked(MENDED["n"]).model_copy(update={"replay": ("t",)})
    done = run(mended, tmp_path, {}, 2).tables[0]
    assert (done.loaded, done.rejected) == (len(numbers), 0)
    query = "select id, x::text, b, at::text, is_on from {} order by 1"
    expected = warehouse.execute(query.format("source.t"))
    assert warehouse.execute(query.format("demo_raw.t")) == expected


def test_other_words_for_a_number_are_not_guessed(loads):
    loads = loads()
    loads.load("id,n\n1,a\n")
    for row, column in (('{"id": [1], "n": "1"}', "id"), ("[]", None), ("1", None)):
        loads.warehouse.execute("update t__rejected set row = %s", [row])
        assert loads.replay().rejected == 1
        assert loads.kept()[0][1] == column


def test_a_row_that_was_taken_out_meanwhile_fails_the_replay(loads, monkeypatch):
    from etlfabric_core.extract_load import verdict

    loads = loads()
    loads.load(TEXT)
    delete = "delete from t__rejected where line = 3"
    require = verdict.require_enough

    def deleting(*asked: Any) -> None:
        loads.warehouse.execute(delete)
        require(*asked)

    monkeypatch.setattr(verdict, "require_enough", deleting)
    with pytest.raises(Exception, match="changed meanwhile"):
        loads.replay(columns=MENDED)
    monkeypatch.undo()
    assert loads.replay(columns=MENDED).extracted == 1
    assert loads.rows() == [("1", 10), ("3", 30)]


@pytest.mark.parametrize(
    ("replay", "changes", "words"),
    [
        (("absent",), {}, "no resource of the pipeline loads table absent"),
        (("t",), {"write_disposition": "merge", "merge_strategy": "scd2"}, "scd2 closes every row"),
    ],
)
def test_what_cannot_be_replayed_says_so(loads, replay, changes, words):
    loads = loads()
    loads.load(TEXT)
    with pytest.raises(TerminalError, match=words):
        loads._run(replay, changes)
