"""Loads into a database file that the platform keeps for the organization, one load at a time.

DuckDB locks a file that a process writes to; other loads wait, and who reads meanwhile is told to
try again. Files lie below `ETLFABRIC_DATABASES_DIR`, named by ids alone, and go with
the organization.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etlfabric_core.connectors.duckdb import CLOSED, kept_file
from etlfabric_core.errors import TransientError
from etlfabric_core.extract_load.destinations.sql import opener
from etlfabric_core.extract_load.destinations.sql.states import SqlStates
from etlfabric_core.extract_load.destinations.sql.writing import SqlWriting
from etlfabric_core.extract_load.lease import LeaseKeeper
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.typed import Holds

if TYPE_CHECKING:
    import duckdb
    import pyarrow

QUEUE_SECONDS = 6 * 3600
LOOK_AGAIN_S = 0.5
# A load reads the files of its package, and nothing else reaches the database.
OPENED = {name: value for name, value in CLOSED.items() if name != "enable_external_access"}


def _factory() -> Any:
    from dlt.destinations import duckdb

    return duckdb


def _arguments(endpoint: Endpoint, *, read_only: bool = False) -> dict[str, Any]:
    from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

    path = str(kept_file(endpoint))
    settings = {**OPENED, "temp_directory": f"{path}.tmp"}
    made = DuckDbCredentials(path, read_only=read_only, global_config=settings)
    return {"credentials": made}


def _reading(endpoint: Endpoint) -> dict[str, Any]:
    import duckdb
    from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

    if kept_file(endpoint).exists():
        return _arguments(endpoint, read_only=True)
    return {"credentials": DuckDbCredentials(duckdb.connect())}  # nothing was loaded yet


@contextmanager
def _held(endpoint: Endpoint, lease: LeaseKeeper) -> Iterator[None]:
    """Keeps the file open for as long as the load runs, so that no other process gets in between.

    Raises:
        TransientError: the lease was lost while waiting, or it took `QUEUE_SECONDS`.
    """
    path = kept_file(endpoint)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + QUEUE_SECONDS
    while (connection := _opened(path)) is None:
        lease.check()
        if time.monotonic() > deadline:
            raise TransientError(
                f"the database has been busy for {QUEUE_SECONDS} seconds",
                hint="look for a load that hangs",
            )
        time.sleep(LOOK_AGAIN_S)
    with connection:
        yield


def _opened(path: Path) -> "duckdb.DuckDBPyConnection | None":
    """None: another process has it open."""
    import duckdb

    try:
        return duckdb.connect(str(path))
    except duckdb.IOException as error:
        if "lock" in str(error):
            return None
        raise


def _inserted(sql: Any, table: str, rows: "pyarrow.Table") -> None:
    """By name: the rows as a view of this connection."""
    connection, names = sql.native_connection, ", ".join(rows.column_names)
    connection.register("etlfabric_rows", rows)
    connection.execute(f"insert into {table} ({names}) select {names} from etlfabric_rows")  # noqa: S608
    connection.unregister("etlfabric_rows")


WRITING = SqlWriting(
    label="DuckDB",
    factory=_factory,
    arguments=_arguments,
    holds=Holds(digits=38),
    capabilities={
        "preferred_loader_file_format": "parquet",
        "supported_loader_file_formats": ["parquet", "insert_values"],
    },
    held=_held,
    reading=_reading,
    inserted=_inserted,
    time_type="timestamptz",
)
open_destination = opener(WRITING)
STATE_STORE = SqlStates(WRITING)
