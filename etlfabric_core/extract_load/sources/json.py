"""Reads uploaded JSON and JSON Lines files."""

from collections.abc import Iterator
from contextlib import contextmanager

from etlfabric_core.connectors import json as connector
from etlfabric_core.connectors.files import JsonOptions
from etlfabric_core.connectors.record import Files, parse
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import SourceTable
from etlfabric_core.extract_load.sources.json_files import JsonFiles
from etlfabric_core.extract_load.sources.uploaded import UploadedFiles
from etlfabric_core.files.formats import File, format_of
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
    parse(connector.JsonConfig, endpoint.config)

    def open_table(file: File, name: str, resource: ResourceConfig) -> SourceTable:
        options, types = parse(JsonOptions, resource.options), resource.given_types
        json_file = JsonFiles({name: file}, format_of(name), options, config.batch_size, types)
        return json_file.table(name)

    yield UploadedFiles(files, open_table)
