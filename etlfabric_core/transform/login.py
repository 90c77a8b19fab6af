"""How the warehouse is reached from inside and outside the sandbox."""

from pathlib import Path
from typing import Any

from etlfabric_core.sandbox import Policy
from etlfabric_core.transform.gate import gate_to
from etlfabric_core.transform.plan import WarehouseLogin

_STATEMENT_MS = 10_000
_LOCK_MS = 2_000


def policy(work_dir: Path, login: WarehouseLogin | None, **limits: Any) -> Policy:
    """A policy that lets a call reach the warehouse as this login, and nothing where it is None."""
    return Policy(work_dir, gate=gate_to(login) if login else None, **limits)


def inside(login: WarehouseLogin) -> dict[str, str]:
    """What dbt is told of the login: neither the address nor the password."""
    return login.model_dump(include={"user", "database", "schema_name"})


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
