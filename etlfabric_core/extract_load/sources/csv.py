"""Reads CSV files, plain or zipped, as a stream.

Every column is text unless the resource gives it a type; staging models type the rest.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from etlfabric_core.connectors import csv as connector
from etlfabric_core.connectors.record import Files, parse
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import Selection, SourceTable
from etlfabric_core.extract_load.sources import csv_values
from etlfabric_core.extract_load.sources.csv_values import CsvFile
from etlfabric_core.graph.configs import ColumnType, PipelineConfig, ResourceConfig

if TYPE_CHECKING:
    import pyarrow

BLOCK_BYTES = 4 << 20  # also the longest possible row


@contextmanager
def open_reader(endpoint: Endpoint, files: Files, config: PipelineConfig) -> "Iterator[CsvReader]":
    """The files of the connection.

    Raises:
        InvalidConfig: the connection's config is wrong.
    """
    yield CsvReader(files, parse(connector.CsvConfig, endpoint.config))


@dataclass(frozen=True)
class CsvReader:
    """An open set of CSV files."""

    files: Files
    config: connector.CsvConfig

    def names(self) -> list[str]:
        """All files."""
        return sorted(self.files)

    def table(self, resource: ResourceConfig) -> SourceTable:
        """The file a resource reads.

        Raises:
            TerminalError: it is missing, empty, or does not have the columns that are typed.
        """
        name = resource.source or resource.name
        path = connector.find(self.files, name)
        names = connector.column_names(path, name, self.config)
        if unknown := set(resource.columns) - set(names):
            raise TerminalError(
                f"resource '{resource.name}', columns: file '{name}' has no column "
                f"{', '.join(sorted(unknown))}",
                hint=f"its columns are: {', '.join(names)}",
            )
        columns = tuple(
            csv_values.COLUMNS[resource.columns.get(column, ColumnType.TEXT)](column)
            for column in names
        )

        def read(selection: Selection) -> "Iterator[pyarrow.Table]":
            return _read(CsvFile(path, name, self.config, columns), selection)

        return SourceTable(name, columns, read)


def _read(file: CsvFile, selection: Selection) -> "Iterator[pyarrow.Table]":
    from pyarrow import ArrowInvalid, Table

    rows_before = int(file.config.header)
    with connector.open_bytes(file.path, file.name) as raw:
        counting = _QuoteCounter(raw)
        try:
            for batch in _open_csv(counting, file):
                table = csv_values.typed(Table.from_batches([batch]), file, rows_before)
                rows_before += table.num_rows
                yield csv_values.selected(table, file, selection)
        except ArrowInvalid as error:
            raise csv_values.explained(str(error), file) from None
        except (UnicodeDecodeError, LookupError):
            raise TerminalError(
                f"file '{file.name}' is not {file.config.encoding} text",
                hint="set the connection's `encoding`, for example 'latin-1'",
            ) from None
    if counting.quotes % 2:
        csv_values.require_closed_quotes(file)


def _open_csv(stream: "_QuoteCounter", file: CsvFile) -> "pyarrow.csv.CSVStreamingReader":
    from pyarrow import csv

    config = file.config
    return csv.open_csv(
        stream,
        csv.ReadOptions(
            column_names=[column.name for column in file.columns],
            skip_rows_after_names=int(config.header),
            block_size=BLOCK_BYTES,
            encoding=config.encoding,
            use_threads=False,
        ),
        csv.ParseOptions(delimiter=config.delimiter, newlines_in_values=True),
        csv.ConvertOptions(
            column_types={column.name: csv_values.parsed_type(column) for column in file.columns},
            null_values=list(config.null_values),
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
