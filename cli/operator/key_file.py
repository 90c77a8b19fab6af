"""The file of encryption keys: one a line, the one that seals first. Replaced, never rewritten."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.fernet import Fernet

from etlfabric_core.errors import Conflict, InvalidConfig


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one command at a time changes the keys.

    Raises:
        Conflict: another one is at it.
    """
    handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(
                "the keys are being changed by another command", hint="wait until it has ended"
            ) from None
        yield
    finally:
        os.close(handle)


def add(path: Path) -> str:
    """A new key behind the others: it opens, and does not seal yet.

    Raises:
        InvalidConfig: the file cannot be read or replaced.
    """
    key = Fernet.generate_key().decode()
    _replace(path, [*_read(path), key])
    return key


def promote(path: Path, key: str) -> None:
    """From now on this key seals.

    Raises:
        InvalidConfig: the file cannot be read or replaced.
    """
    _replace(path, [key, *(other for other in _read(path) if other != key)])


def prune(path: Path) -> int:
    """Removes every key but the one that seals; how many there were.

    Raises:
        InvalidConfig: the file cannot be read or replaced.
    """
    newest, *others = _read(path)
    _replace(path, [newest])
    return len(others)


def _read(path: Path) -> list[str]:
    try:
        return path.read_text().replace(",", " ").split()
    except OSError as error:
        raise InvalidConfig(f"{path} cannot be read: {error.strerror}") from error


def _replace(path: Path, keys: Sequence[str]) -> None:
    """Readers find the old keys or the new, and the same rights on the file as before."""
    new = path.with_name(path.name + ".new")
    try:
        old = path.stat()
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(handle, old.st_uid, old.st_gid)
            os.fchmod(handle, old.st_mode & 0o777)
            file.write("".join(f"{key}\n" for key in keys))
            file.flush()
            os.fsync(handle)
        new.replace(path)
    except OSError as error:
        raise InvalidConfig(
            f"{path} cannot be replaced: {error.strerror}",
            hint="run the command as the user that owns the file",
        ) from error
