"""Backfills: the windows of a schedule, run again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from etlfabric_core.access.principal import Principal
from etlfabric_core.db.scope import OpenSession, get_owned
from etlfabric_core.errors import Conflict, InvalidConfig, Problem
from etlfabric_core.models import Workflow
from etlfabric_core.orchestrator.port import BackfillRequest, Orchestrator, Reprocess
from etlfabric_core.services import audit
from etlfabric_core.services.delivery import delivered, published_now

LONGEST_DAYS = 3660


@dataclass(frozen=True)
class Period:
    """From one time to another, both included. A time without a zone is UTC, as at the shell."""

    from_date: datetime
    to_date: datetime

    def checked(self) -> "Period":
        """The same, with zones.

        Raises:
            InvalidConfig: it ends before it begins, or is too long to be meant.
        """
        start, end = _zoned(self.from_date), _zoned(self.to_date)
        if end < start:
            raise _wrong("to_date", "lies before from_date")
        if (end - start).days > LONGEST_DAYS:
            raise _wrong("to_date", f"lies more than {LONGEST_DAYS} days after from_date")
        return Period(start, end)


@dataclass(frozen=True)
class Planned:
    """The logical dates of a backfill; `id` is set once it was started."""

    dag_id: str
    dates: Sequence[datetime]
    id: int | None


async def plan_or_create(
    open_session: OpenSession,
    orchestrator: Orchestrator,
    principal: Principal,
    workflow_id: int,
    *,
    period: Period,
    reprocess: Reprocess,
    dry_run: bool,
) -> Planned:
    """The dates that a backfill of the whole workflow would run, and unless `dry_run` the backfill.

    Raises:
        NotFound: no such workflow.
        Conflict: nothing is published, there is no schedule, or a backfill is under way.
        InvalidConfig: the period is wrong, or holds no date to run.
        TransientError: Airflow has not taken the revision over in time.
        UpstreamUnavailable: Airflow does not answer.
    """
    period = period.checked()
    async with open_session() as session:
        workflow = await get_owned(session, Workflow, workflow_id)
        published = await published_now(session, workflow)
    if not any(schedule.slug is None for schedule in published.spec.schedules):
        raise Conflict(
            f"workflow '{workflow.slug}' has no schedule, so it has no dates to run again",
            hint="add a schedule for the whole workflow and publish",
        )
    await delivered(orchestrator, published)
    dag_id = published.spec.dag_id
    request = BackfillRequest(
        dag_id=dag_id, from_date=period.from_date, to_date=period.to_date, reprocess=reprocess
    )
    dates = await orchestrator.plan_backfill(request)
    if dry_run:
        return Planned(dag_id, dates, None)
    if not dates:
        raise _wrong("from_date", "the period holds no date that would run; see `reprocess`")
    backfill = await orchestrator.create_backfill(request)
    async with open_session() as session:
        new = {"backfill": backfill.id, "dates": [date.isoformat() for date in dates]}
        await audit.record(session, principal, "backfill", workflow, new=new)
    return Planned(dag_id, dates, backfill.id)


def _zoned(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _wrong(field: str, message: str) -> InvalidConfig:
    return InvalidConfig(
        f"{field}: {message}",
        hint="name a period in the past that the schedule covers",
        problems=[Problem(message, field=field)],
    )
