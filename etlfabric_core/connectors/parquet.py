"""Parquet: uploaded files that carry the types of their columns."""

from etlfabric_core.connectors.browse import whole_list
from etlfabric_core.connectors.files import UploadsConfig, find, tested
from etlfabric_core.connectors.record import (
    Connector,
    Direction,
    DiscoveredColumn,
    DiscoveredTable,
    Files,
    NoSecrets,
    TableKind,
    TestResult,
    parse,
)
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.files.formats import named


class ParquetConfig(UploadsConfig):
    """Which uploads."""


def test(endpoint: Endpoint, files: Files) -> TestResult:
    """Reads the footer of every file."""

    def attempt() -> str:
        parse(ParquetConfig, endpoint.config)
        if not files:
            raise TerminalError("uploads: no file", hint="upload a Parquet file")
        rows = sum(table.row_estimate or 0 for table in list_tables(endpoint, files))
        return f"{len(files)} files, {rows} rows"

    return tested(attempt)


def list_tables(endpoint: Endpoint, files: Files) -> list[DiscoveredTable]:
    """One table per file; its rows are counted in the footer.

    Raises:
        TerminalError: a file is missing, damaged or not Parquet.
    """
    from etlfabric_core.extract_load.sources import parquet_files

    return [
        DiscoveredTable(
            "", name, name, TableKind.FILE, parquet_files.row_count(find(files, name), name)
        )
        for name in files
    ]


def list_columns(endpoint: Endpoint, files: Files, table: str) -> tuple[DiscoveredColumn, ...]:
    """The columns of one file.

    Raises:
        TerminalError: the file is missing, damaged or not Parquet.
    """
    from etlfabric_core.extract_load.sources import parquet_files

    return parquet_files.discovered(find(files, table), table)


PARQUET = Connector(
    name="parquet",
    label="Parquet files",
    description="Uploaded Parquet files.",
    directions=frozenset({Direction.SOURCE}),
    config=ParquetConfig,
    secrets=NoSecrets,
    test=test,
    browse=whole_list(list_tables, list_columns),
    files=True,
    file_for=named,
)
