"""Reads uploaded CSV files, plain or packed, as a stream.

Every column is text; a resource can give it a type, and staging models type the rest.
"""

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from etlfabric_core.connectors import csv as connector
from etlfabric_core.connectors.record import Files, parse
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.shape.selection import selected, with_positions
from etlfabric_core.extract_load.source_table import Selection, SourceColumn, SourceTable
from etlfabric_core.extract_load.sources.csv_lines import (
    CsvFile,
    Places,
    explained,
    is_long_row,
    require_closed_quotes,
    row_ends,
)
from etlfabric_core.extract_load.sources.uploaded import UploadedFiles
from etlfabric_core.files.formats import File
from etlfabric_core.graph.columns import ColumnType
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig

if TYPE_CHECKING:
    import pyarrow

# Arrow reads up to 35 blocks ahead of its rows, so they are small until a row is longer than one.
BLOCK_BYTES = (1 << 19, 4 << 20)  # the last is also the longest possible row
BATCH_ROWS = 1 << 16
BATCH_BYTES = 8 << 20


@contextmanager
def open_reader(
    endpoint: Endpoint, files: Files, config: PipelineConfig
) -> Iterator[UploadedFiles]:
    """The files of the connection.

    Raises:
        InvalidConfig: the connection's config is wrong.
    """
    dialect = parse(connector.CsvConfig, endpoint.config)

    def open_table(file: File, name: str, resource: ResourceConfig) -> SourceTable:
        return file_table(file, name, dialect, resource.given_types)

    yield UploadedFiles(files, open_table)


def file_table(
    file: File, name: str, dialect: connector.CsvDialect, types: Mapping[str, ColumnType]
) -> SourceTable:
    """One file as a table; filters compare its columns as of the given types.

    Raises:
        TerminalError: it is broken.
    """
    columns = tuple(connector.column_names(file, name, dialect))
    texts = tuple(SourceColumn(column, "string", "text", is_time=True) for column in columns)
    csv_file = CsvFile(file, name, dialect, columns)

    def read(selection: Selection) -> "Iterator[pyarrow.Table]":
        return selected(_batches(csv_file), texts, selection, types)

    return SourceTable(name, texts, read, places=Places(csv_file).of)


def _batches(file: CsvFile) -> "Iterator[pyarrow.Table]":
    """All rows with their numbers."""
    from pyarrow import ArrowInvalid

    rows = 0
    for block_bytes in BLOCK_BYTES:
        try:
            for batch in _behind(rows, _joined(_parsed(file, block_bytes))):
                yield with_positions(batch, rows)
                rows += batch.num_rows
        except ArrowInvalid as error:
            if is_long_row(str(error)) and block_bytes != BLOCK_BYTES[-1]:
                continue
            if rows == 0 and next(row_ends(file), None) is None:
                return  # a header whose line does not end
            raise explained(str(error), file) from None
        return


def _parsed(file: CsvFile, block_bytes: int) -> "Iterator[pyarrow.RecordBatch]":
    """The rows by blocks.

    Raises:
        TerminalError: it is in another encoding, or a quote is left open.
        ArrowInvalid: it is broken otherwise.
    """
    with connector.open_bytes(file.file, file.name) as raw:
        counting = _QuoteCounter(raw)
        try:
            yield from _open_csv(counting, file, block_bytes)
        except (UnicodeDecodeError, LookupError):
            raise TerminalError(
                f"file '{file.name}' is not {file.dialect.encoding} text",
                hint="set the connection's `encoding`, for example 'latin-1'",
            ) from None
    if counting.quotes % 2:
        require_closed_quotes(file)


def _behind(rows: int, batches: "Iterable[pyarrow.Table]") -> "Iterator[pyarrow.Table]":
    """What follows the first rows. Arrow would count empty lines among those that it skips."""
    for batch in batches:
        if batch.num_rows > rows:
            yield batch.slice(rows)
        rows = max(0, rows - batch.num_rows)


def _joined(batches: "Iterable[pyarrow.RecordBatch]") -> "Iterator[pyarrow.Table]":
    """Fewer, larger batches: what computes them begins anew with each."""
    from pyarrow import Table

    waiting: list[pyarrow.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        waiting.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= BATCH_ROWS or size >= BATCH_BYTES:
            yield Table.from_batches(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield Table.from_batches(waiting)


def _open_csv(
    stream: "_QuoteCounter", file: CsvFile, block_bytes: int
) -> "pyarrow.csv.CSVStreamingReader":
    import pyarrow as pa
    from pyarrow import csv

    dialect = file.dialect
    return csv.open_csv(
        stream,
        csv.ReadOptions(
            column_names=list(file.columns),
            skip_rows_after_names=int(dialect.header),
            block_size=block_bytes,
            encoding=dialect.encoding,
            use_threads=False,
        ),
        csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
        csv.ConvertOptions(
            column_types=dict.fromkeys(file.columns, pa.string()),
            null_values=list(dialect.null_values),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


class _QuoteCounter(io.RawIOBase):
    """Passes bytes on and counts the quotes: an odd number means that one was left open."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.quotes = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._raw.read(size)
        self.quotes += data.count(b'"')
        return data
