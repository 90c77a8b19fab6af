"""JSON: uploaded documents and JSON Lines, plain or compressed."""

from collections.abc import Iterator
from itertools import islice

from etlfabric_core.connectors.browse import whole_list
from etlfabric_core.connectors.files import JsonOptions, UploadsConfig, find, tested
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
from etlfabric_core.files import json_records
from etlfabric_core.files.formats import File, Format, format_of, named
from etlfabric_core.files.json_records import Record
from etlfabric_core.files.unpacked import unpacked

SAMPLE_RECORDS = 1000


class JsonConfig(UploadsConfig):
    """Which uploads. A name that ends with .jsonl or .ndjson tells JSON Lines."""


def records(file: File, name: str, kind: Format | None, path: str = "") -> Iterator[Record]:
    """The records of one file, one after the other.

    Raises:
        TerminalError: it is damaged or not JSON; names the place.
    """
    with file.open("rb") as raw, unpacked(raw, name) as plain:
        if kind is Format.JSON_LINES:
            yield from json_records.lines(plain, name)
        else:
            yield from json_records.document(plain, name, path)


def test(endpoint: Endpoint, files: Files) -> TestResult:
    """Opens every file and reads its first records."""

    def attempt() -> str:
        parse(JsonConfig, endpoint.config)
        if not files:
            raise TerminalError("uploads: no file", hint="upload a JSON file")
        for name in files:
            _sample(files, name)
        return f"{len(files)} files"

    return tested(attempt)


def list_tables(endpoint: Endpoint, files: Files) -> list[DiscoveredTable]:
    """One table per file."""
    return [DiscoveredTable("", name, name, TableKind.FILE) for name in files]


def list_columns(endpoint: Endpoint, files: Files, table: str) -> tuple[DiscoveredColumn, ...]:
    """The fields of the first records of one file.

    Raises:
        TerminalError: the file is missing, damaged or not JSON.
    """
    from etlfabric_core.extract_load.sources import json_fields

    return json_fields.discovered(_sample(files, table))


def _sample(files: Files, name: str) -> list[Record]:
    kind = format_of(named(files, name) or name)
    found = records(find(files, name), name, kind)
    return list(islice(found, SAMPLE_RECORDS))


JSON = Connector(
    name="json",
    label="JSON files",
    description="Uploaded JSON and JSON Lines files, plain or compressed.",
    directions=frozenset({Direction.SOURCE}),
    config=JsonConfig,
    secrets=NoSecrets,
    test=test,
    browse=whole_list(list_tables, list_columns),
    files=True,
    file_for=named,
    resource_options=JsonOptions,
)
