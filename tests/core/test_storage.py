"""Storage: bytes by content, streams with a limit, nothing left of what failed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from etlfabric_core.errors import NotFound, TooLarge
from etlfabric_core.files.storage import Storage


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_the_same_bytes_are_stored_once(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    first = storage.put_bytes("projects", b"content")
    again = storage.put_bytes("projects", b"content")
    streamed = await storage.put_stream("projects", pieces(b"con", b"tent"), max_bytes=7)
    assert first == again == streamed
    assert storage.read(first.key) == b"content"
    assert len(files(tmp_path)) == 1


async def test_a_stream_over_the_limit_leaves_nothing(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    with pytest.raises(TooLarge):
        await storage.put_stream("uploads/1", pieces(b"1234", b"5678"), max_bytes=7)
    assert files(tmp_path) == []


async def test_a_broken_stream_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"begin"
        raise ConnectionError("gone")

    storage = Storage(str(tmp_path))
    with pytest.raises(ConnectionError):
        await storage.put_stream("uploads/1", broken(), max_bytes=100)
    assert files(tmp_path) == []


def test_local_and_remote_files(tmp_path: Path) -> None:
    local = Storage(str(tmp_path / "store"))
    stored = local.put_bytes("a", b"x")
    assert local.local(stored.key, tmp_path / "copy").read_bytes() == b"x"
    assert not (tmp_path / "copy").exists()
    remote = Storage("memory://store")
    stored = remote.put_bytes("a", b"y")
    assert remote.local(stored.key, tmp_path / "copy").read_bytes() == b"y"
    for missing in (local, remote):
        with pytest.raises(NotFound):
            missing.local("a/none", tmp_path / "none")
        with pytest.raises(NotFound):
            missing.read("a/none")
