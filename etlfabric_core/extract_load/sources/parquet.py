"""Reads uploaded Parquet files."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from etlfabric_core.connectors import parquet as connector
from etlfabric_core.connectors.files import find
from etlfabric_core.connectors.record import Files, parse
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import SourceTable
from etlfabric_core.extract_load.sources.parquet_files import ParquetFiles
from etlfabric_core.files.formats import named
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig


@contextmanager
def open_reader(
    endpoint: Endpoint, files: Files, config: PipelineConfig
) -> "Iterator[ParquetReader]":
    """The files of the connection.

    Raises:
        InvalidConfig: the connection's config is wrong.
    """
    parse(connector.ParquetConfig, endpoint.config)
    yield ParquetReader(files, config.batch_size)


@dataclass(frozen=True)
class ParquetReader:
    """An open set of Parquet files."""

    files: Files
    batch_size: int

    def names(self) -> list[str]:
        """All files."""
        return sorted(self.files)

    def table(self, resource: ResourceConfig) -> SourceTable:
        """The file a resource reads.

        Raises:
            TerminalError: it is missing, empty, damaged or not Parquet.
        """
        given = resource.source or resource.name
        name = named(self.files, given) or given
        found = {name: find(self.files, name)}
        return ParquetFiles(found, self.batch_size, resource.given_types).table(name)
