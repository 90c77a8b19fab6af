"""Lines of CSV: every cell arrives, and none of them begins a formula."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etlfabric_core.files.csv_lines import FORMULA, csv_lines

# A line break inside of a cell is kept by the format; csv.reader needs its text undamaged.
CELLS = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@pytest.mark.feature("A15")
@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=5))
def test_cells_arrive_and_none_is_a_formula(rows: list[list[str | None]]) -> None:
    read = list(csv.reader(io.StringIO(csv_lines(rows), newline="")))
    for row, again in zip(rows, read, strict=True):
        for value, cell in zip(row, again, strict=True):
            assert not cell.startswith(FORMULA)
            assert cell in (value or "", f"'{value}")


@pytest.mark.parametrize("start", FORMULA)
def test_what_a_spreadsheet_would_run_is_shown(start: str) -> None:
    (row,) = csv.reader(io.StringIO(csv_lines([[f"{start}cmd|' /C calc'!A0", "b"]]), newline=""))
    assert row == [f"'{start}cmd|' /C calc'!A0", "b"]
