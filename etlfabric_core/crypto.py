"""Sealing of secrets: what is stored of a password is readable only with a key of the service."""

import base64
import json
import os
from collections.abc import Mapping
from typing import Any, Literal

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken

from etlfabric_core.errors import FabricError
from etlfabric_core.key_ring import Key, KeyRing

Cipher = Literal["fernet", "aes-gcm"]

NONCE_BYTES = 12
STANDARD, URL_SAFE = b"+/", b"-_"  # the last two characters of an alphabet of base64


class SecretUnreadable(FabricError):
    """500. A stored secret cannot be opened: its key is gone, or it was moved or changed."""

    code = "secret_unreadable"


class SecretBox:
    """Seals and opens JSON objects, in the form `v2:<key id>:<cipher>:<sealed>`.

    A value is bound to its place, which is an organization and a field: copied into another
    organization's row, or into another field, it does not open there.
    """

    def __init__(self, keys: KeyRing, cipher: Cipher = "fernet") -> None:
        """`cipher` seals; what either cipher sealed is opened."""
        self.keys, self.cipher = keys, cipher

    def seal(self, value: Mapping[str, Any], *, org_id: int, field: str) -> bytes:
        """The sealed form of a JSON object."""
        key, place = self.keys.newest(), _place(org_id, field)
        if self.cipher == "fernet":
            payload = json.dumps({"place": place, "value": dict(value)}).encode()
            return self._prefix(key) + key.fernet.encrypt(payload)
        nonce = os.urandom(NONCE_BYTES)
        sealed = key.aes_gcm.encrypt(nonce, json.dumps(dict(value)).encode(), place.encode())
        return self._prefix(key) + base64.b64encode(nonce + sealed)

    def open(self, sealed: bytes, *, org_id: int, field: str) -> dict[str, Any]:
        """The object that was sealed for this place.

        Raises:
            SecretUnreadable: no key opens it, or it was sealed for another place.
        """
        try:
            version, _, rest = sealed.partition(b":")
            if version == b"v1":
                return self._open_first_form(rest, org_id)
            id, cipher, token = rest.split(b":", 2)
            key = self.keys.find(id.decode())
            if version != b"v2" or key is None:
                raise InvalidToken
            return _OPENERS[cipher](key, token, _place(org_id, field))
        except (InvalidToken, InvalidTag, ValueError, KeyError) as error:
            raise SecretUnreadable(
                "a stored secret cannot be opened",
                hint="is the key that sealed it still in ETLFABRIC_ENCRYPTION_KEYS? "
                "Otherwise enter the secret again.",
            ) from error

    def newest_prefix(self) -> bytes:
        """How everything begins that is sealed from now on."""
        return self._prefix(self.keys.newest())

    def key_of(self, sealed: bytes) -> str | None:
        """The id of the key that sealed it, in force or not; None where that cannot be told."""
        version, _, rest = sealed.partition(b":")
        if version == b"v2":
            return rest.partition(b":")[0].decode()
        return next((key.id for key in self.keys.all() if _opens(key.fernet, rest)), None)

    def _prefix(self, key: Key) -> bytes:
        return f"v2:{key.id}:{self.cipher}:".encode()

    def _open_first_form(self, token: bytes, org_id: int) -> dict[str, Any]:
        """Without a key's id in front; it is bound to its organization alone."""
        key = next((key for key in self.keys.all() if _opens(key.fernet, token)), None)
        if key is None:
            raise InvalidToken
        return _unpacked(key.fernet.decrypt(token), "context", org_id)


def _open_fernet(key: Key, token: bytes, place: str) -> dict[str, Any]:
    _raw(token, URL_SAFE)
    return _unpacked(key.fernet.decrypt(token), "place", place)


def _open_aes_gcm(key: Key, token: bytes, place: str) -> dict[str, Any]:
    raw = _raw(token, STANDARD)
    opened = key.aes_gcm.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], place.encode())
    value: dict[str, Any] = json.loads(opened)
    return value


def _raw(token: bytes, altchars: bytes) -> bytes:
    """The bytes of base64 text. Its last character can hold bits that mean nothing: they are 0."""
    raw = base64.b64decode(token, altchars, validate=True)
    if base64.b64encode(raw, altchars) != token:
        raise InvalidToken
    return raw


_OPENERS = {b"fernet": _open_fernet, b"aes-gcm": _open_aes_gcm}


def _place(org_id: int, field: str) -> str:
    return f"{org_id}/{field}"


def _unpacked(payload: bytes, bound: str, place: str | int) -> dict[str, Any]:
    unpacked = json.loads(payload)
    if unpacked[bound] != place:
        raise InvalidToken
    value: dict[str, Any] = unpacked["value"]
    return value


def _opens(fernet: Fernet, token: bytes) -> bool:
    try:
        fernet.decrypt(token)
    except InvalidToken:
        return False
    return True
