"""What tasks ask and tell: their context, the right to write, progress, results."""

from collections.abc import Awaitable, Callable
from typing import Literal

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession

from api.deps import WiringDep
from api.deps_internal import InternalCaller
from api.errors import errors
from etlfabric_core.errors import (
    Conflict,
    InvalidConfig,
    NotFound,
    TransientError,
    Unauthenticated,
    UpstreamUnavailable,
)
from etlfabric_core.services import dag_ids, found_changes, leases, reports, run_context
from etlfabric_core.specs.context import (
    ChangeReport,
    ContextRequest,
    Lease,
    LeaseRequest,
    Progress,
    RunContext,
    TaskReport,
)

router = APIRouter(prefix="/internal/v1", tags=["internal"], include_in_schema=False)

LeaseAction = Literal["acquire", "renew", "release"]
_ACTIONS: dict[
    LeaseAction, Callable[[AsyncSession, dag_ids.Place, LeaseRequest], Awaitable[Lease]]
] = {"acquire": leases.acquire, "renew": leases.renew, "release": leases.release}


@router.post(
    "/run-context",
    response_model=RunContext,
    responses=errors(Unauthenticated, NotFound, InvalidConfig, UpstreamUnavailable, TransientError),
)
async def get_context(
    body: ContextRequest, caller: InternalCaller, wiring: WiringDep
) -> RunContext:
    """The plan of a task, with the secrets it needs."""
    keys = run_context.Keys(
        wiring.box,
        wiring.storage,
        wiring.warehouse,
        wiring.allowed,
        wiring.settings.databases_dir,
    )
    async with dag_ids.place(wiring.sessions, body.run.dag_id) as (session, place):
        return await run_context.resolve(session, place, body, keys)


@router.post(
    "/leases/{action}",
    response_model=Lease,
    responses=errors(Unauthenticated, NotFound, Conflict),
)
async def lease(
    action: LeaseAction, body: LeaseRequest, caller: InternalCaller, wiring: WiringDep
) -> Lease:
    """The right to be the one writer of a pipeline."""
    async with dag_ids.place(wiring.sessions, body.run.dag_id) as (session, place):
        return await _ACTIONS[action](session, place, body)


@router.post("/progress", status_code=204, responses=errors(Unauthenticated, NotFound))
async def progress(body: Progress, caller: InternalCaller, wiring: WiringDep) -> None:
    """Rows so far."""
    async with dag_ids.place(wiring.sessions, body.run.dag_id) as (session, place):
        await reports.progress(session, place, body)


@router.post("/schema-changes", status_code=204, responses=errors(Unauthenticated, NotFound))
async def keep_changes(body: ChangeReport, caller: InternalCaller, wiring: WiringDep) -> None:
    """What a load found changed."""
    async with dag_ids.place(wiring.sessions, body.run.dag_id) as (session, place):
        node = await run_context.snapshot(session, place, body.run)
        await found_changes.keep(session, place.organization, body, node)


@router.post("/reports", status_code=204, responses=errors(Unauthenticated, NotFound))
async def report(body: TaskReport, caller: InternalCaller, wiring: WiringDep) -> None:
    """How a try of a task ended."""
    async with dag_ids.place(wiring.sessions, body.run.dag_id) as (session, place):
        await reports.report(session, place, body)
