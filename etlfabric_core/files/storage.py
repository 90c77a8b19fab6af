"""Object storage for uploads, dbt projects and manifests: a local folder, or any fsspec URL."""

import hashlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import fsspec
from anyio import to_thread
from fsspec.implementations.local import LocalFileSystem

from etlfabric_core.errors import InvalidConfig, NotFound, Problem, TooLarge


@dataclass(frozen=True)
class Stored:
    """What was written: its key, the hash of its bytes, its size in bytes."""

    key: str
    sha256: str
    size: int


class Storage:
    """Bytes under keys. Content-addressed keys are made here; no user text is ever part of one."""

    def __init__(self, url: str) -> None:
        """`url` is a folder or an fsspec URL such as s3://bucket/prefix."""
        self._fs, self._root = fsspec.core.url_to_fs(url)

    def path(self, key: str) -> str:
        """Where the bytes of a key lie, in the words of the file system."""
        return f"{self._root.rstrip('/')}/{key}"

    def exists(self, key: str) -> bool:
        """Whether there are bytes under the key."""
        return bool(self._fs.exists(self.path(key)))

    def open(self, key: str) -> IO[bytes]:
        """A readable binary file.

        Raises:
            NotFound: nothing is stored under the key.
        """
        try:
            opened: IO[bytes] = self._fs.open(self.path(key), "rb")
        except FileNotFoundError as error:
            raise NotFound("the stored file is gone", hint="upload it again") from error
        return opened

    def read(self, key: str) -> bytes:
        """All bytes under a key.

        Raises:
            NotFound: nothing is stored under the key.
        """
        with self.open(key) as file:
            return file.read()

    def download(self, key: str, target: Path) -> None:
        """Copies the bytes to a local file, a piece at a time.

        Raises:
            NotFound: nothing is stored under the key.
        """
        with self.open(key) as source, target.open("wb") as sink:
            while piece := source.read(1 << 20):
                sink.write(piece)

    def local(self, key: str, target: Path) -> Path:
        """The bytes as a local file: where they lie, or downloaded to `target`.

        Raises:
            NotFound: nothing is stored under the key.
        """
        if not self.exists(key):
            raise NotFound("the stored file is gone", hint="upload it again")
        if isinstance(self._fs, LocalFileSystem):
            return Path(self.path(key))
        self.download(key, target)
        return target

    def put_bytes(self, folder: str, content: bytes) -> Stored:
        """Stores bytes under `<folder>/<sha256>`; the same bytes are stored once."""
        sha256 = hashlib.sha256(content).hexdigest()
        key = f"{folder}/{sha256}"
        if not self.exists(key):
            partial = self._partial(folder)
            with self._fs.open(self.path(partial), "wb") as sink:
                sink.write(content)
            self._fs.mv(self.path(partial), self.path(key))
        return Stored(key, sha256, len(content))

    async def put_stream(
        self, folder: str, pieces: AsyncIterator[bytes], *, max_bytes: int
    ) -> Stored:
        """Stores a stream under `<folder>/<sha256>` without holding it in memory.

        Raises:
            TooLarge: more than `max_bytes` came; nothing is kept.
        """
        partial = await self.put_piece(folder, pieces, max_bytes=max_bytes)
        key = f"{folder}/{partial.sha256}"
        await to_thread.run_sync(self._fs.mv, self.path(partial.key), self.path(key))
        return Stored(key, partial.sha256, partial.size)

    async def put_piece(
        self, folder: str, pieces: AsyncIterator[bytes], *, max_bytes: int
    ) -> Stored:
        """Stores a stream under a new key in the folder, without holding it in memory.

        Raises:
            TooLarge: more than `max_bytes` came; nothing is kept.
        """
        key = self._partial(folder)
        digest, size = hashlib.sha256(), 0
        sink: Any = await to_thread.run_sync(self._fs.open, self.path(key), "wb")
        try:
            try:
                async for piece in pieces:
                    size += len(piece)
                    if size > max_bytes:
                        raise TooLarge(
                            f"the file is larger than the {max_bytes} bytes that are accepted",
                            hint="compress it, or split it",
                        )
                    digest.update(piece)
                    await to_thread.run_sync(sink.write, piece)
            finally:
                await to_thread.run_sync(sink.close)
        except BaseException:
            self._fs.rm(self.path(key))
            raise
        return Stored(key, digest.hexdigest(), size)

    def join(self, folder: str, keys: Iterable[str], *, sha256: str | None = None) -> Stored:
        """Stores the bytes of several keys, one behind the other, under `<folder>/<sha256>`.

        Raises:
            NotFound: nothing is stored under one of the keys.
            InvalidConfig: together they have another hash than the one given; nothing is kept.
        """
        partial = self._partial(folder)
        digest, size = hashlib.sha256(), 0
        try:
            with self._fs.open(self.path(partial), "wb") as sink:
                for key in keys:
                    with self.open(key) as source:
                        while piece := source.read(1 << 20):
                            digest.update(piece)
                            size += len(piece)
                            sink.write(piece)
            found = digest.hexdigest()
            if sha256 not in (None, found):
                raise InvalidConfig(
                    "sha256: the bytes that came are not those that were sent",
                    hint="send the file again from its beginning",
                    problems=[Problem("not the hash of the bytes that came", field="sha256")],
                )
        except BaseException:
            self._fs.rm(self.path(partial))
            raise
        key = f"{folder}/{found}"
        self._fs.mv(self.path(partial), self.path(key))
        return Stored(key, found, size)

    def delete(self, key: str) -> None:
        """Removes the bytes under a key; nothing to do when there are none."""
        if self.exists(key):
            self._fs.rm(self.path(key))

    def delete_folder(self, folder: str) -> None:
        """Removes everything below a folder; nothing to do when there is none."""
        if self.exists(folder):
            self._fs.rm(self.path(folder), recursive=True)

    def _partial(self, folder: str) -> str:
        self._fs.makedirs(self.path(folder), exist_ok=True)
        return f"{folder}/.partial-{uuid4().hex}"
