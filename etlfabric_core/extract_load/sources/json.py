"""Reads uploaded JSON and JSON Lines files."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from etlfabric_core.connectors import json as connector
from etlfabric_core.connectors.files import JsonOptions, find
from etlfabric_core.connectors.record import Files, parse
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import SourceTable
from etlfabric_core.extract_load.sources.json_files import JsonFiles
from etlfabric_core.files.formats import format_of, named
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig


@contextmanager
def open_reader(endpoint: Endpoint, files: Files, config: PipelineConfig) -> "Iterator[JsonReader]":
    """The files of the connection.

    Raises:
        InvalidConfig: the connection's config is wrong.
    """
    parse(connector.JsonConfig, endpoint.config)
    yield JsonReader(files, config.batch_size)


@dataclass(frozen=True)
class JsonReader:
    """An open set of JSON files."""

    files: Files
    batch_size: int

    def names(self) -> list[str]:
        """All files."""
        return sorted(self.files)

    def table(self, resource: ResourceConfig) -> SourceTable:
        """The file a resource reads.

        Raises:
            TerminalError: it is missing, empty, damaged or not JSON.
        """
        given = resource.source or resource.name
        name = named(self.files, given) or given
        options = parse(JsonOptions, resource.options)
        found = {name: find(self.files, name)}
        types = resource.given_types
        return JsonFiles(found, format_of(name), options, self.batch_size, types).table(name)
