"""Loads into a database file that the platform keeps for the organization, one load at a time.

A load holds a lock on the file, which ends with its process; others wait, and who reads meanwhile
is told to try again. Files lie below `ETLFABRIC_DATABASES_DIR`, named by ids alone, and go with
the organization.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from etlfabric_core.connectors.duckdb import CLOSED, kept_file
from etlfabric_core.errors import TransientError
from etlfabric_core.extract_load.destinations.sql import opener
from etlfabric_core.extract_load.destinations.sql.writing import SqlWriting
from etlfabric_core.extract_load.lease import LeaseKeeper
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.typed import Holds

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
    """Waits for the load that has the database; the lock ends with the process that holds it.

    Raises:
        TransientError: the lease was lost while waiting, or it took `QUEUE_SECONDS`.
    """
    path = kept_file(endpoint)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + QUEUE_SECONDS
    with Path(f"{path}.lock").open("wb") as file:
        while not _locked(file):
            lease.check()
            if time.monotonic() > deadline:
                raise TransientError(
                    f"the database has been busy for {QUEUE_SECONDS} seconds",
                    hint="look for a load that hangs",
                )
            time.sleep(LOOK_AGAIN_S)
        yield


def _locked(file: Any) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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
