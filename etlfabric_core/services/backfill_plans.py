"""What a backfill would do, told before it starts: its windows, and which tables they reload."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.principal import Principal
from etlfabric_core.connectors import get_connector
from etlfabric_core.db.scope import OpenSession, get_owned, org_select
from etlfabric_core.errors import Conflict, InvalidConfig, Problem
from etlfabric_core.graph.columns import ColumnType
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig
from etlfabric_core.models import Revision, Workflow
from etlfabric_core.orchestrator.port import BackfillRequest, Orchestrator, Reprocess
from etlfabric_core.services.delivery import Published, delivered, published_now
from etlfabric_core.services.destination_abilities import require_backfill
from etlfabric_core.services.run_context import destination_of
from etlfabric_core.specs.cron import next_times
from etlfabric_core.specs.document import ScheduleSpec
from etlfabric_core.specs.state import NodeSnapshot

LONGEST_DAYS = 3660
NO_TIMES = (ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.BOOLEAN)
OnFailure = Literal["stop", "continue"]


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
            raise wrong("to_date", "lies before from_date")
        if (end - start).days > LONGEST_DAYS:
            raise wrong("to_date", f"lies more than {LONGEST_DAYS} days after from_date")
        return Period(start, end)


@dataclass(frozen=True)
class Asked:
    """Which windows, whether those that ran before run again, and what a failure means."""

    period: Period
    reprocess: Reprocess
    on_failure: OnFailure


@dataclass(frozen=True)
class Window:
    """One run: rows whose cursor lies in [start, end). Its logical date is the start."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Part:
    """Whether a resource takes part, and why; `resource` None: all that no entry speaks of."""

    pipeline: str
    resource: str | None
    takes_part: bool
    reason: str


@dataclass(frozen=True)
class Plan:
    """The windows in their order: one run each, one after the other."""

    dag_id: str
    windows: Sequence[Window]
    parts: Sequence[Part]


@dataclass(frozen=True)
class Prepared:
    """A plan and the request that would start it."""

    plan: Plan
    request: BackfillRequest
    workflow: Workflow


async def prepare(
    open_session: OpenSession,
    orchestrator: Orchestrator,
    principal: Principal,
    workflow_id: int,
    asked: Asked,
) -> Prepared:
    """What a backfill of the whole workflow would do. Nothing is started.

    Raises:
        NotFound: no such workflow.
        Conflict: nothing is published, there is no schedule, or a destination takes no backfill.
        InvalidConfig: the period is wrong.
        TransientError: Airflow has not taken the revision over in time.
        UpstreamUnavailable: Airflow does not answer.
    """
    period = asked.period.checked()
    async with open_session() as session:
        workflow = await get_owned(session, Workflow, workflow_id)
        published = await published_now(session, workflow)
        parts = await parts_of(session, workflow, published)
    schedule = next((s for s in published.spec.schedules if s.slug is None), None)
    if schedule is None:
        raise Conflict(
            f"workflow '{workflow.slug}' has no schedule, so it has no dates to run again",
            hint="add a schedule for the whole workflow and publish",
        )
    await delivered(orchestrator, published)
    request = BackfillRequest(
        dag_id=published.spec.dag_id,
        from_date=period.from_date,
        to_date=period.to_date,
        reprocess=asked.reprocess,
        # Read by the first task of each run (plugins/etlfabric_airflow/flow.py).
        conf={"on_failure": asked.on_failure, "from": period.from_date.isoformat()},
    )
    dates = await orchestrator.plan_backfill(request)
    windows = [_window(schedule, date) for date in sorted(dates)]
    return Prepared(Plan(request.dag_id, windows, parts), request, workflow)


def wrong(field: str, message: str) -> InvalidConfig:
    """A period that cannot be run."""
    return InvalidConfig(
        f"{field}: {message}",
        hint="name a period in the past that the schedule covers",
        problems=[Problem(message, field=field)],
    )


async def parts_of(
    session: AsyncSession, workflow: Workflow, published: Published
) -> tuple[Part, ...]:
    """Which resources a backfill reloads.

    Raises:
        Conflict: one of them goes to a destination that takes no backfill.
        NotFound: the connection of a destination was deleted.
    """
    nodes = await _pipelines(session, workflow, published)
    parts = tuple(part for slug, node in nodes.items() for part in _parts(slug, node))
    for slug in sorted({part.pipeline for part in parts if part.takes_part}):
        destination = await destination_of(session, nodes[slug])
        require_backfill(get_connector(destination.connector), destination.config, slug)
    return parts


async def _pipelines(
    session: AsyncSession, workflow: Workflow, published: Published
) -> Mapping[str, NodeSnapshot]:
    revision = await session.scalar(
        org_select(Revision).where(
            Revision.workflow_id == workflow.id, Revision.number == published.spec.revision
        )
    )
    stored = revision.nodes if revision else {}
    nodes = {slug: NodeSnapshot.model_validate(stored[slug]) for slug in sorted(stored)}
    return {slug: node for slug, node in nodes.items() if node.kind == "pipeline"}


def _window(schedule: ScheduleSpec, start: datetime) -> Window:
    (end,) = next_times(schedule.cron, schedule.timezone, start, 1)
    return Window(start.astimezone(UTC), end.astimezone(UTC))


def _parts(pipeline: str, node: NodeSnapshot) -> Iterator[Part]:
    config = PipelineConfig.model_validate(node.config)
    for resource in config.resources:
        takes_part, reason = _part(resource)
        yield Part(pipeline, resource.name, takes_part, reason)
    if config.mode == "full_database":
        yield Part(pipeline, None, False, "every other table: a normal run loads it as a whole")


def _part(resource: ResourceConfig) -> tuple[bool, str]:
    if resource.cursor is None:
        return False, "it has no cursor: a normal run loads it as a whole"
    name = resource.cursor.column
    known = resource.given_types.get(name)
    if known in NO_TIMES:
        return False, f"its cursor '{name}' is of type {known}, which is no date or time"
    if known is None:
        return True, f"by '{name}', if the source has dates or times in it; else it is skipped"
    return True, f"by '{name}': the rows of each window are loaded again"


def _zoned(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
