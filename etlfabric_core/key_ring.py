"""The encryption keys: where they come from, which one seals, and how they change while we run."""

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import structlog
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32

log = structlog.get_logger()


@dataclass(frozen=True)
class Key:
    """One key, ready for both ciphers. The id stands in front of what it sealed."""

    id: str
    fernet: Fernet
    aes_gcm: AESGCM

    @classmethod
    def parse(cls, text: str) -> "Key":
        """From 32 bytes in URL-safe base64.

        Raises:
            ValueError: it is none.
        """
        try:
            raw = base64.urlsafe_b64decode(text)
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != KEY_BYTES:
            raise ValueError("an encryption key is 32 random bytes in URL-safe base64")
        derived = HKDF(SHA256(), 32, salt=None, info=b"etlfabric aes-256-gcm").derive(raw)
        return cls(sha256(raw).hexdigest()[:8], Fernet(text), AESGCM(derived))


class KeyRing:
    """The keys in force, the one that seals first. Kept in a file, they may change at any time."""

    def __init__(self, text: str = "", *, path: Path | None = None) -> None:
        """Keys are separated by commas or lines.

        Raises:
            ValueError: there is no key, one is none, or the file cannot be read.
        """
        self._path, self._stamp = path, _stamp(path)
        try:
            self._keys = _parsed(path.read_text() if path else text)
        except OSError as error:
            raise ValueError(f"{path}: {error.strerror}") from error

    def newest(self) -> Key:
        """The key that seals."""
        self._refresh()
        return next(iter(self._keys.values()))

    def find(self, id: str) -> Key | None:
        """The key of that id. An unknown one may just have been made: the file is read again."""
        if id not in self._keys:
            self._refresh()
        return self._keys.get(id)

    def all(self) -> tuple[Key, ...]:
        """Every key in force, the one that seals first."""
        self._refresh()
        return tuple(self._keys.values())

    def _refresh(self) -> None:
        stamp = _stamp(self._path)
        if self._path is None or stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = _parsed(self._path.read_text())
        except (OSError, ValueError) as error:
            log.error("encryption_keys_unreadable", path=str(self._path), reason=str(error))
        else:
            log.info("encryption_keys_read", keys=list(self._keys))


def _parsed(text: str) -> dict[str, Key]:
    keys = [Key.parse(part) for part in text.replace(",", " ").split()]
    if not keys:
        raise ValueError("no encryption key")
    return {key.id: key for key in keys}


def _stamp(path: Path | None) -> tuple[int, ...]:
    try:
        found = path.stat() if path else None
    except OSError:
        found = None
    return (found.st_mtime_ns, found.st_ino, found.st_size) if found else ()
