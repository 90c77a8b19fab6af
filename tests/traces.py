"""Where a value may have been left: files as they come and go, packed or not, and databases."""

import gzip
import io
import os
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg


class Watcher(threading.Thread):
    """Keeps a hard link to every file that appears in a folder, until it is stopped."""

    def __init__(self, folder: Path, kept: Path, seconds: float) -> None:
        super().__init__(daemon=True)
        self.seconds = seconds
        self.folder, self.kept, self.over = folder, kept, threading.Event()
        kept.mkdir()

    def run(self) -> None:
        while not self.over.wait(self.seconds):
            self.look()

    def look(self) -> None:
        for folder, _, files in os.walk(self.folder):
            for name in files:
                path = Path(folder) / name
                try:
                    (self.kept / str(path.stat().st_ino)).hardlink_to(path)
                except OSError:  # it is there already, or gone by now
                    continue


@contextmanager
def watched(folder: Path, kept: Path, *, seconds: float = 0.002) -> Iterator[None]:
    """Meanwhile `kept` takes in whatever is written to the folder, even if it is removed.

    `seconds` pass between two looks.
    """
    watcher = Watcher(folder, kept, seconds)
    watcher.start()
    try:
        yield
    finally:
        watcher.over.set()
        watcher.join()


def texts_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file as they are and, if they are packed, unpacked."""
    content = path.read_bytes()
    yield content
    for magic, unpack in PACKED.items():
        if content.startswith(magic):
            yield from unpack(content)


def _gzip(content: bytes) -> Iterator[bytes]:
    try:
        yield gzip.decompress(content)
    except EOFError:  # its writer was at it when it was kept
        return


def _zip(content: bytes) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    except zipfile.BadZipFile:  # not written to its end
        return


def _parquet(content: bytes) -> Iterator[bytes]:
    from pyarrow import ArrowInvalid, BufferReader, parquet

    try:
        yield str(parquet.read_table(BufferReader(content)).to_pylist()).encode()
    except (ArrowInvalid, OSError):  # not written to its end
        return


PACKED: Mapping[bytes, Callable[[bytes], Iterator[bytes]]] = {
    b"\x1f\x8b": _gzip,
    b"PK\x03\x04": _zip,
    b"PAR1": _parquet,
}


def rows_as_text(url: str) -> Iterator[tuple[str, bytes]]:
    """Every table of a database with all its rows; bytes are in hexadecimal."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "select format('%I.%I', schemaname, tablename) from pg_tables"
            " where schemaname not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        for (table,) in tables:
            rows = connection.execute(f"select t::text from {table} as t").fetchall()
            yield table, "\n".join(row[0] for row in rows).encode()
