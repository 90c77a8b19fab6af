"""Files that users bring."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, UploadFile

from api.datamodels.uploads import InspectionOut, PreviewOut, UploadOut
from api.deps import (
    OpenSessionDep,
    ProberDep,
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
from etlfabric_core.services.probe import Prober

router = APIRouter(prefix="/uploads", tags=["uploads"])

PIECE_BYTES = 1 << 20
READ_ERRORS = errors(
    Unauthenticated, Forbidden, NotFound, InvalidConfig, TerminalError, TransientError
)
Delimiter = Annotated[str, Query(min_length=1, max_length=1, pattern=r"^[^\x00\r\n\"]$")]
Encoding = Annotated[str, Query(max_length=32, pattern=r"^[A-Za-z0-9_.-]*$")]


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


@router.get("/{id}/preview", responses=READ_ERRORS)
async def preview(
    id: int,
    principal: UploadsRead,
    prober: ProberDep,
    delimiter: Delimiter = ",",
    encoding: Encoding = "utf-8",
    header: bool = True,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PreviewOut:
    """One page of the rows of a CSV file, plain or packed."""
    config = {"uploads": [id], "delimiter": delimiter, "encoding": encoding, "header": header}
    endpoint = await _endpoint(prober, config)
    found = await probe.ask(prober, "upload", endpoint, offset=offset, limit=limit)
    return PreviewOut(filename=endpoint.files[0].name, **found)


@router.get("/{id}/inspection", responses=READ_ERRORS)
async def inspect(
    id: int,
    principal: UploadsRead,
    prober: ProberDep,
    delimiter: Delimiter | None = None,
    encoding: Encoding | None = None,
    header: bool | None = None,
) -> InspectionOut:
    """How a CSV file is written and what its columns hold; what is given is not guessed."""
    endpoint = await _endpoint(prober, {"uploads": [id]})
    given = {"delimiter": delimiter, "encoding": encoding, "header": header}
    found = await probe.ask(prober, "inspect", endpoint, given=given)
    return InspectionOut(filename=endpoint.files[0].name, **found)


@router.delete(
    "/{id}",
    status_code=204,
    responses=errors(Unauthenticated, Forbidden, NotFound, Conflict),
)
async def delete(id: int, principal: UploadsDelete, session: SessionDep) -> None:
    """Deletes a file that no connection uses."""
    await uploads.delete(session, principal, id)


async def _endpoint(prober: Prober, config: dict[str, Any]) -> Endpoint:
    async with prober.opened() as session:
        files = await connection_fields.file_refs(session, config)
    return Endpoint(connector="csv", config=config, files=files)


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(PIECE_BYTES):
        yield piece
