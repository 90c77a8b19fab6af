"""However long rows are and wherever blocks and batches end: every row is there once, in order."""

import pytest

from etlfabric_core.connectors.csv import CsvConfig
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.source_table import POSITION, Selection
from etlfabric_core.extract_load.sources import csv
from etlfabric_core.extract_load.sources.csv import file_table

SHORT = 'a,"b\nb"\n' * 300
LONG = f'"{"x" * 3000}\n",y\n'


@pytest.fixture
def rows_of(monkeypatch, tmp_path):
    """Reads a file by blocks of 1 KiB, or of 16 where a row is longer, and batches of 100 rows."""
    monkeypatch.setattr(csv, "BLOCK_BYTES", (1 << 10, 1 << 14))
    monkeypatch.setattr(csv, "BATCH_ROWS", 100)

    def read(text: str) -> list[dict]:
        path = tmp_path / "a.csv"
        path.write_text(text, newline="")
        table = file_table(path, path.name, CsvConfig(uploads=[1]), {})
        batches = list(table.read(Selection(positions=True)))
        rows = [row for batch in batches for row in batch.to_pylist()]
        assert [row[POSITION] for row in rows] == list(range(1, len(rows) + 1))
        return rows

    return read


@pytest.mark.feature("C3")
@pytest.mark.parametrize(
    "parts",
    [[SHORT], [SHORT, LONG, SHORT], [LONG, SHORT], [SHORT, LONG], [LONG] * 20, []],
)
def test_every_row_once(rows_of, parts):
    expected = [
        pair
        for part in parts
        for pair in ([("a", "b\nb")] * 300 if part is SHORT else [("x" * 3000 + "\n", "y")])
    ]
    assert [(row["p"], row["q"]) for row in rows_of("p,q\n" + "".join(parts))] == expected


@pytest.mark.feature("C3")
@pytest.mark.parametrize("before", [SHORT * 3, LONG])
def test_empty_lines_before_a_long_row_double_none(rows_of, before):
    rows = rows_of("p,q\n" + before.replace(",y\n", ",y\n\n").replace('b"\n', 'b"\n\n') + LONG)
    assert len(rows) == len(rows_of("p,q\n" + before + LONG))


@pytest.mark.parametrize("before", [SHORT, SHORT + LONG, LONG])
def test_a_broken_row_is_named_by_its_line(rows_of, before):
    line = 1 + before.count("\n") + 1
    with pytest.raises(TerminalError, match=f"line {line}[:,] .*3"):
        rows_of(f"p,q\n{before}1,2,3\n{SHORT}")


def test_a_row_longer_than_the_longest_block_is_refused(rows_of):
    with pytest.raises(TerminalError, match="a row is longer than 4 MiB"):
        rows_of(f'p,q\n{SHORT}"{"x" * (1 << 15)}",y\n')


def test_an_open_quote_behind_a_long_row_is_not_swallowed(rows_of):
    with pytest.raises(TerminalError, match=f"line {1 + (SHORT + LONG).count(chr(10)) + 1}"):
        rows_of(f'p,q\n{SHORT}{LONG}1,"2\n')
