"""Rows that cannot be loaded are put aside with their reason, and every row is counted."""

import json
from pathlib import Path

import pytest

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import LoadResult
from tests.loading import Warehouse, csv_source, plan, run

TEXT = 'id,n,who\n1,10,"a\nb"\n2,x,c\n3,30,d\n4,1e,e\n'
NUMBERS = {"n": {"type": "integer"}}
QUARANTINE = {"columns": NUMBERS, "on_bad_row": "quarantine"}


def load(
    warehouse: Warehouse, tmp_path: Path, text: str, epoch: int = 1, **resource: object
) -> LoadResult:
    path = tmp_path / "t.csv"
    path.write_text(text)
    spec = {"name": "t", "source": "t.csv", "write_disposition": "replace", **resource}
    load_plan = plan(warehouse, csv_source({"t.csv": path}), spec, pipeline="one")
    return run(load_plan, tmp_path / "work", {"t.csv": path}, epoch)


def rejected(warehouse: Warehouse) -> list[tuple]:
    return warehouse.execute(
        'select file, line, "column", reason, row from t__rejected order by line'
    )


def test_bad_rows_are_put_aside_and_counted(warehouse, tmp_path):
    result = load(warehouse, tmp_path, TEXT, **QUARANTINE)
    table = result.tables[0]
    assert (table.extracted, table.loaded, table.rejected) == (4, 2, 2)
    assert warehouse.execute("select id, n from t order by 1") == [("1", 10), ("3", 30)]
    assert rejected(warehouse) == [
        ("t.csv", 4, "n", "not an integer", {"id": "2", "n": "x", "who": "c"}),
        ("t.csv", 6, "n", "not an integer", {"id": "4", "n": "1e", "who": "e"}),
    ]
    ids = {row[0] for row in warehouse.execute("select _dlt_load_id from t__rejected")}
    assert ids == set(result.load_ids)


@pytest.mark.feature("D9")
def test_without_a_quarantine_the_first_bad_row_fails_the_load(warehouse, tmp_path):
    with pytest.raises(TerminalError, match=r"file 't\.csv', line 4, column 'n': not an integer"):
        load(warehouse, tmp_path, TEXT, columns=NUMBERS)
    assert warehouse.execute("select to_regclass('t'), to_regclass('t__rejected')") == [
        (None, None)
    ]


@pytest.mark.feature("D9")
def test_too_many_fail_the_load_and_nothing_is_written(warehouse, tmp_path):
    with pytest.raises(TerminalError, match=r"more than 1 rows are rejected.*not an integer"):
        load(warehouse, tmp_path, TEXT, **QUARANTINE, max_rejected=1)
    assert warehouse.execute("select to_regclass('t')") == [(None,)]


@pytest.mark.parametrize("how", ["replace", "merge"])
def test_loading_again_does_not_double_what_is_rejected(warehouse, tmp_path, how):
    spec = {**QUARANTINE, "write_disposition": how, "primary_key": ["id"]}
    for epoch in (1, 2):
        load(warehouse, tmp_path, TEXT, epoch, **spec)
    assert [row[1] for row in rejected(warehouse)] == [4, 6]
    assert warehouse.count("t") == 2


def test_a_replaced_table_without_bad_rows_has_an_empty_quarantine(warehouse, tmp_path):
    load(warehouse, tmp_path, TEXT, **QUARANTINE)
    result = load(warehouse, tmp_path, "id,n,who\n2,20,c\n", 2, **QUARANTINE)
    assert (result.tables[0].loaded, result.tables[0].rejected) == (1, 0)
    assert rejected(warehouse) == []


def test_the_newest_row_is_rejected_once_though_each_load_reads_it(warehouse, tmp_path):
    text = "id,at\n1,2024-01-01\n2,2024-01-02\nx,2024-01-02\n"
    spec = {
        "columns": {"id": {"type": "integer"}, "at": {"type": "date"}},
        "on_bad_row": "quarantine",
        "write_disposition": "append",
        "cursor": {"column": "at"},
    }
    first = load(warehouse, tmp_path, text, **spec).tables[0]
    assert (first.extracted, first.loaded, first.rejected) == (3, 2, 1)
    load(warehouse, tmp_path, text + "3,2024-01-03\n", 2, **spec)
    assert warehouse.execute("select id from t order by 1") == [(1,), (2,), (3,)]
    assert len(rejected(warehouse)) == 1


@pytest.mark.feature("C5")
def test_a_row_without_a_key_is_put_aside(warehouse, tmp_path):
    text = "id,v\n1,a\n,b\n"
    spec = {"on_bad_row": "quarantine", "write_disposition": "merge", "primary_key": ["id"]}
    table = load(warehouse, tmp_path, text, **spec).tables[0]
    assert (table.loaded, table.rejected) == (1, 1)
    assert rejected(warehouse)[0][2:4] == ("id", "no value, though it is part of the key")


def test_equal_bad_rows_are_all_there_and_nul_can_be_read(warehouse, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"n,v\nx,a\x00b\nx,a\x00b\n")
    spec = {"name": "t", "source": "t.csv", "write_disposition": "append", **QUARANTINE}
    load_plan = plan(warehouse, csv_source({"t.csv": path}), spec)
    assert run(load_plan, tmp_path / "work", {"t.csv": path}).tables[0].rejected == 2
    assert [json.dumps(row[4]) for row in rejected(warehouse)] == [
        '{"n": "x", "v": "a\\u2400b"}'
    ] * 2
