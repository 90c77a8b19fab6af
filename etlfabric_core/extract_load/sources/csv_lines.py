"""What goes wrong in a CSV file, and on which line."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from etlfabric_core.connectors.csv import CsvDialect, broken_row, open_rows
from etlfabric_core.errors import TerminalError
from etlfabric_core.files.formats import File


@dataclass(frozen=True)
class CsvFile:
    """One file, how it is written, and the columns it must have."""

    file: File
    name: str
    dialect: CsvDialect
    columns: tuple[str, ...]


def explained(words: str, file: CsvFile) -> TerminalError:
    """The parser's complaint as file, line and column, without the value."""
    if found := re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", words):
        row, expected, got = map(int, found.groups())
        ends = row_ends(file, header=True)
        return broken_row(file.name, next(islice(ends, row - 1, None), row), expected, got)
    if found := re.search(r"CSV column #(\d+): ", words):
        return TerminalError(
            f"file '{file.name}', column '{file.columns[int(found[1])]}': "
            f"not {file.dialect.encoding} text",
            hint="set the connection's `encoding`, for example 'latin-1'",
        )
    if is_long_row(words):
        return TerminalError(
            f"file '{file.name}': a row is longer than 4 MiB, or a quote was never closed",
            hint="look for a field that begins with a quote and does not end with one",
        )
    return TerminalError(f"file '{file.name}' is not CSV", hint="check the file and the delimiter")


def is_long_row(words: str) -> bool:
    """Whether the parser complains of a row that is longer than a block."""
    return "straddling" in words


def row_ends(file: CsvFile, *, header: bool = False) -> Iterator[int]:
    """The line on which each row ends; rows may have line breaks inside."""
    with open_rows(file.file, file.name, file.dialect) as rows:
        found = (rows.line_num for fields in rows if fields)  # empty lines are no rows
        yield from islice(found, 0 if header else int(file.dialect.header), None)


@dataclass
class Places:
    """Finds the lines of rows of a file, going through it once."""

    file: CsvFile
    _ends: Iterator[int] = field(default_factory=lambda: iter(()), init=False)
    _row: int = field(default=0, init=False)
    _line: int = field(default=0, init=False)

    def of(self, positions: Sequence[int]) -> list[tuple[str, int]]:
        """The file and the lines on which rows end. Positions count from 1 and ascend."""
        return [(self.file.name, self._find(position)) for position in positions]

    def _find(self, position: int) -> int:
        if self._row == 0 or position < self._row:
            self._ends, self._row = row_ends(self.file), 0
        while self._row < position:
            self._line = next(self._ends)
            self._row += 1
        return self._line


def require_closed_quotes(file: CsvFile) -> None:
    """Reads the file strictly.

    Raises:
        TerminalError: a quote is opened and never closed; names the line where that row begins.
    """
    begin = 1
    with open_rows(file.file, file.name, file.dialect, strict=True) as rows:
        try:
            for _ in rows:
                begin = rows.line_num + 1
        except csv.Error:
            raise TerminalError(
                f"file '{file.name}', line {begin}: a quote is opened and not closed",
                hint='close it; a quote inside a quoted field is written twice: ""',
            ) from None
