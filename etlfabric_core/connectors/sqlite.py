"""SQLite: an uploaded database file, always opened read-only."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pydantic import Field

from etlfabric_core.connectors.record import (
    Connector,
    ConnectorModel,
    Direction,
    DiscoveredColumn,
    DiscoveredResource,
    Files,
    NoSecrets,
    TestResult,
    parse,
)
from etlfabric_core.errors import FabricError, TerminalError
from etlfabric_core.extract_load.plan import Endpoint

MAGIC = b"SQLite format 3\x00"
CURSOR_TYPES = ("DATE", "TIME", "INT")


class SqliteConfig(ConnectorModel):
    """Which upload is the database."""

    uploads: tuple[int, ...] = Field(
        min_length=1, max_length=1, description="The id of the uploaded database file."
    )


@contextmanager
def connect(endpoint: Endpoint, files: Files) -> Iterator[sqlite3.Connection]:
    """The file, read-only and immutable, closed at the end.

    Raises:
        TerminalError: the file is missing, empty or not a SQLite database.
    """
    path = _path(endpoint, files)
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            connection.execute("select count(*) from sqlite_master").fetchone()
        except sqlite3.DatabaseError as error:
            raise TerminalError(
                f"uploads: '{path.name}' cannot be read: {error}", hint="upload the file again"
            ) from None
        yield connection


def _path(endpoint: Endpoint, files: Files) -> Path:
    parse(SqliteConfig, endpoint.config)
    names = [file.name for file in endpoint.files] or list(files)
    path = files.get(names[0]) if names else None
    if path is None or not path.is_file():
        raise TerminalError("uploads: the database file is missing", hint="upload the file again")
    with path.open("rb") as file:
        head = file.read(len(MAGIC))
    if not head:
        raise TerminalError(f"uploads: '{names[0]}' is empty", hint="upload the file again")
    if head != MAGIC:
        raise TerminalError(
            f"uploads: '{names[0]}' is not a SQLite database",
            hint="upload a file written by SQLite 3",
        )
    return path


def test(endpoint: Endpoint, files: Files) -> TestResult:
    """Opens the file and counts its tables."""
    started = time.monotonic()
    try:
        with connect(endpoint, files) as connection:
            tables = len(table_names(connection))
    except FabricError as error:
        return TestResult(False, error.message, hint=error.hint)
    latency = round((time.monotonic() - started) * 1000)
    return TestResult(True, f"{tables} tables", latency, sqlite3.sqlite_version)


def table_names(connection: sqlite3.Connection) -> list[str]:
    """Tables and views, without SQLite's own."""
    query = (
        "select name from sqlite_master where type in ('table', 'view') "
        "and name not like 'sqlite\\_%' escape '\\' order by name"
    )
    return [str(name) for (name,) in connection.execute(query)]


def describe(connection: sqlite3.Connection, table: str) -> tuple[DiscoveredColumn, ...]:
    """The columns of a table; empty when there is no such table."""
    rows = connection.execute('select name, type, "notnull", pk from pragma_table_info(?)', [table])
    return tuple(
        _column(name, type_.upper(), not notnull, pk > 0) for name, type_, notnull, pk in rows
    )


def _column(name: str, type_: str, nullable: bool, in_key: bool) -> DiscoveredColumn:
    why_not = None
    if not any(word in type_ for word in CURSOR_TYPES):
        why_not = f"{type_ or 'a column without a type'} does not grow from row to row"
    elif nullable and not in_key:
        why_not = "it can be empty; such rows would never be loaded"
    return DiscoveredColumn(name, type_, nullable, in_key, why_not is None, why_not)


def discover(endpoint: Endpoint, files: Files) -> tuple[DiscoveredResource, ...]:
    """Every table and view of the file.

    Raises:
        TerminalError: as `connect`.
    """
    with connect(endpoint, files) as connection:
        return tuple(
            DiscoveredResource(name, describe(connection, name)) for name in table_names(connection)
        )


SQLITE = Connector(
    name="sqlite",
    label="SQLite",
    description="An uploaded SQLite database.",
    directions=frozenset({Direction.SOURCE}),
    config=SqliteConfig,
    secrets=NoSecrets,
    test=test,
    discover=discover,
    files=True,
)
