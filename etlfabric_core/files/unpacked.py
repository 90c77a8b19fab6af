"""Bytes of files as they were before somebody compressed them, within bounds."""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from etlfabric_core.errors import TerminalError

ENDINGS = (".gz", ".zst", ".zip")
SMALL_BYTES = 1 << 30  # so much may come out of any file
MAX_RATIO = 200  # and of a larger one, so many times its size
BLOCK_BYTES = 1 << 20


@contextmanager
def unpacked(raw: BinaryIO, name: str, *, member: str = "") -> Iterator[BinaryIO]:
    """The plain bytes of a seekable file; gzip, Zstandard and zip know themselves by their begin.

    A zip archive must hold exactly one file whose name ends with `member`.

    Raises:
        TerminalError: while it is read: broken, cut short, or more comes out than is accepted.
    """
    opener = next((OPENERS[head] for head in OPENERS if _begins(raw, head)), None)
    if opener is None:
        yield raw
        return
    size = raw.seek(0, io.SEEK_END)
    raw.seek(0)
    with opener(raw, name, member) as inner:
        yield io.BufferedReader(_Bounded(inner, name, size), BLOCK_BYTES)


def is_packed(raw: BinaryIO) -> bool:
    """Whether `unpacked` would change the bytes of a seekable file."""
    return any(_begins(raw, head) for head in OPENERS)


def _begins(raw: BinaryIO, head: bytes) -> bool:
    raw.seek(0)
    found = raw.read(len(head))
    raw.seek(0)
    return found == head


@contextmanager
def _arrow_codec(raw: BinaryIO, codec: str) -> Iterator[Any]:
    import pyarrow as pa

    # Unlike Python's own, Arrow's reader tells a Zstandard file that was cut short.
    yield pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), codec)


@contextmanager
def _zip_member(raw: BinaryIO, name: str, member: str) -> Iterator[Any]:
    try:
        archive = zipfile.ZipFile(raw)
        found = [
            entry
            for entry in archive.namelist()
            if not entry.endswith("/") and entry.lower().endswith(member)
        ]
        if len(found) != 1:
            raise TerminalError(
                f"file '{name}': the archive holds {len(found)} {member or 'such'} files",
                hint=f"put exactly one {member or 'such'} file into the archive",
            )
        with archive, archive.open(found[0]) as inner:
            yield inner
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise _broken(name, error) from None


Opener = Callable[[BinaryIO, str, str], Any]
OPENERS: dict[bytes, Opener] = {
    b"\x1f\x8b": lambda raw, name, member: _arrow_codec(raw, "gzip"),
    b"\x28\xb5\x2f\xfd": lambda raw, name, member: _arrow_codec(raw, "zstd"),
    b"PK\x03\x04": _zip_member,
}


class _Bounded(io.RawIOBase):
    """Passes bytes on up to a bound, and tells a broken file by its name."""

    def __init__(self, inner: Any, name: str, packed_bytes: int) -> None:
        self._inner, self._name = inner, name
        self._left = max(SMALL_BYTES, packed_bytes * MAX_RATIO)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            piece = self._inner.read(len(buffer))
        except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile) as error:
            raise _broken(self._name, error) from None
        self._left -= len(piece)
        if self._left < 0:
            raise TerminalError(
                f"file '{self._name}': more than {MAX_RATIO} times its size comes out of it",
                hint="such a file is taken for an attack; bring it with less compression",
            )
        buffer[: len(piece)] = piece
        return len(piece)


def _broken(name: str, error: Exception) -> TerminalError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return TerminalError(
        f"file '{name}' cannot be unpacked: {reason}", hint="it is damaged; bring it again"
    )
