"""Backfills of workflows."""

from fastapi import APIRouter

from api.datamodels.backfills import BackfillIn, BackfillOut
from api.deps import OpenSessionDep, RunsExecute, WiringDep
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
from etlfabric_core.services import backfills

router = APIRouter(tags=["backfills"])


@router.post(
    "/workflows/{id}/backfills",
    response_model=BackfillOut,
    responses=errors(
        Unauthenticated,
        Forbidden,
        NotFound,
        Conflict,
        InvalidConfig,
        TransientError,
        UpstreamUnavailable,
    ),
)
async def create(
    id: int,
    body: BackfillIn,
    principal: RunsExecute,
    opened: OpenSessionDep,
    wiring: WiringDep,
) -> backfills.Planned:
    """Runs the windows of a period again, or with `dry_run` only tells them."""
    return await backfills.plan_or_create(
        opened,
        wiring.orchestrator,
        principal,
        id,
        period=backfills.Period(body.from_date, body.to_date),
        reprocess=body.reprocess,
        dry_run=body.dry_run,
    )
