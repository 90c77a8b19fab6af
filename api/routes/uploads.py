"""Files that users bring."""

from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from fastapi import APIRouter, Query, UploadFile

from api.datamodels.uploads import PreviewOut, UploadOut
from api.deps import (
    OpenSessionDep,
    SessionDep,
    UploadsDelete,
    UploadsRead,
    UploadsWrite,
    WiringDep,
)
from api.errors import errors
from api.pagination import PageDep, PageOut
from etlfabric_core.db.pages import Page
from etlfabric_core.errors import (
    Conflict,
    Forbidden,
    InvalidConfig,
    NotFound,
    TerminalError,
    TooLarge,
    TransientError,
    Unauthenticated,
)
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.models import Upload
from etlfabric_core.services import connection_fields, probe, uploads

router = APIRouter(prefix="/uploads", tags=["uploads"])

PIECE_BYTES = 1 << 20


@router.get("", response_model=PageOut[UploadOut], responses=errors(Unauthenticated, Forbidden))
async def list_uploads(principal: UploadsRead, session: SessionDep, page: PageDep) -> Page[Upload]:
    """All files of the organization."""
    return await uploads.list_page(session, page)


@router.post(
    "",
    status_code=201,
    response_model=UploadOut,
    responses=errors(Unauthenticated, Forbidden, InvalidConfig, TooLarge),
)
async def create(
    file: UploadFile, principal: UploadsWrite, opened: OpenSessionDep, wiring: WiringDep
) -> Upload:
    """Stores a file."""
    stored = await uploads.store(
        wiring.storage, principal, _pieces(file), max_bytes=wiring.settings.upload_max_bytes
    )
    async with opened() as session:
        return await uploads.create(session, principal, filename=file.filename or "", stored=stored)


@router.get(
    "/{id}/preview",
    responses=errors(Unauthenticated, Forbidden, NotFound, TerminalError, TransientError),
)
async def preview(
    id: int,
    principal: UploadsRead,
    opened: OpenSessionDep,
    wiring: WiringDep,
    delimiter: Annotated[str, Query(min_length=1, max_length=1)] = ",",
    encoding: Annotated[str, Query(max_length=32)] = "utf-8",
) -> PreviewOut:
    """The first rows of a CSV file, plain or zipped."""
    config = {"uploads": [id], "delimiter": delimiter, "encoding": encoding}
    async with opened() as session:
        files = await connection_fields.file_refs(session, config)
    with TemporaryDirectory(prefix="etlfabric-preview-") as folder:
        paths = await uploads.materialize(wiring.storage, principal.org_id, files, Path(folder))
        found = await probe.ask("preview", Endpoint(connector="csv", config=config), paths)
    return PreviewOut(filename=files[0].name, **found)


@router.delete(
    "/{id}",
    status_code=204,
    responses=errors(Unauthenticated, Forbidden, NotFound, Conflict),
)
async def delete(id: int, principal: UploadsDelete, session: SessionDep) -> None:
    """Deletes a file that no connection uses."""
    await uploads.delete(session, principal, id)


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(PIECE_BYTES):
        yield piece
