"""How the warehouse is reached from inside and outside the sandbox."""

import socket
from pathlib import Path
from typing import Any

from etlfabric_core.errors import TransientError
from etlfabric_core.sandbox import Policy
from etlfabric_core.transform.plan import WarehouseLogin

_STATEMENT_MS = 10_000
_LOCK_MS = 2_000


def policy(work_dir: Path, login: WarehouseLogin | None, **limits: Any) -> Policy:
    """A policy that lets a call reach the warehouse's port, and nothing when there is no login.

    The address is looked up here, because there is no name service in the sandbox.

    Raises:
        TransientError: the host's name cannot be resolved.
    """
    if login is None:
        return Policy(work_dir, **limits)
    return Policy(
        work_dir,
        ports=(login.port,),
        environment={"PGHOSTADDR": _address(login), "PGAPPNAME": "etlfabric"},
        redact=(login.password,),
        **limits,
    )


def keywords(login: WarehouseLogin) -> dict[str, Any]:
    """Connection arguments for checks that read nothing and must not wait."""
    return {
        "host": login.host,
        "port": login.port,
        "user": login.user,
        "password": login.password,
        "dbname": login.database,
        "connect_timeout": 5,
        "options": f"-c statement_timeout={_STATEMENT_MS} -c lock_timeout={_LOCK_MS} "
        "-c default_transaction_read_only=on",
    }


def _address(login: WarehouseLogin) -> str:
    try:
        found = socket.getaddrinfo(login.host, login.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TransientError(f"the warehouse's host '{login.host}' is unknown") from error
    return str(found[0][4][0])
