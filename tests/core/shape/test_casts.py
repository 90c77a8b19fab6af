"""Texts as other types: what is taken, and as what; all else is nothing, never a guess."""

from datetime import datetime

import duckdb
import pytest

from etlfabric_core.extract_load.shape.casts import Kind, cast, text_of
from etlfabric_core.graph.columns import ColumnType

ENGINE = duckdb.connect(":memory:")
NOON = datetime.fromisoformat("2024-01-02 12:00")  # in UTC, without saying so
MOMENTS = {
    "2024-01-02": NOON.replace(hour=0),
    "2024-01-02 12:00": NOON,
    " 2024-01-02T12:00:00.000000000 ": NOON,
    "2024-01-02 12:00:00Z": NOON,
    "2024-01-02T12:00:00.0Z": NOON,
    "2024-01-02 12:00:00+00": NOON,
    "2024-01-02 12:00:00+00 ": NOON,
    "2024-01-02 12:00:00-00": NOON,
    "2024-01-02 14:00:00+02": NOON,
    "2024-01-02 17:30:00+0530": NOON,
    "2024-01-02 17:30:00+05:30": NOON,
    "2024-01-02 12:00:00+00:00": NOON,
    "2024-01-02 12:00:00.1234567Z": None,
    "2024-01-02 12:00:00.1234567": None,
    "2024-01-02Z": None,
    "2024-01-02+00": None,
    "12:00:00Z": None,
    "+00": None,
    "Z": None,
    "": None,
    "infinity": None,
    "epoch": None,
    "2024-01-02 12:00:00 UTC": None,
    "2024-13-02 12:00:00Z": None,
}
BOOLEANS = {
    **dict.fromkeys(("t", "true", "yes", "y", "1", "TRUE", " Yes ", "T"), True),
    **dict.fromkeys(("f", "false", "no", "n", "0", "False", " no ", "N"), False),
    **dict.fromkeys(("", "2", "on", "tr", "t f", "truefalse", "-1", "1.0")),
}
SHORTENED = {
    "0": "0",
    "100": "100",
    "-0.5": "-0.5",
    "12.3400": "12.34",
    "100.0000000001": "100.0000000001",
    "-1000": "-1000",
    "9999999999999999999999999999": "9999999999999999999999999999",
}


def computed(sql: str, value: str | None) -> object:
    return ENGINE.execute(f"select {sql} from (select ?::varchar as v)", [value]).fetchone()[0]


@pytest.mark.feature("C5")
@pytest.mark.parametrize(
    ("to", "texts"), [(ColumnType.TIMESTAMP, MOMENTS), (ColumnType.BOOLEAN, BOOLEANS)]
)
def test_texts_as_another_type(to, texts):
    sql = cast("v", Kind.TEXT, to)
    assert {text: computed(sql, text) for text in texts} == texts
    assert computed(sql, None) is None


@pytest.mark.feature("C5")
@pytest.mark.parametrize("type_", ["DECIMAL(38, 10)", "DECIMAL(38, 0)"])
def test_a_decimal_loses_only_the_zeros_of_its_type(type_):
    sql = text_of(f"CAST(v AS {type_})", Kind.DECIMAL)
    for text, short in SHORTENED.items():
        if "." not in text or not type_.endswith(" 0)"):
            assert computed(sql, text) == short
    assert computed(sql, None) is None
