"""Uploads in pieces, which go on where a broken connection left them.

Announce the file, send its bytes from `Upload-Offset` on, ask with HEAD for the offset after a
break, and finish.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from starlette.requests import ClientDisconnect

from api.datamodels.partial_uploads import FinishIn, PartialUploadIn, PartialUploadOut
from api.datamodels.uploads import UploadOut
from api.deps import OpenSessionDep, SessionDep, UploadsWrite, WiringDep
from api.errors import errors
from etlfabric_core.errors import (
    Conflict,
    Forbidden,
    InvalidConfig,
    NotFound,
    TooLarge,
    Unauthenticated,
)
from etlfabric_core.models import PartialUpload, Upload
from etlfabric_core.services import partial_uploads

router = APIRouter(prefix="/uploads/partial", tags=["uploads"])

ERRORS = errors(Unauthenticated, Forbidden, NotFound, Conflict, InvalidConfig, TooLarge)
BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
OFFSET_HEADERS = {
    "Upload-Offset": {"description": "Bytes that have come.", "schema": {"type": "integer"}},
    "Upload-Length": {"description": "Bytes of the file.", "schema": {"type": "integer"}},
}


@router.post("", status_code=201, response_model=PartialUploadOut, responses=ERRORS)
async def create(
    body: PartialUploadIn, principal: UploadsWrite, session: SessionDep, wiring: WiringDep
) -> PartialUpload:
    """Announces a file."""
    return await partial_uploads.create(
        session,
        principal,
        filename=body.filename,
        size=body.size,
        max_bytes=wiring.settings.upload_max_bytes,
    )


@router.head(
    "/{id}", response_class=Response, responses={**ERRORS, 200: {"headers": OFFSET_HEADERS}}
)
async def offset(id: int, principal: UploadsWrite, session: SessionDep) -> Response:
    """How many bytes have come, in the header Upload-Offset."""
    found = await partial_uploads.get(session, id)
    return _at(200, found.received, {"Upload-Length": str(found.size)})


@router.patch(
    "/{id}",
    status_code=204,
    response_class=Response,
    responses={**ERRORS, 204: {"headers": OFFSET_HEADERS}},
    openapi_extra=BODY,
)
async def append(
    id: int,
    request: Request,
    principal: UploadsWrite,
    opened: OpenSessionDep,
    wiring: WiringDep,
    upload_offset: Annotated[int, Header(ge=0, description="Bytes before these.")] = 0,
    upload_checksum: Annotated[
        str | None, Header(max_length=100, description="Of these bytes: `sha256 BASE64`.")
    ] = None,
) -> Response:
    """Sends bytes. Without a checksum, those that came before a broken connection stay."""
    received = await partial_uploads.append(
        opened,
        wiring.storage,
        id,
        _pieces(request),
        offset=upload_offset,
        checksum=upload_checksum,
    )
    return _at(204, received, {})


@router.post("/{id}/finish", status_code=201, response_model=UploadOut, responses=ERRORS)
async def finish(
    id: int, body: FinishIn, principal: UploadsWrite, opened: OpenSessionDep, wiring: WiringDep
) -> Upload:
    """Makes an upload of a file of which all bytes have come."""
    return await partial_uploads.finish(opened, wiring.storage, principal, id, body.sha256)


@router.delete("/{id}", status_code=204, responses=ERRORS)
async def delete(
    id: int, principal: UploadsWrite, opened: OpenSessionDep, wiring: WiringDep
) -> None:
    """Gives a file up."""
    await partial_uploads.delete(opened, wiring.storage, id)


def _at(status: int, received: int, headers: dict[str, str]) -> Response:
    return Response(status_code=status, headers={"Upload-Offset": str(received), **headers})


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """The bytes of the body; a connection that breaks is their end."""
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect:
        return
