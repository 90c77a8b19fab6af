"""Row filters on files, whose readers choose rows themselves."""

import pytest

from etlfabric_core.errors import TerminalError
from tests.loading import csv_source, plan, run

pytestmark = pytest.mark.feature("C9")

TEXT = "i,n,s,d\n9,1.50,b,2024-01-02\n10,1.5,a,2024-01-10\n100,20.25,,2024-02-01\n,,x,\n"
TYPES = {"i": {"type": "integer"}, "n": {"type": "number"}, "d": {"type": "date"}}


def ids(warehouse, tmp_path, text, *filters, columns=TYPES, **resource):
    path = tmp_path / "t.csv"
    path.write_text(text)
    spec = {
        "name": "t",
        "source": "t.csv",
        "write_disposition": "replace",
        "columns": columns,
        "filters": [{"column": c, "op": op, "value": value} for c, op, value in filters],
        **resource,
    }
    result = run(
        plan(warehouse, csv_source({"t.csv": path}), spec), tmp_path / "w", {"t.csv": path}
    )
    rows = [row[0] for row in warehouse.execute("select i from t order by ctid")]
    assert result.tables[0].extracted == len(rows) + result.tables[0].rejected
    return rows


@pytest.mark.parametrize(
    ("column", "op", "value", "expected"),
    [
        ("i", "eq", 10, [10]),
        ("i", "ne", 10, [9, 100]),
        ("i", "gt", "9", [10, 100]),  # as integers, not as texts
        ("i", "gte", 10, [10, 100]),
        ("i", "lt", 100, [9, 10]),
        ("i", "lte", 10, [9, 10]),
        ("n", "eq", "1.5", [9, 10]),
        ("s", "in", ["a", "b"], [9, 10]),
        ("i", "not_in", [9, 10], [100]),
        ("d", "gte", "2024-01-10", [10, 100]),
    ],
)
def test_the_eight_filters(warehouse, tmp_path, column, op, value, expected):
    assert ids(warehouse, tmp_path, TEXT, (column, op, value)) == expected


def test_several_filters_must_all_hold(warehouse, tmp_path):
    assert ids(warehouse, tmp_path, TEXT, ("i", "gt", 9), ("s", "eq", "a")) == [10]


def test_a_row_that_a_filter_leaves_out_is_not_looked_at_and_lines_stay_right(warehouse, tmp_path):
    text = "i,n,s,d\n1,bad,skip,\n2,5,keep,\n3,worse,keep,\n"
    rows = ids(warehouse, tmp_path, text, ("s", "eq", "keep"), on_bad_row="quarantine")
    assert rows == [2]
    assert warehouse.execute('select line, "column" from t__rejected') == [(4, "n")]


def test_a_value_that_cannot_be_compared_is_rejected_and_not_left_out(warehouse, tmp_path):
    text = "i,n,s,d\n1,5,a,\nx,5,a,\n"
    assert ids(warehouse, tmp_path, text, ("i", "gt", 0), on_bad_row="quarantine") == [1]
    assert warehouse.execute("select reason from t__rejected") == [("not an integer",)]


@pytest.mark.parametrize(
    ("row_filter", "words"),
    [
        (("zz", "eq", 1), "no column zz"),
        (("i", "eq", "many"), "filter on 'i': the value is not an"),
    ],
)
def test_wrong_filters_say_so(warehouse, tmp_path, row_filter, words):
    with pytest.raises(TerminalError, match=words):
        ids(warehouse, tmp_path, TEXT, row_filter)
