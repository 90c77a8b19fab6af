"""SQLite: an uploaded database file, always opened read-only."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from etlfabric_core.connectors.browse import whole_list
from etlfabric_core.connectors.database_file import DatabaseFileConfig, database_file
from etlfabric_core.connectors.record import (
    Ability,
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
from etlfabric_core.errors import FabricError, TerminalError
from etlfabric_core.extract_load.plan import Endpoint

MAGIC = b"SQLite format 3\x00"
CURSOR_TYPES = ("DATE", "TIME", "INT")


@contextmanager
def connect(endpoint: Endpoint, files: Files) -> Iterator[sqlite3.Connection]:
    """The file, read-only and immutable, closed at the end.

    Raises:
        TerminalError: the file is missing, empty or not a SQLite database.
    """
    parse(DatabaseFileConfig, endpoint.config)
    path = database_file(endpoint, files, label="SQLite", magic=MAGIC, at=0)
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            connection.execute("select count(*) from sqlite_master").fetchone()
        except sqlite3.DatabaseError as error:
            raise TerminalError(
                f"uploads: '{path.name}' cannot be read: {error}", hint="upload the file again"
            ) from None
        connection.execute("pragma trusted_schema = off")  # a view runs no function with effects
        yield connection


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


# A view is not asked for its columns: one that is broken would spoil the whole list.
TABLES = """
select name, type, case type when 'view' then '[]' else (
  select json_group_array(name)
  from (select name from pragma_table_info(m.name) where pk > 0 order by pk)) end
from sqlite_master m
where type in ('table', 'view') and name not like 'sqlite\\_%' escape '\\'
"""


def list_tables(endpoint: Endpoint, files: Files) -> list[DiscoveredTable]:
    """The tables and views of the file.

    Raises:
        TerminalError: as `connect`.
    """
    with connect(endpoint, files) as connection:
        found = connection.execute(TABLES).fetchall()
    return [
        DiscoveredTable("", name, name, TableKind(kind), primary_key=tuple(json.loads(key)))
        for name, kind, key in found
    ]


def list_columns(endpoint: Endpoint, files: Files, table: str) -> tuple[DiscoveredColumn, ...]:
    """The columns of one table or view.

    Raises:
        TerminalError: as `connect`, or there is no such table.
    """
    with connect(endpoint, files) as connection:
        found = describe(connection, table)
    if not found:
        raise TerminalError(f"there is no table '{table}' in the file", hint="list its tables")
    return found


SQLITE = Connector(
    name="sqlite",
    label="SQLite",
    description="An uploaded SQLite database.",
    directions=frozenset({Direction.SOURCE}),
    config=DatabaseFileConfig,
    secrets=NoSecrets,
    test=test,
    browse=whole_list(list_tables, list_columns),
    files=True,
    abilities=frozenset(Ability),
)
