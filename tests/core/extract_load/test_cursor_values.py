"""Values of cursors as somebody writes them: of the type that is kept, or refused."""

import pytest

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
    [("2026-01-20", MOMENT), ("2026-01-20 00:00:00+00", MOMENT), ("any", "20260131"), ("b", "a")],
)
def test_texts_stay_as_they_are_written(text: str, like: str) -> None:
    assert parsed(text, like) == text
