"""What is not saved yet: drafts of resources, and newer versions of files."""

from fastapi import APIRouter

from api.datamodels.drafts import ComparisonIn, ComparisonOut, DraftIn, DraftOut
from api.datamodels.uploads import DriftOut
from api.deps import ConnectionsRead, ConnectionsWrite, ProberDep
from api.errors import errors
from etlfabric_core.errors import (
    Forbidden,
    InvalidConfig,
    NotFound,
    TerminalError,
    TransientError,
    Unauthenticated,
)
from etlfabric_core.services import drafts, drifts
from etlfabric_core.services.drafts import Target

router = APIRouter(prefix="/connections", tags=["connections"])

ERRORS = errors(Unauthenticated, Forbidden, NotFound, InvalidConfig, TerminalError, TransientError)


@router.post("/compare", responses=ERRORS)
async def compare(
    body: ComparisonIn, principal: ConnectionsWrite, prober: ProberDep
) -> ComparisonOut:
    """Compares the columns of a draft with the table that is at the destination, if it is."""
    target = Target(body.dataset, body.connection_id)
    found = await drafts.compare(prober, principal, body.table, body.columns, target)
    return ComparisonOut.model_validate(found)


@router.post("/{id}/draft", responses=ERRORS)
async def preview(
    id: int, body: DraftIn, principal: ConnectionsWrite, prober: ProberDep
) -> DraftOut:
    """The first rows of a resource before and after its mapping. For those who may load it."""
    found = await drafts.preview(prober, principal, id, body.resource, limit=body.limit)
    return DraftOut.model_validate(found)


@router.get("/{id}/drift", responses=ERRORS)
async def drift(id: int, upload_id: int, principal: ConnectionsRead, prober: ProberDep) -> DriftOut:
    """How an upload differs from the file of the same name that the connection has."""
    return DriftOut.model_validate(await drifts.compare(prober, id, upload_id))
