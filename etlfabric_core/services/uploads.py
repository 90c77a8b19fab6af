"""Uploads: files that users brought, stored under names of our own making."""

import re
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from anyio import to_thread
from sqlalchemy import type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.principal import Principal
from etlfabric_core.db.pages import Page, PageRequest, fetch_page
from etlfabric_core.db.scope import get_owned, org_select
from etlfabric_core.errors import Conflict, InvalidConfig, NotFound, Problem
from etlfabric_core.extract_load.plan import FileRef
from etlfabric_core.files.storage import Storage, Stored
from etlfabric_core.models import Connection, Upload
from etlfabric_core.services import audit

MAX_NAME = 200
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


async def store(
    storage: Storage, principal: Principal, pieces: AsyncIterator[bytes], *, max_bytes: int
) -> Stored:
    """Writes the bytes into the organization's own folder; call `create` to make them an upload.

    Raises:
        TooLarge: more than `max_bytes`.
        InvalidConfig: there are no bytes.
    """
    stored = await storage.put_stream(folder(principal.org_id), pieces, max_bytes=max_bytes)
    if stored.size == 0:
        raise InvalidConfig(
            "file: it is empty",
            hint="choose a file with content",
            problems=[Problem("empty", field="file")],
        )
    return stored


async def create(
    session: AsyncSession, principal: Principal, *, filename: str, stored: Stored
) -> Upload:
    """The row of stored bytes.

    Raises:
        InvalidConfig: the file has no usable name.
    """
    upload = Upload(
        org_id=principal.org_id,
        filename=checked_name(filename),
        storage_key=stored.key,
        sha256=stored.sha256,
        size=stored.size,
    )
    session.add(upload)
    await session.flush()
    new = {"filename": upload.filename, "size": upload.size, "sha256": upload.sha256}
    await audit.record(session, principal, "create", upload, new=new)
    return upload


async def list_page(session: AsyncSession, page: PageRequest) -> Page[Upload]:
    """The uploads, oldest first."""
    return await fetch_page(session, org_select(Upload), Upload.id, page)


async def get(session: AsyncSession, id: int) -> Upload:
    """The upload of that id.

    Raises:
        NotFound: there is none in this organization.
    """
    return await get_owned(session, Upload, id)


async def by_hash(session: AsyncSession, sha256: str) -> Upload:
    """The organization's upload with that content.

    Raises:
        NotFound: there is none in this organization.
    """
    upload = await session.scalar(org_select(Upload).where(Upload.sha256 == sha256).limit(1))
    if upload is None:
        raise NotFound("no upload with this content")
    return upload


async def delete(session: AsyncSession, principal: Principal, id: int) -> None:
    """Deletes an upload that no connection uses. Its bytes stay for the runs of old revisions.

    Raises:
        NotFound: no such upload.
        Conflict: a connection uses it.
    """
    upload = await get(session, id)
    named = type_coerce(Connection.config, JSONB)["uploads"].contains([id])
    users = await session.scalars(org_select(Connection).where(named))
    if names := sorted(connection.slug for connection in users):
        raise Conflict(
            f"file '{upload.filename}' is used by: {', '.join(names)}",
            hint="take it out of those connections first",
        )
    upload.deleted_at = clock.now()
    await session.flush()
    await audit.record(session, principal, "delete", upload, old={"filename": upload.filename})


async def materialize(
    storage: Storage, org_id: int, files: Iterable[FileRef], into: Path
) -> dict[str, Path]:
    """The files on local disk by name; downloaded into `into` where the storage is remote.

    Raises:
        NotFound: the bytes of one are gone.
    """
    return {
        file.name: await to_thread.run_sync(
            storage.local, f"{folder(org_id)}/{file.sha256}", into / file.sha256
        )
        for file in files
    }


def forget(storage: Storage, org_id: int) -> None:
    """Removes the bytes of every upload that an organization ever had."""
    storage.delete_folder(folder(org_id))


def folder(org_id: int) -> str:
    """Where the storage keeps the files of an organization."""
    return f"uploads/{org_id}"


def checked_name(filename: str) -> str:
    """The last part of what the browser says, as text to show; it never names a path.

    Raises:
        InvalidConfig: nothing is left of it, or it is too long.
    """
    name = UNPRINTABLE.sub("", re.split(r"[/\\]", filename)[-1]).strip()
    if not name or len(name) > MAX_NAME:
        raise InvalidConfig(
            f"file: its name must have 1 to {MAX_NAME} characters",
            hint="rename the file and upload it again",
            problems=[Problem("the name is empty or too long", field="file")],
        )
    return name
