"""Uploads in pieces: what has come stays when a connection breaks, and the rest can follow."""

import base64
import binascii
from collections.abc import AsyncIterator
from datetime import timedelta

from anyio import to_thread
from sqlalchemy import Select, func
from sqlalchemy import delete as delete_rows
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.principal import Principal
from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import OpenSession, org_select, platform_select, platform_session
from etlfabric_core.errors import Conflict, InvalidConfig, NotFound, Problem, TooLarge
from etlfabric_core.files.storage import Storage, Stored
from etlfabric_core.models import PartialUpload, Upload
from etlfabric_core.services import uploads

KEPT_FOR = timedelta(hours=24)  # after the last piece
MOST_OPEN = 20  # of an organization
MOST_PIECES = 10_000  # of a file


async def create(
    session: AsyncSession, principal: Principal, *, filename: str, size: int, max_bytes: int
) -> PartialUpload:
    """Announces a file of `size` bytes.

    Raises:
        TooLarge: it has more than `max_bytes`.
        InvalidConfig: it has no usable name.
        Conflict: too many files of the organization are on their way.
    """
    if size > max_bytes:
        raise TooLarge(
            f"the file is larger than the {max_bytes} bytes that are accepted",
            hint="compress it, or split it",
        )
    name = uploads.checked_name(filename)
    alive = _alive().with_only_columns(func.count())
    if (await session.scalar(alive) or 0) >= MOST_OPEN:
        raise Conflict(
            f"{MOST_OPEN} files are on their way already",
            hint="finish them or give them up; those that nobody goes on with end after a day",
        )
    row = PartialUpload(
        org_id=principal.org_id,
        filename=name,
        size=size,
        received=0,
        pieces=[],
        expires_at=clock.now() + KEPT_FOR,
    )
    session.add(row)
    await session.flush()
    return row


async def get(session: AsyncSession, id: int, *, locked: bool = False) -> PartialUpload:
    """The file on its way of that id.

    Raises:
        NotFound: there is none in this organization, or nobody went on with it for a day.
    """
    statement = _alive().where(PartialUpload.id == id)
    row = await session.scalar(statement.with_for_update() if locked else statement)
    if row is None:
        raise NotFound(
            f"partial_upload {id} does not exist",
            hint="it may have expired or been finished; begin anew",
        )
    return row


async def append(
    opened: OpenSession,
    storage: Storage,
    id: int,
    pieces: AsyncIterator[bytes],
    *,
    offset: int,
    checksum: str | None,
) -> int:
    """Stores the bytes that follow the first `offset` ones, as far as they come.

    Returns:
        How many bytes are there now.

    Raises:
        NotFound: no such file is on its way.
        Conflict: another number of bytes is there, or it has too many pieces.
        TooLarge: more bytes came than the file was said to have; none of these is kept.
        InvalidConfig: the bytes do not fit the checksum; none of them is kept.
    """
    wanted = _hash(checksum)
    async with opened() as session:
        row = await get(session, id)
        _require_offset(row, offset)
        folder, left = _folder(row), row.size - row.received
    piece = await storage.put_piece(folder, pieces, max_bytes=left)
    try:
        if wanted not in (None, piece.sha256):
            raise _wrong("the bytes that came do not fit it; send them again")
        async with opened() as session:
            return _keep(await get(session, id, locked=True), piece, offset)
    except BaseException:
        await to_thread.run_sync(storage.delete, piece.key)
        raise


async def finish(
    opened: OpenSession, storage: Storage, principal: Principal, id: int, sha256: str | None
) -> Upload:
    """Makes the pieces one upload.

    Raises:
        NotFound: no such file is on its way.
        Conflict: bytes are missing.
        InvalidConfig: the file has another hash than `sha256`.
    """
    async with opened() as session:
        row = await get(session, id)
        if row.received < row.size:
            raise Conflict(
                f"{row.received} of {row.size} bytes are there",
                hint="send the bytes that follow, then finish",
            )
        keys, folder = list(row.pieces), _folder(row)
    stored = await to_thread.run_sync(
        lambda: storage.join(uploads.folder(principal.org_id), keys, sha256=sha256)
    )
    async with opened() as session:
        row = await get(session, id, locked=True)
        upload = await uploads.create(session, principal, filename=row.filename, stored=stored)
        await session.delete(row)
    await to_thread.run_sync(storage.delete_folder, folder)
    return upload


async def delete(opened: OpenSession, storage: Storage, id: int) -> None:
    """Gives a file up.

    Raises:
        NotFound: no such file is on its way.
    """
    async with opened() as session:
        row = await get(session, id, locked=True)
        folder = _folder(row)
        await session.delete(row)
    await to_thread.run_sync(storage.delete_folder, folder)


async def forget_expired(sessions: Sessions, storage: Storage) -> None:
    """Gives up all files, of all organizations, that nobody went on with for a day."""
    async with platform_session(sessions) as session:
        statement = platform_select(PartialUpload).where(PartialUpload.expires_at <= func.now())
        for row in (await session.scalars(statement.with_for_update(skip_locked=True))).all():
            await to_thread.run_sync(storage.delete_folder, _folder(row))
            await session.execute(delete_rows(PartialUpload).where(PartialUpload.id == row.id))


def _keep(row: PartialUpload, piece: Stored, offset: int) -> int:
    _require_offset(row, offset)  # another request may have been faster
    if piece.size:
        row.pieces = [*row.pieces, piece.key]
        row.received += piece.size
    row.expires_at = clock.now() + KEPT_FOR
    return row.received


def _require_offset(row: PartialUpload, offset: int) -> None:
    if offset != row.received:
        raise Conflict(
            f"Upload-Offset: {row.received} bytes are there, not {offset}",
            hint="ask with HEAD how many there are, and send those that follow",
            problems=[Problem(f"it must be {row.received}", field="Upload-Offset")],
        )
    if len(row.pieces) >= MOST_PIECES:
        raise Conflict(f"the file has {MOST_PIECES} pieces", hint="begin anew with larger ones")


def _hash(checksum: str | None) -> str | None:
    """The hash in hexadecimal digits of `sha256 BASE64`.

    Raises:
        InvalidConfig: it is written in another way.
    """
    if checksum is None:
        return None
    kind, _, text = checksum.partition(" ")
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if kind != "sha256" or len(digest) != 32:
        raise _wrong("write sha256, a space, and the hash in base64")
    return digest.hex()


def _wrong(words: str) -> InvalidConfig:
    return InvalidConfig(
        f"Upload-Checksum: {words}", problems=[Problem(words, field="Upload-Checksum")]
    )


def _alive() -> Select[PartialUpload]:
    return org_select(PartialUpload).where(PartialUpload.expires_at > func.now())


def _folder(row: PartialUpload) -> str:
    return f"{uploads.folder(row.org_id)}/partial/{row.id}"
