"""Reads uploaded Parquet files."""

from collections.abc import Iterator
from contextlib import contextmanager

from etlfabric_core.connectors import parquet as connector
from etlfabric_core.connectors.record import Files, parse
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import SourceTable
from etlfabric_core.extract_load.sources.parquet_files import ParquetFiles
from etlfabric_core.extract_load.sources.uploaded import UploadedFiles
from etlfabric_core.files.formats import File
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig


@contextmanager
def open_reader(
    endpoint: Endpoint, files: Files, config: PipelineConfig
) -> Iterator[UploadedFiles]:
    """The files of the connection.

    Raises:
        InvalidConfig: the connection's config is wrong.
    """
    parse(connector.ParquetConfig, endpoint.config)

    def open_table(file: File, name: str, resource: ResourceConfig) -> SourceTable:
        return ParquetFiles({name: file}, config.batch_size, resource.given_types).table(name)

    yield UploadedFiles(files, open_table)
