"""Values of CSV files: their types, which rows are wanted, and where a wrong one stands."""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etlfabric_core.connectors.csv import CsvConfig, broken_row, open_rows
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.source_table import Selection, SourceColumn, arrow_type
from etlfabric_core.graph.configs import ColumnType

if TYPE_CHECKING:
    import pyarrow

NUMBER = r"^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*$"
ZONE = r"\d\d:\d\d(:\d\d(\.\d+)?)?\s*(Z|[+-]\d\d(:?\d\d)?)$"
SORTABLE = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?)?$"

COLUMNS: dict[ColumnType, Callable[[str], SourceColumn]] = {
    ColumnType.TEXT: lambda name: SourceColumn(name, "string", "text", is_time=True),
    ColumnType.INTEGER: lambda name: SourceColumn(name, "int64", "bigint"),
    ColumnType.NUMBER: lambda name: SourceColumn(name, "string", "numeric"),
    ColumnType.BOOLEAN: lambda name: SourceColumn(name, "bool"),
    ColumnType.DATE: lambda name: SourceColumn(name, "date32", is_time=True),
    ColumnType.TIMESTAMP: lambda name: SourceColumn(name, "timestamp", is_time=True),
}


@dataclass(frozen=True)
class CsvFile:
    """One file and how to understand it."""

    path: Path
    name: str
    config: CsvConfig
    columns: tuple[SourceColumn, ...]


def parsed_type(column: SourceColumn) -> "pyarrow.DataType":
    """What the parser makes of a column. Timestamps are text at first: zones may be missing."""
    import pyarrow as pa

    return pa.string() if column.arrow == "timestamp" else arrow_type(column)


def typed(table: "pyarrow.Table", file: CsvFile, rows_before: int) -> "pyarrow.Table":
    """The batch with numbers checked and timestamps parsed; one without a zone is UTC.

    Raises:
        TerminalError: a value is not of its column's type; names file, line and column.
    """
    import pyarrow as pa
    from pyarrow import compute

    for index, column in enumerate(file.columns):
        values = table.column(index)
        if column.destination_type == "numeric":
            good = compute.match_substring_regex(values, NUMBER)
            _require_all(good, file, column, rows_before)
        elif column.arrow == "timestamp":
            try:
                values = timestamps(values)
            except pa.ArrowInvalid:
                good = pa.array([_is_timestamp(value) for value in values])
                _require_all(good, file, column, rows_before)
                raise
            table = table.set_column(index, column.name, values)
    return table


def timestamps(values: "pyarrow.ChunkedArray") -> "pyarrow.ChunkedArray":
    """Texts as UTC timestamps.

    Raises:
        ArrowInvalid: one of them is none.
    """
    import pyarrow as pa
    from pyarrow import compute

    whole = compute.utf8_trim_whitespace(values)
    dates = compute.equal(compute.utf8_length(whole), 10)
    whole = compute.if_else(dates, compute.binary_join_element_wise(whole, "T00:00:00", ""), whole)
    zoned = compute.match_substring_regex(whole, ZONE)
    whole = compute.if_else(zoned, whole, compute.binary_join_element_wise(whole, "Z", ""))
    return whole.cast(pa.timestamp("us", tz="UTC"))


def _is_timestamp(value: Any) -> bool:
    import pyarrow as pa

    try:
        timestamps(pa.chunked_array([pa.array([value.as_py()], pa.string())]))
    except pa.ArrowInvalid:
        return False
    return True


def _require_all(good: Any, file: CsvFile, column: SourceColumn, rows_before: int) -> None:
    from pyarrow import compute

    wrong = compute.index(good, False).as_py()
    if wrong >= 0:
        raise wrong_value(file, rows_before + wrong + 1, column)


def selected(table: "pyarrow.Table", file: CsvFile, selection: Selection) -> "pyarrow.Table":
    """The rows in the selection's window. (What is newer than the cursor, dlt selects.)

    Raises:
        TerminalError: the cursor is text that does not sort by time.
    """
    import pyarrow as pa
    from pyarrow import compute

    if selection.cursor is None:
        return table
    values = table[selection.cursor]
    if pa.types.is_string(values.type):
        _require_sortable(values, file, selection.cursor)
    if selection.window is None:
        return table
    times = timestamps(values) if pa.types.is_string(values.type) else values
    times = times.cast(pa.timestamp("us", tz="UTC"))
    start, end = (
        pa.scalar(bound.astimezone(UTC), pa.timestamp("us", tz="UTC"))
        for bound in (selection.window.start, selection.window.end)
    )
    inside = compute.and_(compute.greater_equal(times, start), compute.less(times, end))
    return table.filter(inside)


def _require_sortable(values: "pyarrow.ChunkedArray", file: CsvFile, cursor: str) -> None:
    from pyarrow import compute

    form = compute.all(compute.match_substring_regex(values, SORTABLE)).as_py()
    lengths = compute.count_distinct(compute.utf8_length(values)).as_py()
    if form is False or lengths > 1:
        raise TerminalError(
            f"file '{file.name}', cursor '{cursor}': as text these values do not sort in order",
            hint=f"give the column a type, for example columns: {{{cursor}: timestamp}}",
        )


def explained(words: str, file: CsvFile) -> TerminalError:
    """The parser's complaint as file, line and column, without the value."""
    if found := re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", words):
        row, expected, got = map(int, found.groups())
        return broken_row(file.name, line_of_row(file, row), expected, got)
    if found := re.search(r"CSV column #(\d+): (?:Row #(\d+): )?", words):
        column = file.columns[int(found[1])]
        if "UTF8" in words:
            return TerminalError(
                f"file '{file.name}', column '{column.name}': not {file.config.encoding} text",
                hint="set the connection's `encoding`, for example 'latin-1'",
            )
        return wrong_value(file, int(found[2] or 0), column)
    if "straddling" in words:
        return TerminalError(
            f"file '{file.name}': a row is longer than 4 MiB, or a quote was never closed",
            hint="look for a field that begins with a quote and does not end with one",
        )
    return TerminalError(f"file '{file.name}' is not CSV", hint="check the file and the delimiter")


def wrong_value(file: CsvFile, row: int, column: SourceColumn) -> TerminalError:
    """The error for a value that is not of its column's type."""
    expected = {
        "int64": "an integer",
        "bool": "a boolean",
        "date32": "a date",
        "string": "a number",
    }
    return TerminalError(
        f"file '{file.name}', line {line_of_row(file, row)}, column '{column.name}': "
        f"not {expected.get(column.arrow, 'a timestamp')}",
        hint="correct the value, add its text to null_values, or load the column as text",
    )


def line_of_row(file: CsvFile, row: int) -> int:
    """The line on which a row ends; rows count from 1 and may have line breaks inside."""
    with open_rows(file.path, file.name, file.config) as rows:
        number = 0
        for fields in rows:
            number += bool(fields)  # empty lines are no rows
            if number == row:
                return rows.line_num
    return row


def require_closed_quotes(file: CsvFile) -> None:
    """Reads the file strictly.

    Raises:
        TerminalError: a quote is opened and never closed; names the line where that row begins.
    """
    begin = 1
    with open_rows(file.path, file.name, file.config, strict=True) as rows:
        try:
            for _ in rows:
                begin = rows.line_num + 1
        except csv.Error:
            raise TerminalError(
                f"file '{file.name}', line {begin}: a quote is opened and not closed",
                hint='close it; a quote inside a quoted field is written twice: ""',
            ) from None
