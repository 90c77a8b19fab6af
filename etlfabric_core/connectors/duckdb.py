"""DuckDB: an uploaded database file, always opened read-only and shut off from everything else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

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
)
from etlfabric_core.connectors.sql import discovered, no_table
from etlfabric_core.errors import FabricError, TerminalError
from etlfabric_core.extract_load.plan import Endpoint

if TYPE_CHECKING:
    import duckdb

MAGIC, MAGIC_AT = b"DUCK", 8
DEFAULT_SCHEMA = "main"
CURSOR_TYPES = ("TIMESTAMP", "DATE", "BIGINT", "INTEGER", "SMALLINT", "UBIGINT", "UINTEGER")
# A view in the file is somebody else's SQL: it reaches no file, no network, no variable of ours,
# loads no code, and gets this much memory.
CLOSED = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
    "memory_limit": "512MB",
    "threads": "2",
}
TABLES = "select table_schema, table_name, table_type from information_schema.tables"
COLUMNS = """
select column_name, data_type, is_nullable = 'YES', column_name in (
    select unnest(constraint_column_names) from duckdb_constraints()
    where constraint_type = 'PRIMARY KEY' and schema_name = $schema and table_name = $name)
from information_schema.columns where table_schema = $schema and table_name = $name
order by ordinal_position
"""


@contextmanager
def connect(endpoint: Endpoint, files: Files) -> "Iterator[duckdb.DuckDBPyConnection]":
    """The file, read-only, closed at the end.

    Raises:
        TerminalError: the file is missing, empty, damaged or of another version.
    """
    import duckdb

    path = database_file(endpoint, files, label="DuckDB", magic=MAGIC, at=MAGIC_AT)
    try:
        connection = duckdb.connect(path, read_only=True, config=dict(CLOSED))
    except duckdb.Error as error:
        raise TerminalError(
            f"uploads: '{path.name}' cannot be read ({type(error).__name__})",
            hint=f"upload a file that DuckDB {duckdb.__version__} can read, after a CHECKPOINT",
        ) from None
    with connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set lock_configuration = true")
        yield connection


def test(endpoint: Endpoint, files: Files) -> TestResult:
    """Opens the file and counts its tables."""
    import duckdb

    started = time.monotonic()
    try:
        tables = len(list_tables(endpoint, files))
    except FabricError as error:
        return TestResult(False, error.message, hint=error.hint)
    latency = round((time.monotonic() - started) * 1000)
    return TestResult(True, f"{tables} tables", latency, duckdb.__version__)


def list_tables(endpoint: Endpoint, files: Files) -> list[DiscoveredTable]:
    """The tables and views of the file; outside `main` their source is `schema.table`.

    Raises:
        TerminalError: as `connect`.
    """
    with connect(endpoint, files) as connection:
        return tables(connection)


def list_columns(endpoint: Endpoint, files: Files, source: str) -> tuple[DiscoveredColumn, ...]:
    """The columns of one table or view.

    Raises:
        TerminalError: as `connect`, or there is no such table.
    """
    with connect(endpoint, files) as connection:
        return describe(connection, *locate(connection, source, DEFAULT_SCHEMA))


def tables(connection: "duckdb.DuckDBPyConnection") -> list[DiscoveredTable]:
    """The tables and views of an open file."""
    return [
        DiscoveredTable(
            schema,
            name,
            name if schema == DEFAULT_SCHEMA else f"{schema}.{name}",
            TableKind.VIEW if kind == "VIEW" else TableKind.TABLE,
        )
        for schema, name, kind in connection.execute(TABLES).fetchall()
    ]


def locate(
    connection: "duckdb.DuckDBPyConnection", source: str, default_schema: str
) -> tuple[str, str]:
    """Schema and name of the table that a resource's `source` names.

    Raises:
        TerminalError: there is none.
    """
    known = {(table.schema, table.name) for table in tables(connection)}
    schema, _, name = source.partition(".")
    for place in ((default_schema, source), (schema, name)):
        if place in known:
            return place
    raise no_table(source)


def describe(
    connection: "duckdb.DuckDBPyConnection", schema: str, name: str
) -> tuple[DiscoveredColumn, ...]:
    """The columns of a table or view."""
    found = connection.execute(COLUMNS, {"schema": schema, "name": name}).fetchall()
    return tuple(
        discovered(column, type_, nullable, in_key, CURSOR_TYPES)
        for column, type_, nullable, in_key in found
    )


DUCKDB = Connector(
    name="duckdb",
    label="DuckDB",
    description="An uploaded DuckDB database.",
    directions=frozenset({Direction.SOURCE}),
    config=DatabaseFileConfig,
    secrets=NoSecrets,
    test=test,
    browse=whole_list(list_tables, list_columns),
    files=True,
    abilities=frozenset(Ability),
)
