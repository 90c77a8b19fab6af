"""Schedules: when a workflow, or one node of it, runs by itself. Publishing makes them count."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.principal import Principal
from etlfabric_core.db.pages import Page, PageRequest, fetch_page
from etlfabric_core.db.scope import get_owned, org_select
from etlfabric_core.errors import Conflict, InvalidConfig, Problem
from etlfabric_core.models import Node, Schedule
from etlfabric_core.services import audit, workflow_state
from etlfabric_core.services.naming import new_slug, require_free
from etlfabric_core.specs.cron import cron_problem, describe, next_times, timezone_problem

PREVIEWED = 5
AUDITED = ("slug", "cron", "timezone", "missed_runs", "enabled")


@dataclass(frozen=True)
class ScheduleDraft:
    """What a user says about a new schedule."""

    workflow_id: int
    cron: str
    timezone: str = "UTC"
    missed_runs: str = "run_once"
    enabled: bool = True
    node_id: int | None = None
    slug: str | None = None
    start: datetime | None = None


@dataclass(frozen=True)
class Preview:
    """A cron expression in words, and its next runs in the zone."""

    description: str
    next_runs: tuple[datetime, ...]


async def list_page(
    session: AsyncSession, page: PageRequest, workflow_id: int | None
) -> Page[Schedule]:
    """The schedules, oldest first."""
    statement = org_select(Schedule)
    if workflow_id is not None:
        statement = statement.where(Schedule.workflow_id == workflow_id)
    return await fetch_page(session, statement, Schedule.id, page)


async def get(session: AsyncSession, id: int) -> Schedule:
    """The schedule of that id.

    Raises:
        NotFound: there is none in this organization.
    """
    return await get_owned(session, Schedule, id)


def preview(cron: str, timezone: str, after: datetime | None = None) -> Preview:
    """What a schedule means.

    Raises:
        InvalidConfig: cron or time zone are wrong.
    """
    check(cron, timezone)
    return Preview(describe(cron), next_times(cron, timezone, after or clock.now(), PREVIEWED))


def check(cron: str, timezone: str) -> None:
    """Refuses a wrong schedule.

    Raises:
        InvalidConfig: cron or time zone are wrong; both are told.
    """
    found = (cron_problem(cron), timezone_problem(timezone))
    if problems := [problem for problem in found if problem]:
        raise InvalidConfig(f"{problems[0].field}: {problems[0].message}", problems=problems)


async def create(session: AsyncSession, principal: Principal, draft: ScheduleDraft) -> Schedule:
    """A new schedule; its first run is due after `start`, by default after now.

    Raises:
        NotFound: no such workflow or node.
        InvalidConfig: cron, time zone or slug are wrong, or the node is in another workflow.
        Conflict: the slug is taken, or the whole workflow has an enabled schedule.
    """
    check(draft.cron, draft.timezone)
    workflow = await workflow_state.locked(session, draft.workflow_id)
    node = None if draft.node_id is None else await get_owned(session, Node, draft.node_id)
    if node and node.workflow_id != workflow.id:
        raise InvalidConfig(
            f"node '{node.slug}' is not in workflow '{workflow.slug}'",
            problems=[Problem("is in another workflow", field="node_id", node=node.slug)],
        )
    slug = new_slug(node.slug if node else "all", draft.slug)
    living = org_select(Schedule).where(Schedule.workflow_id == workflow.id)
    taken = living.where(Schedule.slug == slug).with_only_columns(Schedule.id)
    await require_free(session, taken, slug)
    schedule = Schedule(
        org_id=principal.org_id,
        workflow_id=workflow.id,
        node_id=draft.node_id,
        slug=slug,
        cron=" ".join(draft.cron.split()),
        timezone=draft.timezone,
        missed_runs=draft.missed_runs,
        enabled=draft.enabled,
        start=(draft.start or clock.now()).replace(second=0, microsecond=0),
    )
    await _require_only_one(session, schedule)
    session.add(schedule)
    await session.flush()
    await audit.record(session, principal, "create", schedule, new=_audited(schedule))
    return schedule


async def change(
    session: AsyncSession, principal: Principal, id: int, given: Mapping[str, Any]
) -> Schedule:
    """Changes what is given.

    Raises:
        NotFound: no such schedule.
        InvalidConfig: cron or time zone are wrong.
        Conflict: the whole workflow has another enabled schedule.
    """
    schedule = await get_owned(session, Schedule, id)
    await workflow_state.locked(session, schedule.workflow_id)
    old = _audited(schedule)
    check(given.get("cron", schedule.cron), given.get("timezone", schedule.timezone))
    for key, value in given.items():
        setattr(schedule, key, value)
    schedule.start = schedule.start.replace(second=0, microsecond=0)
    await _require_only_one(session, schedule)
    await session.flush()
    await audit.record(session, principal, "update", schedule, old=old, new=_audited(schedule))
    return schedule


async def delete(session: AsyncSession, principal: Principal, id: int) -> None:
    """Deletes a schedule.

    Raises:
        NotFound: no such schedule.
    """
    schedule = await get_owned(session, Schedule, id)
    schedule.deleted_at = clock.now()
    await session.flush()
    await audit.record(session, principal, "delete", schedule, old=_audited(schedule))


async def _require_only_one(session: AsyncSession, schedule: Schedule) -> None:
    """A DAG has one timetable."""
    if not schedule.enabled or schedule.node_id is not None:
        return
    others = org_select(Schedule).where(
        Schedule.workflow_id == schedule.workflow_id, Schedule.node_id.is_(None), Schedule.enabled
    )
    if schedule.id is not None:
        others = others.where(Schedule.id != schedule.id)
    with session.no_autoflush:
        other = await session.scalar(others)
    if other is not None:
        raise Conflict(
            f"the workflow already runs by schedule '{other.slug}'",
            hint="disable that one first, or change it instead",
            problems=[Problem("another schedule is enabled", field="enabled")],
        )


def _audited(schedule: Schedule) -> dict[str, Any]:
    return {key: getattr(schedule, key) for key in AUDITED}
