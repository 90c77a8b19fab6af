"""The secrets that a local stack generates for itself, once, into a file of the owner's alone."""

import base64
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from cli.stack.layout import KEYS_FILE
from etlfabric_core.errors import InvalidConfig


def _token() -> str:
    return secrets.token_urlsafe(36)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _password() -> str:
    return secrets.token_urlsafe(15)


MAKERS: Mapping[str, Callable[[], str]] = {
    "postgres_password": _token,
    "owner_password": _token,
    "service_password": _token,
    "warehouse_password": _token,
    "airflow_database_password": _token,
    "airflow_service_password": _token,
    "airflow_operator_password": _password,
    "airflow_jwt_secret": _token,
    "airflow_secret_key": _token,
    "airflow_fernet_key": _fernet_key,
    "internal_token": _token,
    "audit_keys": _token,
    "jwt_secret": _token,
    "demo_password": _password,
}


def ensure(path: Path) -> dict[str, str]:
    """What the file holds; what it lacks is generated and written (mode 0600).

    The encryption keys get a file of their own beside it, for `etlfabric keys rotate`.

    Raises:
        InvalidConfig: the file is there, but is not a JSON object; or the keys are gone.
    """
    known = read(path) if path.exists() else {}
    _ensure_keys(path, known)
    wanted = {name: known.get(name) or make() for name, make in MAKERS.items()}
    if wanted != known:
        _write(path, json.dumps(wanted, indent=2) + "\n")
    return wanted


def read(path: Path) -> dict[str, str]:
    """The secrets of an existing stack.

    Raises:
        InvalidConfig: there is no such file, or it is not a JSON object.
    """
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        raise InvalidConfig(
            f"{path} is not there", hint="Start the stack with `make up`."
        ) from None
    except json.JSONDecodeError as error:
        found = error
    if not isinstance(found, dict):
        raise InvalidConfig(
            f"{path} cannot be read as JSON",
            hint="Put the file back from a backup: the databases are locked with what it holds.",
        )
    return found


def _ensure_keys(path: Path, known: Mapping[str, str]) -> None:
    keys = path.with_name(KEYS_FILE)
    if keys.exists():
        return
    if known and "encryption_keys" not in known:  # where stacks had them before
        raise InvalidConfig(
            f"{keys} is not there",
            hint="Put the file back from a backup: stored secrets open with no other keys.",
        )
    _write(keys, known.get("encryption_keys", _fernet_key()).replace(",", "\n") + "\n")


def _write(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
