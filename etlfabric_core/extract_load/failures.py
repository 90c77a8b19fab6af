"""Whatever went wrong inside a load, as one of our errors: what, where, and what to do now.

Messages of drivers and of dlt can repeat rows or a connection's address; only what is known to
be safe is passed on.
"""

import traceback
from collections.abc import Iterator
from pathlib import Path

from etlfabric_core.errors import FabricError, TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint

# SQLSTATE, or its class, of a failure that may be gone at the next try.
TRANSIENT_STATES = ("08", "40", "53", "55", "57", "58", "XX")
HINTS = {
    "42501": "give the user the right to do this",
    "23502": "a column of the primary key or one that is NOT NULL has a row without a value",
    "42P01": "a table is missing; check that nobody dropped it while the load ran",
    "22021": "PostgreSQL cannot store the character NUL in text; remove it at the source",
    "53100": "free space at the destination; what the load had written is taken out again",
    "2BP01": "something depends on the table; drop or change that first",
}


def explained(error: BaseException, destination: Endpoint) -> FabricError:
    """The error to tell: the first of ours in the chain, else the database's, else dlt's."""
    chain = list(_chain(error))
    for link in chain:
        if isinstance(link, FabricError):
            return link
    for link in chain:
        if (told := _from_database(link, destination)) is not None:
            return told
    for link in chain:
        if (told := _from_driver(link, destination)) is not None:
            return told
    for link in chain:
        if (told := _from_dlt(link)) is not None:
            return told
    names = " > ".join(f"{type(link).__name__}{_place(link)}" for link in chain)
    return TerminalError(f"the load failed: {names}", hint="report it with the run's id")


def _place(error: BaseException) -> str:
    """Where it was raised: enough to find the cause, and never a value."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all that led to it. dlt keeps some causes in attributes of its own."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        link = waiting.pop(0)
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        inner = (getattr(link, name, None) for name in ("client_exception", "exception"))
        waiting += [entry for entry in inner if isinstance(entry, BaseException)]
        waiting += [link.__cause__, link.__context__]


def _from_database(error: BaseException, destination: Endpoint) -> FabricError | None:
    import psycopg
    import psycopg2

    if isinstance(error, psycopg2.Error):
        state = error.pgcode
    elif isinstance(error, psycopg.Error):
        state = error.sqlstate
    else:
        return None
    where = f"{destination.config.get('host')}:{destination.config.get('port', 5432)}"
    if state is None:
        return TransientError(
            f"the connection to the destination {where} was lost",
            hint="check that the server is running; the next try begins anew",
        )
    place = error.diag
    parts = [place.message_primary or "refused"]
    parts += [f"table {place.table_name}"] if place.table_name else []
    parts += [f"column {place.column_name}"] if place.column_name else []
    kind = TransientError if state.startswith(TRANSIENT_STATES) else TerminalError
    safe = parts if not state.startswith("22") else ["a value does not fit its column", *parts[1:]]
    return kind(f"PostgreSQL {state}: {', '.join(safe)}", hint=HINTS.get(state))


def _from_driver(error: BaseException, destination: Endpoint) -> FabricError | None:
    """Errors of other drivers: their class and number, never their words, which repeat values."""
    module = type(error).__module__.partition(".")[0]
    if module not in DRIVERS:
        return None
    code = next(iter(getattr(error, "args", ())), None)
    name = f"{type(error).__name__} {code}" if isinstance(code, int) else type(error).__name__
    if code in DRIVERS[module] or name in DRIVERS[module]:
        return TransientError(
            f"the connection to the destination was lost, or it was busy ({name})",
            hint="check that the server is running; the next try begins anew",
        )
    return TerminalError(
        f"the destination {destination.connector} refused a statement of the load ({name})",
        hint="check that the user may make and fill tables, and that the values fit their columns",
    )


# Drivers, and their errors or numbers that another try may not meet.
DRIVERS: dict[str, tuple[str | int, ...]] = {
    "pymysql": (1205, 1213, 1927, 2003, 2006, 2013, 1053, 1040),
    "duckdb": ("IOException", "TransactionException"),
    "pymssql": (1205, 20003, 20006, 20009),
    "snowflake": (),
    "google": ("ServiceUnavailable", "TooManyRequests", "InternalServerError"),
    "botocore": ("EndpointConnectionError", "ConnectionClosedError", "ReadTimeoutError"),
}


def _from_dlt(error: BaseException) -> FabricError | None:
    from dlt.common.schema.exceptions import CannotCoerceColumnException, SchemaException
    from dlt.extract.incremental.exceptions import IncrementalCursorPathHasValueNone

    if isinstance(error, IncrementalCursorPathHasValueNone):
        return TerminalError(
            "cursor: a row has no value in the cursor column, so it would never be loaded again",
            hint="choose a column that is never empty, or remove the cursor",
        )
    if isinstance(error, CannotCoerceColumnException):  # its words repeat the value
        return TerminalError(
            f"table '{error.table_name}', column '{error.column_name}': "
            f"a value of type {error.from_type} does not fit its type {error.to_type}",
            hint="give the column a type that holds all of its values",
        )
    if isinstance(error, SchemaException):
        return TerminalError(
            f"a table changed in a way that its destination cannot follow: {error}".splitlines()[0],
            hint="load into a new table, or undo the change at the source",
        )
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return TransientError(
            f"the work directory or a file cannot be used: {reason}",
            hint="check free space and permissions on the worker",
        )
    return None
