"""Where the command keeps its tokens: one file that only its owner can read."""

import base64
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli.client.errors import ClientError

DEFAULT_URL = "http://127.0.0.1:8000"


def path() -> Path:
    """`$XDG_CONFIG_HOME/etlfabric/credentials.json`."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "etlfabric" / "credentials.json"


def load() -> dict[str, Any]:
    """Address and tokens. `ETLFABRIC_API_KEY` and `ETLFABRIC_API_URL` go before the file.

    Raises:
        ClientError: nobody has signed in yet.
    """
    stored = _stored()
    url = os.environ.get("ETLFABRIC_API_URL") or stored.get("api_url") or DEFAULT_URL
    if key := os.environ.get("ETLFABRIC_API_KEY"):
        return {"api_url": url, "access_token": key}
    if not stored:
        raise ClientError(
            "nobody is signed in", hint="run: etlfabric login; or set ETLFABRIC_API_KEY"
        )
    return stored | {"api_url": url}


def newest(access_token: str) -> dict[str, Any] | None:
    """What the file holds of the same sign-in as this token; None if it holds another, or none."""
    stored = _stored()
    same = stored and _sid(stored["access_token"]) == _sid(access_token)
    return stored if same else None


@contextmanager
def locked() -> Iterator[None]:
    """Keeps other commands from renewing the same tokens meanwhile."""
    file = path().with_suffix(".lock")
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def save(api_url: str, tokens: dict[str, Any]) -> None:
    """Keep the tokens of an answer of the service."""
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    content = {
        "api_url": api_url,
        "access_token": tokens["access_token"],
        "refresh_token": tokens["refresh_token"],
    }
    draft = file.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(content, out)
    draft.replace(file)


def _stored() -> dict[str, Any]:
    try:
        stored: dict[str, Any] = json.loads(path().read_text())
    except FileNotFoundError:
        return {}
    return stored


def _sid(access_token: str) -> str:
    """Which sign-in an access token belongs to. Read, not checked: the service does that."""
    payload = access_token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(claims["sid"])
