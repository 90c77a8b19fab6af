"""Columns on their way: selected, renamed, changed by functions, typed, given defaults, masked."""

from datetime import UTC, date, datetime

import pytest
from pydantic import ValidationError

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.shape import is_identity
from etlfabric_core.extract_load.source_table import SourceColumn
from etlfabric_core.graph.resources import ResourceConfig


def column(shaped, values, source="text", arrow="string", **config):
    """The values of one column, and the reasons of those that are rejected."""
    loaded, rejected = shaped(
        [(value,) for value in values],
        [SourceColumn("v", arrow, source if arrow == "string" else None)],
        columns={"v": config},
    )
    return [row["v"] for row in loaded], [row["reason"] for row in rejected]


@pytest.mark.feature("D4")
def test_columns_are_left_out_renamed_and_calculated_with(shaped):
    loaded, _ = shaped(
        [("1", "Ada", "Lovelace", "x")],
        "id first last other",
        columns={
            "id": {"name": "number", "type": "integer"},
            "first": {"include": False},
            "last": {"include": False},
        },
        other_columns="exclude",
        calculated={"name": {"expression": "first || ' ' || last", "type": "text"}},
    )
    assert loaded == [{"number": 1, "name": "Ada Lovelace"}]


@pytest.mark.feature("D4")
@pytest.mark.parametrize(
    ("type_", "values", "expected"),
    [
        (
            "integer",
            ["9223372036854775807", " -1 ", "+5", "12.00", "007"],
            [2**63 - 1, -1, 5, 12, 7],
        ),
        ("number", ["1e-20", "0.10", ".5", "1" * 60], ["1e-20", "0.10", ".5", "1" * 60]),
        ("boolean", ["true", "F", "yes", "0"], [True, False, True, False]),
        ("date", ["2024-02-29", "0001-01-01"], [date(2024, 2, 29), date(1, 1, 1)]),
        (
            "timestamp",
            ["2024-05-31T10:00:00+02:00", "2024-05-31 10:00:00.123456", "2024-05-31"],
            [
                datetime(2024, 5, 31, 8, tzinfo=UTC),
                datetime(2024, 5, 31, 10, 0, 0, 123456, tzinfo=UTC),
                datetime(2024, 5, 31, tzinfo=UTC),
            ],
        ),
        ("text", ["", " x "], ["", " x "]),
    ],
)
def test_text_becomes_another_type_without_a_change(shaped, type_, values, expected):
    assert column(shaped, [*values, None], type=type_) == ([*expected, None], [])


@pytest.mark.feature("D4")
@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("integer", ["1.5", "1e3", "9223372036854775808", "x", "", "1_000", "0x10"]),
        ("number", ["1,5", "1.5x", "", "NaN", "inf", "1 2"]),
        ("boolean", ["maybe", "2", ""]),
        ("date", ["01/02/2024", "2024-02-30", "2024-01-01T10:00:00", "24-01-01"]),
        (
            "timestamp",
            ["yesterday", "2024-02-30T10:00:00", "2024-01-01 10:00:00.1234567", "2024-01-01 25:00"],
        ),
    ],
)
def test_a_value_that_does_not_fit_is_rejected_and_never_null(shaped, type_, values):
    loaded, reasons = column(shaped, values, type=type_)
    assert loaded == []
    assert len(reasons) == len(values)
    assert {reason.split()[0] for reason in reasons} == {"not"}


@pytest.mark.parametrize(
    ("arrow", "destination", "value", "type_", "expected"),
    [
        ("int64", None, 2**62 + 1, "text", str(2**62 + 1)),
        ("int64", None, 2**62 + 1, "number", str(2**62 + 1)),
        ("double", None, 0.1, "text", "0.1"),
        ("double", None, 3.0, "integer", 3),
        ("bool", None, True, "integer", 1),
        ("date32", None, date(2024, 1, 2), "timestamp", datetime(2024, 1, 2, tzinfo=UTC)),
        ("timestamp", None, datetime(2024, 1, 2, 3, tzinfo=UTC), "date", date(2024, 1, 2)),
        ("timestamp", None, datetime(2024, 1, 2, tzinfo=UTC), "text", "2024-01-02 00:00:00+00"),
        ("string", "numeric(38,9)", "12.000000000", "integer", 12),
        ("string", "numeric", "9" * 40, "text", "9" * 40),
    ],
)
def test_typed_sources_become_other_types(shaped, arrow, destination, value, type_, expected):
    given = [SourceColumn("v", arrow, destination)]
    loaded, rejected = shaped([(value,)], given, columns={"v": {"type": type_}})
    assert (loaded, rejected) == ([{"v": expected}], [])


def test_a_fraction_does_not_become_an_integer(shaped):
    assert column(shaped, [1.5], arrow="double", type="integer") == ([], ["not an integer"])


