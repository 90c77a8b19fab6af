"""Expressions of calculated columns: what they mean, and that nothing else gets in."""

import re
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etlfabric_core.extract_load.shape.engine import Engine
from etlfabric_core.graph.expressions import ExpressionError, parse
from etlfabric_core.graph.functions import COLUMN_FUNCTIONS, ROW_FUNCTIONS

pytestmark = pytest.mark.feature("D6")
TYPED = {"columns": {"a": {"type": "number"}, "b": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("expression", "type_", "expected"),
    [
        ("a * b", "number", "30.3"),
        ("a + 0.1", "number", "10.2"),  # as decimals, not as floats
        ("b / 2", "number", "1.5"),
        ("b % 2 = 1", "boolean", True),
        ("-b", "integer", -3),
        ("upper(c) || '-' || a", "text", "X Y-10.1"),
        ("concat(c, b)", "text", "x y3"),
        ("case when a > 10 and not b = 2 then 'big' else 'small' end", "text", "big"),
        ("coalesce(null, b)", "integer", 3),
        ("greatest(a, b)", "number", "10.1"),
        ("b in (1, 3)", "boolean", True),
        ("b between 1 and 2", "boolean", False),
        ("c is not null", "boolean", True),
        ("c like 'x%'", "boolean", True),
        ("cast(b as text) || '!'", "text", "3!"),
        ("cast('12' as integer) + b", "integer", 15),
        ("year(d)", "integer", 2024),
        ("date_trunc('month', d)", "text", "2024-05-01 00:00:00+00"),
        ('length("odd name")', "integer", 1),
        ("'it''s'", "text", "it's"),
        ("cast(d as date)", "text", "2024-05-31"),
    ],
)
def test_what_an_expression_means(shaped, expression, type_, expected):
    columns = {**TYPED["columns"], "d": {"type": "timestamp"}, "e": {"name": "odd name"}}
    loaded, rejected = shaped(
        [("10.1", "3", "x y", "2024-05-31T10:00:00Z", "e")],
        "a b c d e",
        columns=columns,
        calculated={"x": {"expression": expression, "type": type_}},
    )
    assert rejected == []
    assert loaded[0]["x"] == expected


@pytest.mark.parametrize(
    ("expression", "type_", "reason"),
    [
        ("a / 0", "number", "cannot be calculated"),
        ("b % 0", "number", "cannot be calculated"),
        ("cast(c as integer)", "integer", "cannot be calculated"),
        ("a", "integer", "calculated, but not an integer"),
        ("a * 9999999999999999999999999999", "number", "cannot be calculated"),
    ],
)
def test_a_row_that_cannot_be_calculated_is_rejected(shaped, expression, type_, reason):
    loaded, rejected = shaped(
        [("10.1", "3", "x")],
        "a b c",
        **TYPED,
        calculated={"x": {"expression": expression, "type": type_}},
    )
    assert (loaded, [(row["column"], row["reason"]) for row in rejected]) == ([], [("x", reason)])


def test_a_number_that_a_decimal_does_not_hold_is_not_rounded(shaped):
    loaded, rejected = shaped(
        [("0.12345678901",), ("0.1234567890000",)],
        "a",
        columns={"a": {"type": "number"}},
        calculated={"x": {"expression": "a + 1", "type": "number"}},
    )
    assert [row["x"] for row in loaded] == ["1.123456789"]
    assert rejected[0]["reason"] == "cannot be calculated"


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("nope(a)", 1, 1, "no function 'nope'"),
        ("a +\n  bad(b)", 2, 3, "no function 'bad'"),
        ("a + (select 1)", 1, 13, "subquery is not allowed"),
        ("a in (select b)", 1, 1, "IN takes a list"),
        ("t.a", 1, 3, "name a column alone"),
        ("a +", 1, 3, "no expression"),
        ("'open", 1, 5, "a quote is opened"),
        ("cast(a as uuid)", 1, 6, "can be cast to text"),
        ("a; drop table t", 1, 1, "one expression"),
        ("", 1, 1, "one expression"),
        ("upper(a) over ()", 1, 1, "window is not allowed"),
        ("[a]", 1, 2, "array is not allowed"),
        ("read_csv('/etc/passwd')", 1, 1, "no function 'read_csv'"),
        ("getenv('HOME')", 1, 1, "no function 'getenv'"),
        ("current_setting('x')", 1, 1, "no function"),
        ("substring(a)", 1, 1, "takes a value, then an integer"),
        ("date_trunc(a, b)", 1, 1, "date_trunc takes one of"),
        ("(" * 300 + "a" + ")" * 300, 1, 301, "nested too deeply"),
    ],
)
def test_what_is_not_allowed_is_refused_with_its_place(text, line, column, words):
    with pytest.raises(ExpressionError, match=words) as caught:
        parse(text)
    if "deeply" not in words:
        assert (caught.value.line, caught.value.column) == (line, column)


WORDS = st.sampled_from(
    [
        *"ab1()+-*/|,.:;[]{}?@",
        *("'x'", "||", "::", "--", "/*", "*/", "$1", ":a", "@a", "=>", "->", "\x00"),
        *("and", "or", "not", "in", "is", "null", "case", "when", "then", "else", "end", "over"),
        *("cast", "as", "text", "integer", "upper", "coalesce", "'x'::regclass", "lambda"),
        *("select", "from", "where", "exists", "union", "getenv", "read_text", "pragma", "attach"),
        *("copy", "__import__"),
    ]
)


ALLOWED = {
    *COLUMN_FUNCTIONS,
    *ROW_FUNCTIONS,
    *re.findall(r"[A-Za-z_]+", "c0 c AND OR NOT IN IS NULL LIKE BETWEEN TRUE FALSE"),
    *re.findall("[A-Za-z_]+", "CASE WHEN THEN ELSE END CAST AS VARCHAR DATE TIMESTAMP"),
}


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.lists(WORDS, max_size=12).map(" ".join), st.text(max_size=60)))
def test_any_text_is_an_expression_over_columns_or_a_clean_refusal(text):
    started = time.monotonic()
    with suppress(ExpressionError):
        expression = parse(text)
        columns = dict.fromkeys(expression.columns, "c0")
        written = expression.sql(columns, lambda value, _: f"CAST({value} AS VARCHAR)")
        bare = re.sub(r"'([^']|'')*'", "", written)  # without literals
        assert set(re.findall(r"[A-Za-z_]+", bare)) <= ALLOWED
        assert not set(bare) & set(';:{}[]@?$"\\#`')
    assert time.monotonic() - started < 1


def test_the_engine_reaches_nothing_outside():
    import duckdb

    engine = Engine.open()
    for statement in (
        "select * from read_text('/etc/hostname')",
        "copy (select 1) to '/tmp/etlfabric_shape_test'",
        "attach '/tmp/etlfabric_shape_test.db'",
        "install httpfs",
        "set enable_external_access = true",
        "set memory_limit = '8GB'",
    ):
        with pytest.raises(duckdb.Error):
            engine.connection.execute(statement).fetchall()
