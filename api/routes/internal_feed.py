"""What the DAG bundle reads: the change feed, specs, and the documents that they name."""

from collections.abc import Iterator
from typing import IO, Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse

from api.deps import PlatformSessionDep, WiringDep
from api.deps_internal import InternalCaller
from api.errors import errors
from etlfabric_core.errors import NotFound, Unauthenticated
from etlfabric_core.services import dag_ids, feed, refusals, uploads
from etlfabric_core.services.publishing import BLOBS
from etlfabric_core.specs.document import Publication, PublicationPage, Refused

router = APIRouter(prefix="/internal/v1", tags=["internal"], include_in_schema=False)

Sequence = Annotated[int, Query(ge=0, le=2**62)]
PIECE_BYTES = 1 << 20
Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]


@router.get("/publications", response_model=PublicationPage, responses=errors(Unauthenticated))
async def publications(
    caller: InternalCaller,
    session: PlatformSessionDep,
    after: Sequence = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> PublicationPage:
    """What was published after `after`."""
    return await feed.publications(session, after=after, limit=limit)


@router.get(
    "/specs/{org}/{workflow}",
    response_model=Publication,
    responses=errors(Unauthenticated, NotFound),
)
async def spec(
    org: str,
    workflow: str,
    caller: InternalCaller,
    session: PlatformSessionDep,
    at: Annotated[int | None, Query(ge=0, le=2**62)] = None,
) -> Publication:
    """The newest publication of a workflow, at or below `at`."""
    return await feed.publication(session, org=org, workflow=workflow, at=at)


@router.post("/refusals", status_code=204, responses=errors(Unauthenticated, NotFound))
async def refuse(body: Refused, caller: InternalCaller, wiring: WiringDep) -> None:
    """A publication could not be built: its organization is to know."""
    async with dag_ids.place(wiring.sessions, body.dag_id) as (session, place):
        await refusals.record(session, place, seq=body.seq, reason=body.reason)


@router.get("/blobs/{sha256}", responses=errors(Unauthenticated, NotFound))
async def blob(sha256: Sha256, caller: InternalCaller, wiring: WiringDep) -> Response:
    """A project zip or a manifest. The bytes under a hash never change."""
    content = await to_thread.run_sync(wiring.storage.read, f"{BLOBS}/{sha256}")
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    return Response(content, media_type="application/octet-stream", headers=headers)


@router.get("/uploads/{sha256}", responses=errors(Unauthenticated, NotFound))
async def upload(
    sha256: Sha256,
    caller: InternalCaller,
    wiring: WiringDep,
    dag_id: Annotated[str, Query(max_length=250)],
) -> StreamingResponse:
    """An upload of the organization that owns the DAG."""
    async with dag_ids.place(wiring.sessions, dag_id) as (session, _):
        key = (await uploads.by_hash(session, sha256)).storage_key
    file = await to_thread.run_sync(wiring.storage.open, key)
    return StreamingResponse(_pieces(file), media_type="application/octet-stream")


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE_BYTES):
            yield piece
