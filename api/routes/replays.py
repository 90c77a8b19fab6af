"""Rejected rows of a pipeline, loaded again."""

from fastapi import APIRouter

from api.datamodels.replays import RejectedTablesOut, ReplayIn
from api.datamodels.runs import RunOut
from api.deps import PipelinesRead, ProberDep, RunsExecute, WiringDep
from api.errors import errors
from etlfabric_core.errors import (
    Conflict,
    Forbidden,
    InvalidConfig,
    NotFound,
    TransientError,
    Unauthenticated,
    UpstreamUnavailable,
)
from etlfabric_core.orchestrator.port import DagRun
from etlfabric_core.services import replays

router = APIRouter(prefix="/pipelines/{id}/rejected", tags=["pipelines"])

READ_ERRORS = errors(Unauthenticated, Forbidden, NotFound, InvalidConfig, TransientError)


@router.get("", responses=READ_ERRORS)
async def show(id: int, principal: PipelinesRead, prober: ProberDep) -> RejectedTablesOut:
    """How many rejected rows each table has, and whether they can be replayed."""
    return RejectedTablesOut.model_validate(await replays.show(prober, principal, id))


@router.post(
    "/replay",
    status_code=201,
    response_model=RunOut,
    responses=READ_ERRORS | errors(Conflict, UpstreamUnavailable),
)
async def start(
    id: int, body: ReplayIn, principal: RunsExecute, prober: ProberDep, wiring: WiringDep
) -> DagRun:
    """Runs the published pipeline on its rejected rows: what fits today is loaded."""
    return await replays.start(
        prober,
        wiring.orchestrator,
        principal,
        id,
        tables=body.tables,
        pool_slots=wiring.settings.organization_pool_slots,
    )