@pytest.mark.feature("D5")
@pytest.mark.parametrize(
    ("calls", "value", "expected"),
    [
        ([("upper",)], "aé", "AÉ"),
        ([("trim",), ("lower",)], "  Ab ", "ab"),
        ([("ltrim",)], " a ", "a "),
        ([("rtrim",)], " a ", " a"),
        ([("length",)], "naïve 👍", 7),
        ([("substring", 2)], "abcd", "bcd"),
        ([("substring", 2, 2)], "abcd", "bc"),
        ([("left", 2)], "abcd", "ab"),
        ([("right", 2)], "abcd", "cd"),
        ([("replace", ",", ".")], "1,5", "1.5"),
        ([("split_part", "@", 2)], "a@b", "b"),
        ([("nullif", "-")], "-", None),
        ([("replace", ",", "."), ("round", 1)], "1,26", "1.3"),
        ([("abs",)], "-2.5", "2.5"),
        ([("floor",)], "-2.5", "-3"),
        ([("ceil",)], "2.1", "3"),
        ([("year",)], "2024-05-31", 2024),
        ([("month",)], "2024-05-31", 5),
        ([("day",)], "2024-05-31", 31),
        ([("hour",)], "2024-05-31T23:30:00+02:00", 21),
        ([("date",)], "2024-05-31T10:00:00", date(2024, 5, 31)),
        ([("date_trunc", "year")], "2024-05-31", datetime(2024, 1, 1, tzinfo=UTC)),
    ],
)
def test_functions(shaped, calls, value, expected):
    functions = [{"name": name, "arguments": list(rest)} for name, *rest in calls]
    assert column(shaped, [value, None], functions=functions) == ([expected, None], [])


@pytest.mark.feature("D5", "D7")
def test_functions_come_before_types_and_a_failing_one_rejects_its_row(shaped):
    comma = [{"name": "replace", "arguments": [",", "."]}]
    assert column(shaped, ["1,5"], functions=comma, type="number") == (["1.5"], [])
    rounded = [{"name": "round", "arguments": [0]}]
    assert column(shaped, ["x"], functions=rounded) == ([], ["a function cannot be applied"])


@pytest.mark.feature("D7")
def test_the_order_is_rename_functions_type_calculate_default_mask(shaped):
    loaded, _ = shaped(
        [(" 7 ", None)],
        "a b",
        columns={
            "a": {"name": "n", "functions": [{"name": "trim"}], "type": "integer"},
            "b": {"default": "a default of text", "mask": "partial"},
        },
        calculated={"twice": {"expression": "n * 2", "type": "integer"}},
    )
    # The calculation saw the new name and the typed value; the default was masked.
    assert loaded == [{"n": 7, "b": "***text", "twice": 14}]


@pytest.mark.feature("D7")
@pytest.mark.parametrize(
    ("type_", "default", "expected"),
    [
        ("integer", 0, 0),
        ("text", "none", "none"),
        ("boolean", True, True),
        ("number", 1.5, "1.5"),
        ("date", "2024-01-01", date(2024, 1, 1)),
    ],
)
def test_a_default_takes_the_place_of_what_is_missing(shaped, type_, default, expected):
    assert column(shaped, [None], type=type_, default=default) == ([expected], [])


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"a": {"type": "integer", "default": "z"}}, r"columns\.a\.default: not an integer"),
        ({"zz": {"type": "integer"}}, "'t' has no column zz"),
        ({"a": {"name": "B"}, "b": {}}, "several columns are named 'b'"),
        ({"a": {"include": False}, "b": {"mask": "drop"}}, "none is left"),
        ({"a": {"functions": [{"name": "year"}], "type": "text", "name": "y"}}, None),
    ],
)
def test_what_does_not_fit_the_source_is_refused_before_a_row_is_read(shaped, columns, words):
    if words is None:
        assert shaped([("2024-01-01", "x")], "a b", columns=columns)[0][0]["y"] == "2024"
        return
    with pytest.raises(TerminalError, match=words):
        shaped([("1", "2")], "a b", columns=columns)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"columns": {"a": {"type": "money"}}}, "Input should be 'text'"),
        ({"columns": {"a": "text"}}, "valid dictionary"),
        ({"columns": {"a": {"functions": [{"name": "eval"}]}}}, "no function 'eval'"),
        ({"columns": {"a": {"functions": [{"name": "left"}]}}}, "left: takes an integer after"),
        ({"columns": {"a": {"name": "b"}, "c": {"name": "b"}}}, "named twice: b"),
        ({"calculated": {"x": {"expression": "a +", "type": "text"}}}, "line 1, column 3"),
        ({"write_disposition": "merge"}, "merge needs a primary_key"),
        ({"write_disposition": "insert"}, "insert needs a primary_key"),
        ({"merge_strategy": "upsert"}, "append has no merge_strategy"),
        ({"cursor": {"column": "a"}, "columns": {"a": {"mask": "hash"}}}, "without functions"),
        ({"cursor": {"column": "a"}, "columns": {"a": {"include": False}}}, "must be loaded"),
        (
            {
                "columns": {"a": {"mask": "hash", "name": "h"}},
                "calculated": {"x": {"expression": "lower(h)", "type": "text"}},
            },
            "h is masked",
        ),
    ],
)
def test_wrong_configurations_say_what_is_wrong(config, words):
    with pytest.raises(ValidationError, match=words):
        ResourceConfig.model_validate({"name": "t", **config})


def test_values_that_no_column_speaks_of_pass_untouched(shaped):
    columns = [SourceColumn("a", "double"), SourceColumn("b", "string", "uuid")]
    rows = [(float("inf"), "x\x00y"), (-0.0, "👍"), (None, None)]
    loaded, _ = shaped(rows, columns, columns={"a": {"name": "c"}})
    assert [(row["c"], row["b"]) for row in loaded] == rows
    assert str(loaded[1]["c"]) == "-0.0"


def test_what_is_identity():
    assert is_identity(ResourceConfig(name="t", cursor={"column": "a"}))
    for config in ({"columns": {"a": {}}}, {"minimum_rows": 1}, {"contract": {"tables": "freeze"}}):
        assert not is_identity(ResourceConfig.model_validate({"name": "t", **config}))
