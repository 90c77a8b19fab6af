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
from etlfabric_core.extract_load.destinations.sql.writing import SqlWriting
from etlfabric_core.extract_load.lease import LeaseKeeper
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.typed import Holds

if TYPE_CHECKING:
    import duckdb

QUEUE_SECONDS = 6 * 3600
LOOK_AGAIN_S = 0.5
# A load reads the files of its package, and nothing else reaches the database.
OPENED = {name: value for name, value in CLOSED.items() if name != "enable_external_access"}


def _factory() -> Any:
    from dlt.destinations import duckdb

    return duckdb


def _arguments(endpoint: Endpoint) -> dict[str, Any]:
    from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

    settings = {**OPENED, "temp_directory": f"{kept_file(endpoint)}.tmp"}
    return {"credentials": DuckDbCredentials(str(kept_file(endpoint)), global_config=settings)}


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
)
open_destination = opener(WRITING)
