"""CSV: uploaded text files, plain or compressed."""

import csv
import io
import re
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pydantic import Field

from etlfabric_core.connectors.browse import whole_list
from etlfabric_core.connectors.files import UploadsConfig, find
from etlfabric_core.connectors.headers import check_names
from etlfabric_core.connectors.record import (
    Connector,
    ConnectorModel,
    Direction,
    DiscoveredColumn,
    DiscoveredTable,
    Files,
    NoSecrets,
    TableKind,
    TestResult,
    parse,
)
from etlfabric_core.errors import FabricError, TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.files.formats import File, named
from etlfabric_core.files.unpacked import is_packed, unpacked

if TYPE_CHECKING:
    from _csv import Reader as CsvReader

SAMPLE_ROWS = 1000
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")


class CsvDialect(ConnectorModel):
    """How rows are written."""

    delimiter: str = Field(",", min_length=1, max_length=1)
    encoding: str = Field("utf-8", max_length=32, description="Character encoding, as in Python.")
    null_values: tuple[str, ...] = Field(
        ("",), description="Unquoted texts that mean 'no value'. Text in quotes is always a value."
    )
    header: bool = Field(
        True, description="Whether the first row names the columns; else column_1, column_2, …"
    )


class CsvConfig(CsvDialect, UploadsConfig):
    """Which uploads, and how they are written."""


@contextmanager
def open_bytes(file: File, name: str) -> Iterator[BinaryIO]:
    """The bytes of the CSV text; of a zip archive those of its one .csv member.

    Raises:
        TerminalError: the file is damaged, or an archive does not hold exactly one .csv member.
    """
    with file.open("rb") as raw, unpacked(raw, name, member=".csv") as plain:
        yield plain


@contextmanager
def open_rows(
    path: File, name: str, config: CsvDialect, *, strict: bool = False
) -> Iterator["CsvReader"]:
    """The rows as Python's csv reader sees them: slow, but it knows its line number.

    Raises:
        TerminalError: the text is not in the configured encoding, or the encoding is unknown.
    """
    encoding = "utf-8-sig" if config.encoding.lower() in ("utf-8", "utf8") else config.encoding
    with open_bytes(path, name) as raw:
        try:
            text = io.TextIOWrapper(raw, encoding=encoding, newline="")
            yield csv.reader(text, delimiter=config.delimiter, strict=strict)
        except (UnicodeDecodeError, LookupError) as error:
            raise TerminalError(
                f"file '{name}' is not {config.encoding} text: {error}",
                hint="set the connection's `encoding`, for example 'latin-1'",
            ) from None


def column_names(path: File, name: str, config: CsvDialect) -> list[str]:
    """The names in the header, or made ones when the file has none.

    Raises:
        TerminalError: no row at all, a column without a name, or a name that occurs twice.
    """
    with open_rows(path, name, config) as rows:
        first = next(rows, None)
    if not first:
        raise TerminalError(f"file '{name}' has no rows", hint="upload the file again")
    if not config.header:
        return [f"column_{number}" for number in range(1, len(first) + 1)]
    check_names(first, f"file '{name}', line 1")
    return first


def sample(path: File, name: str, config: CsvDialect) -> list[list[str]]:
    """The first rows after the header.

    Raises:
        TerminalError: a row has more or fewer fields than there are columns; names the line.
    """
    return page(path, name, config, offset=0, limit=SAMPLE_ROWS - int(config.header))


def page(path: File, name: str, config: CsvDialect, *, offset: int, limit: int) -> list[list[str]]:
    """At most `limit` rows behind the first `offset` ones after the header.

    Raises:
        TerminalError: a row has more or fewer fields than there are columns; names the line.
    """
    width = len(column_names(path, name, config))
    first = int(config.header) + offset
    found = []
    with open_rows(path, name, config) as rows:
        for row in islice(rows, first, first + limit):
            if row and len(row) != width:
                raise broken_row(name, rows.line_num, width, len(row))
            found.append(row)
    return [row for row in found if row]


def broken_row(name: str, line: int, expected: int, found: int) -> TerminalError:
    """The error for a row that does not have as many fields as there are columns."""
    return TerminalError(
        f"file '{name}', line {line}: {found} fields where {expected} columns are expected",
        hint="correct the line; a field that holds the delimiter or a line break needs quotes",
    )


def test(endpoint: Endpoint, files: Files) -> TestResult:
    """Opens every file and reads its first rows."""
    started = time.monotonic()
    try:
        config = parse(CsvConfig, endpoint.config)
        if not files:
            raise TerminalError("uploads: no file", hint="upload a CSV file")
        for name in files:
            sample(find(files, name), name, config)
    except FabricError as error:
        return TestResult(False, error.message, hint=error.hint)
    return TestResult(True, f"{len(files)} files", round((time.monotonic() - started) * 1000))


def list_tables(endpoint: Endpoint, files: Files) -> list[DiscoveredTable]:
    """One table per file.

    Raises:
        TerminalError: a file is missing, empty or broken.
    """
    config = parse(CsvConfig, endpoint.config)
    return [_table(find(files, name), name, config) for name in files]


def list_columns(endpoint: Endpoint, files: Files, table: str) -> tuple[DiscoveredColumn, ...]:
    """The columns of one file. CSV has no types: every column is text until typed.

    Raises:
        TerminalError: the file is missing, empty or broken.
    """
    return described(find(files, table), table, parse(CsvConfig, endpoint.config))


def described(file: File, name: str, config: CsvDialect) -> tuple[DiscoveredColumn, ...]:
    """The columns of a file, and which of them could be a cursor.

    Raises:
        TerminalError: the file is empty or broken.
    """
    rows = sample(file, name, config)
    return tuple(
        _column(column, [row[index] for row in rows], config)
        for index, column in enumerate(column_names(file, name, config))
    )


def _table(path: Path, name: str, config: CsvConfig) -> DiscoveredTable:
    estimate = _row_estimate(path, sample(path, name, config))
    return DiscoveredTable("", name, name, TableKind.FILE, estimate)


def _column(name: str, values: list[str], config: CsvDialect) -> DiscoveredColumn:
    missing = any(value in config.null_values for value in values)
    why_not = None
    if missing:
        why_not = "it can be empty; such rows would never be loaded"
    elif not values or not all(TIMESTAMP.fullmatch(value) for value in values):
        why_not = "its values are not timestamps like 2024-05-31T10:00:00Z"
    return DiscoveredColumn(name, "text", missing, False, why_not is None, why_not)


def _row_estimate(path: Path, rows: list[list[str]]) -> int | None:
    if len(rows) < SAMPLE_ROWS - 1:
        return len(rows)
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = max(entry.file_size for entry in archive.infolist())
    else:
        with path.open("rb") as raw:
            if is_packed(raw):
                return None
    row_bytes = sum(len(",".join(row)) + 1 for row in rows) / len(rows)
    return round(size / row_bytes)


CSV = Connector(
    name="csv",
    label="CSV files",
    description="Uploaded CSV files, plain or compressed (zip, gzip, Zstandard).",
    directions=frozenset({Direction.SOURCE}),
    config=CsvConfig,
    secrets=NoSecrets,
    test=test,
    browse=whole_list(list_tables, list_columns),
    files=True,
    file_for=named,
)
