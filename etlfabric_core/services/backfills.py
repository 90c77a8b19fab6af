"""Backfills: the windows of a schedule, run again. Their states are the orchestrator's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from etlfabric_core.access.principal import Principal
from etlfabric_core.db.scope import OpenSession, get_owned
from etlfabric_core.errors import Conflict, NotFound
from etlfabric_core.models import Workflow
from etlfabric_core.orchestrator.port import Backfill, BackfillRequest, DagRun, Orchestrator
from etlfabric_core.services import audit, backfill_plans
from etlfabric_core.services.backfill_plans import Asked, OnFailure, Plan
from etlfabric_core.services.delivery import published_now
from etlfabric_core.services.runs import CANCELLED
from etlfabric_core.slugs import dag_id

SHOWN = 20


@dataclass(frozen=True)
class Created:
    """A backfill that was started, and what it does."""

    id: int
    plan: Plan


@dataclass(frozen=True)
class WindowState:
    """How far a window is. `stopped`: it was not begun because one before it had failed."""

    start: datetime | None
    end: datetime | None
    state: str
    run_id: str


@dataclass(frozen=True)
class BackfillState:
    """A backfill and every window of its period that a backfill has run."""

    id: int
    dag_id: str
    from_date: datetime
    to_date: datetime
    created_at: datetime
    completed_at: datetime | None
    on_failure: OnFailure
    windows: Sequence[WindowState]


async def create(
    open_session: OpenSession,
    orchestrator: Orchestrator,
    principal: Principal,
    workflow_id: int,
    asked: Asked,
) -> Created:
    """Starts a backfill of the whole workflow.

    Raises:
        Conflict: as for `backfill_plans.prepare`, or a backfill is under way.
        InvalidConfig: the period is wrong, or holds no date to run.
        NotFound, TransientError, UpstreamUnavailable: as for `backfill_plans.prepare`.
    """
    prepared = await backfill_plans.prepare(
        open_session, orchestrator, principal, workflow_id, asked
    )
    if not prepared.plan.windows:
        raise backfill_plans.wrong(
            "from_date", "the period holds no date that would run; see `reprocess`"
        )
    backfill = await orchestrator.create_backfill(prepared.request)
    async with open_session() as session:
        new: dict[str, Any] = {"backfill": backfill.id, "on_failure": asked.on_failure}
        new["dates"] = [window.start.isoformat() for window in prepared.plan.windows]
        await audit.record(session, principal, "backfill", prepared.workflow, new=new)
    return Created(backfill.id, prepared.plan)


async def list_newest(
    open_session: OpenSession, orchestrator: Orchestrator, principal: Principal, workflow_id: int
) -> list[BackfillState]:
    """The newest backfills of a workflow, without their windows.

    Raises:
        NotFound: no such workflow.
        UpstreamUnavailable: Airflow does not answer.
    """
    workflow = await _workflow(open_session, workflow_id)
    found = await orchestrator.backfills(dag_id(principal.org_slug, workflow.slug), SHOWN)
    return [_state(backfill, ()) for backfill in found]


async def detail(
    open_session: OpenSession,
    orchestrator: Orchestrator,
    principal: Principal,
    workflow_id: int,
    id: int,
) -> BackfillState:
    """One backfill and how far its windows are.

    Raises:
        NotFound: no such workflow or backfill in this organization.
        UpstreamUnavailable: Airflow does not answer.
    """
    workflow = await _workflow(open_session, workflow_id)
    backfill = await _own(orchestrator, principal, workflow, id)
    return _state(backfill, await orchestrator.backfill_runs(backfill))


async def resume(
    open_session: OpenSession,
    orchestrator: Orchestrator,
    principal: Principal,
    workflow_id: int,
    id: int,
) -> BackfillState:
    """Starts a new backfill over the same period: what failed or was stopped runs again.

    Raises:
        NotFound: no such workflow or backfill in this organization.
        Conflict: it is under way, none of its windows failed, or what is published by now
            takes no backfill.
        UpstreamUnavailable: Airflow does not answer.
    """
    workflow = await _workflow(open_session, workflow_id)
    backfill = await _own(orchestrator, principal, workflow, id)
    async with open_session() as session:
        published = await published_now(session, workflow)
        await backfill_plans.parts_of(session, workflow, published)
    runs = await orchestrator.backfill_runs(backfill)
    if not any(run.state == "failed" for run in runs):
        raise Conflict("no window of this backfill has failed", hint="there is nothing to resume")
    again = await orchestrator.create_backfill(
        BackfillRequest(
            dag_id=backfill.dag_id,
            from_date=backfill.from_date,
            to_date=backfill.to_date,
            reprocess="failed",
            conf=backfill.dag_run_conf or {},
        )
    )
    async with open_session() as session:
        new = {"backfill": again.id, "resumed": id}
        await audit.record(session, principal, "backfill", workflow, new=new)
    return _state(again, await orchestrator.backfill_runs(again))


async def cancel(
    open_session: OpenSession,
    orchestrator: Orchestrator,
    principal: Principal,
    workflow_id: int,
    id: int,
) -> BackfillState:
    """Ends a backfill: its running window is killed, the rest is not begun.

    Raises:
        NotFound: no such workflow or backfill in this organization.
        Conflict: it is over.
        UpstreamUnavailable: Airflow does not answer.
    """
    workflow = await _workflow(open_session, workflow_id)
    await _own(orchestrator, principal, workflow, id)
    ended = await orchestrator.cancel_backfill(id)
    for run in await orchestrator.backfill_runs(ended):
        if not run.ended:
            await orchestrator.cancel(run.dag_id, run.run_id, note=CANCELLED)
    async with open_session() as session:
        await audit.record(session, principal, "cancel", workflow, new={"backfill": id})
    return _state(ended, await orchestrator.backfill_runs(ended))


async def _workflow(open_session: OpenSession, id: int) -> Workflow:
    async with open_session() as session:
        return await get_owned(session, Workflow, id)


async def _own(
    orchestrator: Orchestrator, principal: Principal, workflow: Workflow, id: int
) -> Backfill:
    """Airflow numbers the backfills of all organizations in one row."""
    missing = NotFound(f"backfill {id} does not exist", hint="see the workflow's backfills")
    try:
        backfill = await orchestrator.backfill(id)
    except NotFound:
        raise missing from None
    if backfill.dag_id != dag_id(principal.org_slug, workflow.slug):
        raise missing
    return backfill


def _state(backfill: Backfill, runs: Sequence[DagRun]) -> BackfillState:
    conf = backfill.dag_run_conf or {}
    on_failure: OnFailure = "stop" if conf.get("on_failure") == "stop" else "continue"
    windows: list[WindowState] = []
    failed = False
    for run in runs:
        state = (
            "stopped" if failed and on_failure == "stop" and run.state == "failed" else run.state
        )
        failed = failed or run.state == "failed"
        windows.append(
            WindowState(run.data_interval_start, run.data_interval_end, state, run.run_id)
        )
    return BackfillState(
        id=backfill.id,
        dag_id=backfill.dag_id,
        from_date=backfill.from_date,
        to_date=backfill.to_date,
        created_at=backfill.created_at,
        completed_at=backfill.completed_at,
        on_failure=on_failure,
        windows=windows,
    )
