"""Values of cursors as somebody writes them: of the type that is kept, or refused."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etlfabric_core.errors import InvalidConfig
from etlfabric_core.extract_load.cursor_values import parsed

MOMENT = "2026-01-31 12:00:00+00"  # as PostgreSQL writes it


@pytest.mark.feature("X4")
@pytest.mark.parametrize("text", ["the day before yesterday", "2026-13-01", "", "20260101"])
def test_what_is_kept_as_the_text_of_a_moment_takes_only_another(text: str) -> None:
    with pytest.raises(InvalidConfig, match="not a timestamp") as refused:
        parsed(text, MOMENT)
    assert refused.value.problems[0].field == "value"
    assert MOMENT in str(refused.value.hint)


@pytest.mark.feature("X4")
@pytest.mark.parametrize(
    ("text", "like"),
    [("2026-01-20 00:00:00+00", MOMENT), ("any", "20260131"), ("b", "a")],
)
def test_texts_stay_as_they_are_written(text: str, like: str) -> None:
    assert parsed(text, like) == text


@pytest.mark.feature("X4")
@pytest.mark.parametrize(
    ("text", "like", "written"),
    [
        ("2026-01-20", MOMENT, "2026-01-20 00:00:00+00"),
        ("2026-01-20T05:00:00Z", MOMENT, "2026-01-20 05:00:00+00"),
        ("2026-01-20T05:00:00.250Z", MOMENT, "2026-01-20 05:00:00.25"),
        ("2026-01-20T07:00+02:00", MOMENT, "2026-01-20 05:00:00+00"),
        ("2026-01-20T05:00:00Z", "2026-01-31 12:00:00.5+00", "2026-01-20 05:00:00"),
        ("2026-01-20T05:00:00Z", "2026-01-31 12:00:00", "2026-01-20 05:00:00"),
        ("2026-01-20 05:00", "2026-01-31T12:00:00Z", "2026-01-20T05:00:00Z"),
        ("2026-01-20 05:00", "2026-01-31T12:00:00+02:00", "2026-01-20T07:00:00+02:00"),
        ("2026-01-20T05:00:00Z", "2026-01-31", "2026-01-20"),
    ],
)
def test_a_moment_takes_the_form_of_the_source(text: str, like: str, written: str) -> None:
    assert parsed(text, like) == written


YEAR_1000, SPAN = datetime(1000, 1, 2, tzinfo=UTC), 2 * 10**17  # microseconds, up to year 7000


def at(microseconds: int) -> datetime:
    return YEAR_1000 + timedelta(microseconds=microseconds)


@pytest.mark.feature("X4")
@given(
    begin=st.integers(0, SPAN),
    later=st.integers(0, 10**8),
    kept=st.integers(0, SPAN),
    zone=st.sampled_from(["", "+00", "Z", "+02:00"]),
    separator=st.sampled_from([" ", "T"]),
    digits=st.sampled_from([10**6, 10**3, 1]),
)
def test_no_later_row_is_below_it(
    begin: int, later: int, kept: int, zone: str, separator: str, digits: int
) -> None:
    """Rows are held against it as texts: one that came out lower would be lost in silence."""
    precision = {10**6: "seconds", 10**3: "milliseconds", 1: "microseconds"}[digits]

    def written(moment: datetime) -> str:
        local = moment + timedelta(hours=2 if zone == "+02:00" else 0)
        return local.replace(tzinfo=None).isoformat(sep=separator, timespec=precision) + zone

    row = -(-(begin + later) // digits) * digits  # not before the beginning, as precise as it gets
    assert parsed(at(begin).isoformat(), written(at(kept))) <= written(at(row))
