"""DuckDB: an uploaded database file, or one that the platform keeps and that loads write to.

Here both are opened read-only and shut off from everything else.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from etlfabric_core.connectors.browse import whole_list
from etlfabric_core.connectors.database_file import database_file
from etlfabric_core.connectors.loading import TABLES_OF_A_FILE
from etlfabric_core.connectors.record import (
    Ability,
    Connector,
    ConnectorModel,
    Direction,
    DiscoveredColumn,
    DiscoveredTable,
    Files,
    NoSecrets,
    TableKind,
    TestResult,
    parse,
)
from etlfabric_core.connectors.sql import discovered, no_table
from etlfabric_core.errors import FabricError, InvalidConfig, TerminalError, TransientError
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


class DuckdbConfig(ConnectorModel):
    """Which database."""

    uploads: tuple[int, ...] = Field(
        (),
        title="File",
        max_length=1,
        description="The id of an uploaded database file, to read from. Without one the platform "
        "keeps a database that pipelines load into.",
    )


@contextmanager
def connect(endpoint: Endpoint, files: Files) -> "Iterator[duckdb.DuckDBPyConnection]":
    """The file, read-only, closed at the end.

    Raises:
        TerminalError: the file is missing, empty, damaged or of another version.
        TransientError: a load is writing to it.
    """
    import duckdb

    path = _path(endpoint, files)
    try:
        connection = duckdb.connect(path or ":memory:", read_only=bool(path), config=dict(CLOSED))
    except duckdb.Error as error:
        if path is None or path == endpoint.database_file:
            raise TransientError(
                "a load is writing to the database, or did not end in order",
                hint="try again when the load is done",
            ) from None
        raise TerminalError(
            f"uploads: '{path.name}' cannot be read ({type(error).__name__})",
            hint=f"upload a file that DuckDB {duckdb.__version__} can read, after a CHECKPOINT",
        ) from None
    with connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set lock_configuration = true")
        yield connection


def kept_file(endpoint: Endpoint) -> Path:
    """The database that the platform keeps for a connection.

    Raises:
        InvalidConfig: the connection is an uploaded file, or not saved yet.
    """
    if endpoint.database_file is None:
        raise InvalidConfig(
            "uploads: an uploaded database is only read",
            hint="leave out the upload: then the platform keeps a database for the connection",
        )
    return endpoint.database_file


def _path(endpoint: Endpoint, files: Files) -> Path | None:
    """None: the database that is kept was not written to yet."""
    if parse(DuckdbConfig, endpoint.config).uploads:
        return database_file(endpoint, files, label="DuckDB", magic=MAGIC, at=MAGIC_AT)
    path = endpoint.database_file
    return path if path and path.exists() else None


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
    description="An uploaded DuckDB database, or one that the platform keeps.",
    directions=frozenset(Direction),
    config=DuckdbConfig,
    secrets=NoSecrets,
    test=test,
    browse=whole_list(list_tables, list_columns),
    files=True,
    abilities=frozenset(Ability),
    loading=TABLES_OF_A_FILE,
    keeps_database=True,
)
