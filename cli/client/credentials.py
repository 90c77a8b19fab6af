"""Where the command keeps its tokens: one file that only its owner can read."""

import json
import os
from pathlib import Path
from typing import Any

from cli.client.errors import ClientError

DEFAULT_URL = "http://127.0.0.1:8000"


def path() -> Path:
    """`$XDG_CONFIG_HOME/etlfabric/credentials.json`."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "etlfabric" / "credentials.json"


def load() -> dict[str, Any]:
    """Address and tokens. `ETLFABRIC_TOKEN` and `ETLFABRIC_API_URL` go before the file.

    Raises:
        ClientError: nobody has signed in yet.
    """
    stored: dict[str, Any] = json.loads(path().read_text()) if path().exists() else {}
    url = os.environ.get("ETLFABRIC_API_URL") or stored.get("api_url") or DEFAULT_URL
    if token := os.environ.get("ETLFABRIC_TOKEN"):
        return {"api_url": url, "access_token": token}
    if not stored:
        raise ClientError("nobody is signed in", hint="run: etlfabric login")
    return stored | {"api_url": url}


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
