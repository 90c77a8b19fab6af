"""Sealing of secrets: what is stored of a password is readable only with a key of the service."""

import json
from collections.abc import Mapping
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from etlfabric_core.errors import FabricError

PREFIX = b"v1:"


class SecretUnreadable(FabricError):
    """500. A stored secret cannot be opened: its key is gone, or it was moved or changed."""

    code = "secret_unreadable"


class SecretBox:
    """Seals and opens JSON objects. The newest key seals, every key opens.

    The context (the id of the organization) lies inside the sealed payload, so that a value
    copied into another organization's row does not open there.
    """

    def __init__(self, keys: str) -> None:
        """`keys` are Fernet keys, newest first, separated by commas.

        Raises:
            ValueError: there is no key, or one is not a Fernet key.
        """
        parts = [key.strip() for key in keys.split(",") if key.strip()]
        if not parts:
            raise ValueError("no encryption key: set ETLFABRIC_ENCRYPTION_KEYS")
        self._fernet = MultiFernet([Fernet(key) for key in parts])

    def seal(self, value: Mapping[str, Any], *, context: int) -> bytes:
        """The sealed form of a JSON object."""
        payload = json.dumps({"context": context, "value": dict(value)}).encode()
        return PREFIX + self._fernet.encrypt(payload)

    def open(self, sealed: bytes, *, context: int) -> dict[str, Any]:
        """The object that was sealed for this context.

        Raises:
            SecretUnreadable: no key opens it, or it was sealed for another context.
        """
        try:
            if not sealed.startswith(PREFIX):
                raise InvalidToken
            payload = json.loads(self._fernet.decrypt(sealed.removeprefix(PREFIX)))
            if payload["context"] != context:
                raise InvalidToken
        except InvalidToken as error:
            raise SecretUnreadable(
                "a stored secret cannot be opened",
                hint="is the key that sealed it still in ETLFABRIC_ENCRYPTION_KEYS? "
                "Otherwise enter the secret again.",
            ) from error
        value: dict[str, Any] = payload["value"]
        return value

    def reseal(self, sealed: bytes, *, context: int) -> bytes:
        """The same value under the newest key.

        Raises:
            SecretUnreadable: see `open`.
        """
        return self.seal(self.open(sealed, context=context), context=context)
