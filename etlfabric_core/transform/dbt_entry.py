"""dbt's own entry, called in the sandbox: its flags, its profile in memory, its log."""

import logging
import multiprocessing.synchronize
import os
import threading
from typing import Any

from etlfabric_core.errors import InvalidConfig, TerminalError
from etlfabric_core.transform.lines import cleaned

PROJECT = "project"
UNKNOWN_DATABASE = "warehouse"  # a manifest is made before anyone says which database it is

_log = logging.getLogger("etlfabric_core.transform")
_NOBODY = {"user": "nobody", "database": UNKNOWN_DATABASE, "schema_name": "none"}
_FLAGS = (
    "--no-use-colors",
    "--log-level-file",
    "none",
    "--log-level",
    "none",
    "--no-partial-parse",
    "--no-static-parser",  # its Rust threads would not survive the fork of the warm server
    "--no-version-check",
    "--no-send-anonymous-usage-stats",
    "--no-print",
)
_LEVELS = {"info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_REPEATED_BY_THE_ERROR = ("MainEncounteredError", "MainStackTrace")


def invoke(args: list[str], login: dict[str, Any] | None, manifest: Any = None) -> Any:
    """One dbt command. Gives its result, run results with failures included.

    Raises:
        InvalidConfig, TerminalError: dbt stopped; the message is dbt's.
    """
    from dbt.cli.main import dbtRunner

    _stay_in_one_process()
    _hand_over(login or _NOBODY)
    directories = ["--project-dir", PROJECT, "--profiles-dir", PROJECT]
    runner = dbtRunner(manifest=manifest, callbacks=[_log_event])
    answer = runner.invoke([*args, *directories, *_FLAGS])
    if answer.exception is None and (answer.success or answer.result is not None):
        return answer.result
    error = answer.exception
    _raise_memory_error(error)
    message = str(error) if error else "dbt stopped without a message"
    if args[0] in ("parse", "compile"):
        raise InvalidConfig(message)
    raise TerminalError(message)


def _raise_memory_error(error: BaseException | None) -> None:
    """dbt wraps what Python raises where memory ends into errors of its own."""
    while error is not None:
        if isinstance(error, MemoryError):
            raise error
        error = error.__cause__ or error.__context__


def _hand_over(login: dict[str, Any]) -> None:
    """Give dbt its profile in memory. Whatever it says, the gate decides where it leads to."""
    import dbt.config.profile

    output = {
        "type": "postgres",
        "host": "127.0.0.1",
        "port": int(os.environ.get("GATE_PORT", "1")),
        "user": login["user"],
        "password": "none",
        "dbname": login["database"],
        "schema": login["schema_name"],
        "threads": 1,
        "connect_timeout": 15,
    }
    profile = {"tenant": {"target": "warehouse", "outputs": {"warehouse": output}}}
    dbt.config.profile.read_profile = lambda _directory: profile


def _stay_in_one_process() -> None:
    """dbt takes multiprocessing locks for its threads; those need /dev/shm, which is closed."""
    multiprocessing.synchronize.Lock = lambda **_: threading.Lock()  # type: ignore[misc, assignment]
    multiprocessing.synchronize.RLock = lambda **_: threading.RLock()  # type: ignore[misc, assignment]


def _log_event(event: Any) -> None:
    severity = _LEVELS.get(str(event.info.level))
    if severity is not None and event.info.msg and event.info.name not in _REPEATED_BY_THE_ERROR:
        _log.log(severity, "%s", cleaned(event.info.msg))
