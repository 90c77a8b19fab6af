"""Where the next run of a pipeline begins."""

from fastapi import APIRouter

from api.datamodels.pipeline_state import (
    ChangedOut,
    PipelineStateOut,
    ResetIn,
    RestoreIn,
    SetIn,
)
from api.deps import PipelinesRead, PipelinesWrite, ProberDep
from api.errors import errors
from etlfabric_core.errors import (
    Conflict,
    Forbidden,
    InvalidConfig,
    NotFound,
    TransientError,
    Unauthenticated,
)
from etlfabric_core.extract_load.plan import StateChange
from etlfabric_core.services import pipeline_state

router = APIRouter(prefix="/pipelines/{id}/state", tags=["pipelines"])

READ_ERRORS = errors(Unauthenticated, Forbidden, NotFound, InvalidConfig, TransientError)
WRITE_ERRORS = READ_ERRORS | errors(Conflict)


@router.get("", responses=READ_ERRORS)
async def show(id: int, principal: PipelinesRead, prober: ProberDep) -> PipelineStateOut:
    """How far each resource has come, and the versions that can be restored."""
    found = await pipeline_state.show(prober, principal, id)
    return PipelineStateOut.model_validate(found)


@router.post("/reset", responses=WRITE_ERRORS)
async def reset(id: int, body: ResetIn, principal: PipelinesWrite, prober: ProberDep) -> ChangedOut:
    """Forgets how far one resource has come: its next run loads from the beginning."""
    asked = StateChange(action="reset", resource=body.resource)
    return ChangedOut.model_validate(await pipeline_state.change(prober, principal, id, asked))


@router.post("/set", responses=WRITE_ERRORS)
async def set_cursor(
    id: int, body: SetIn, principal: PipelinesWrite, prober: ProberDep
) -> ChangedOut:
    """Puts the cursor of one resource somewhere: its next run loads from there on."""
    asked = StateChange(action="set", resource=body.resource, value=body.value)
    return ChangedOut.model_validate(await pipeline_state.change(prober, principal, id, asked))


@router.post("/restore", responses=WRITE_ERRORS)
async def restore(
    id: int, body: RestoreIn, principal: PipelinesWrite, prober: ProberDep
) -> ChangedOut:
    """Takes one resource, or all of them, back to a version of the history."""
    asked = StateChange(action="restore", resource=body.resource, load_id=body.load_id)
    return ChangedOut.model_validate(await pipeline_state.change(prober, principal, id, asked))
