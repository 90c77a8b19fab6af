"""Backfills of workflows."""

from typing import Annotated

from fastapi import APIRouter, Path

from api.datamodels.backfills import BackfillCreatedOut, BackfillIn, BackfillOut, BackfillPlanOut
from api.deps import OpenSessionDep, RunsExecute, RunsRead, WiringDep
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
from etlfabric_core.services import backfill_plans, backfills

router = APIRouter(prefix="/workflows/{id}/backfills", tags=["backfills"])

BackfillId = Annotated[int, Path(ge=0, le=2**31 - 1)]
READ_ERRORS = errors(Unauthenticated, Forbidden, NotFound, InvalidConfig, UpstreamUnavailable)
CHANGE_ERRORS = READ_ERRORS | errors(Conflict)
PLAN_ERRORS = CHANGE_ERRORS | errors(TransientError)


@router.post("/plan", responses=PLAN_ERRORS)
async def plan(
    id: int, body: BackfillIn, principal: RunsRead, opened: OpenSessionDep, wiring: WiringDep
) -> BackfillPlanOut:
    """What a backfill would do: its windows, and which resources take part. Starts nothing."""
    prepared = await backfill_plans.prepare(
        opened, wiring.orchestrator, principal, id, body.asked()
    )
    return BackfillPlanOut.model_validate(prepared.plan)


@router.post("", status_code=201, responses=PLAN_ERRORS)
async def create(
    id: int, body: BackfillIn, principal: RunsExecute, opened: OpenSessionDep, wiring: WiringDep
) -> BackfillCreatedOut:
    """Runs the windows of a period again, one after the other."""
    made = await backfills.create(opened, wiring.orchestrator, principal, id, body.asked())
    return BackfillCreatedOut.model_validate(made)


@router.get("", responses=READ_ERRORS)
async def list_backfills(
    id: int, principal: RunsRead, opened: OpenSessionDep, wiring: WiringDep
) -> list[BackfillOut]:
    """The newest 20 backfills of a workflow, without their windows."""
    found = await backfills.list_newest(opened, wiring.orchestrator, principal, id)
    return [BackfillOut.model_validate(one) for one in found]


@router.get("/{backfill_id}", responses=READ_ERRORS)
async def get(
    id: int,
    backfill_id: BackfillId,
    principal: RunsRead,
    opened: OpenSessionDep,
    wiring: WiringDep,
) -> BackfillOut:
    """One backfill, and how far each of its windows is."""
    found = await backfills.detail(opened, wiring.orchestrator, principal, id, backfill_id)
    return BackfillOut.model_validate(found)


@router.post("/{backfill_id}/resume", status_code=201, responses=CHANGE_ERRORS)
async def resume(
    id: int,
    backfill_id: BackfillId,
    principal: RunsExecute,
    opened: OpenSessionDep,
    wiring: WiringDep,
) -> BackfillOut:
    """Runs what failed or was stopped again, as a new backfill of the same period."""
    made = await backfills.resume(opened, wiring.orchestrator, principal, id, backfill_id)
    return BackfillOut.model_validate(made)


@router.post("/{backfill_id}/cancel", responses=CHANGE_ERRORS)
async def cancel(
    id: int,
    backfill_id: BackfillId,
    principal: RunsExecute,
    opened: OpenSessionDep,
    wiring: WiringDep,
) -> BackfillOut:
    """Ends a backfill: its running window is killed, the rest is not begun."""
    ended = await backfills.cancel(opened, wiring.orchestrator, principal, id, backfill_id)
    return BackfillOut.model_validate(ended)
