"""Reads files of a bucket: those that one pattern names make one table, sorted by name.

There is no cursor over files: storage gives them times of whole seconds, a large file the time at
which its upload began, so "only newer ones" would leave some out for ever. A cursor is a column of
the rows, as with every other source.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from etlfabric_core.connectors import csv as csv_connector
from etlfabric_core.connectors import json as json_connector
from etlfabric_core.connectors import s3 as connector
from etlfabric_core.connectors.record import DiscoveredColumn, Files, parse
from etlfabric_core.connectors.s3 import FileOptions
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import SourceTable
from etlfabric_core.extract_load.sources import csv_files, json_fields, parquet_files
from etlfabric_core.extract_load.sources.json_files import JsonFiles
from etlfabric_core.extract_load.sources.parquet_files import ParquetFiles
from etlfabric_core.files.formats import File, Format, format_of
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig


@contextmanager
def open_reader(endpoint: Endpoint, files: Files, config: PipelineConfig) -> "Iterator[S3Reader]":
    """The bucket of the connection.

    Raises:
        InvalidConfig: the connection's config is wrong, or its host was not looked up.
    """
    yield S3Reader(endpoint, config.batch_size)


@dataclass(frozen=True)
class S3Reader:
    """A bucket as a source."""

    endpoint: Endpoint
    batch_size: int

    def names(self) -> list[str]:
        """All files of a format that can be read, each as a table of its own."""
        return [table.source for table in connector.list_tables(self.endpoint, {})]

    def table(self, resource: ResourceConfig) -> SourceTable:
        """The files a resource reads, as one table.

        Raises:
            TerminalError: no file matches, they are of several formats, or one is damaged.
            TransientError: the storage does not answer.
        """
        pattern = resource.source or resource.name
        options = parse(FileOptions, resource.options)
        found = {entry.key: entry for entry in connector.objects(self.endpoint, pattern)}
        types = resource.given_types
        kind = options.format or _one_format(found)
        if kind is Format.CSV:
            return csv_files.table(pattern, found, options, types)
        if kind is Format.PARQUET:
            return ParquetFiles(found, self.batch_size, types).table(pattern)
        return JsonFiles(found, kind, options, self.batch_size, types).table(pattern)


def described(endpoint: Endpoint, pattern: str) -> tuple[DiscoveredColumn, ...]:
    """The columns of the first of the files that a pattern names.

    Raises:
        TerminalError: no file matches, or it is damaged.
        TransientError: the storage does not answer.
    """
    first = connector.objects(endpoint, pattern)[0]
    kind = _one_format({first.key: first})
    if kind is Format.CSV:
        return csv_connector.described(first, first.key, csv_connector.CsvDialect())
    if kind is Format.PARQUET:
        return parquet_files.discovered(first, first.key)
    records = json_connector.records(first, first.key, kind)
    return json_fields.discovered(list(islice(records, json_connector.SAMPLE_RECORDS)))


def _one_format(files: Mapping[str, File]) -> Format:
    kinds = {name: format_of(name) for name in files}
    found = set(kinds.values())
    if found == {None}:
        raise TerminalError(
            f"file '{next(iter(kinds))}': its name tells no format",
            hint=f"set the option `format` of the resource: {', '.join(Format)}",
        )
    if len(found) > 1 or None in found:
        first, kind = next(iter(kinds.items()))
        other = next(name for name in kinds if kinds[name] is not kind)
        raise TerminalError(
            f"files '{first}' and '{other}' are of different formats",
            hint="narrow the pattern, or set the option `format` of the resource",
        )
    return next(kind for kind in found if kind)
