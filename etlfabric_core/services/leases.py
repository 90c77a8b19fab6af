"""Who may write a pipeline's tables: one holder at a time, and every older one fenced.

The database's clock decides, under the lock of the row: services and workers may disagree about
the time.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.db.scope import org_select
from etlfabric_core.errors import Conflict, NotFound
from etlfabric_core.models import PipelineLease, Revision
from etlfabric_core.services.dag_ids import Place
from etlfabric_core.specs.context import Lease, LeaseRequest, RunRef

LIFETIME = timedelta(seconds=60)
SEPARATOR = "\n"  # in none of the parts


@dataclass(frozen=True)
class Holder:
    """The process that holds a lease, and the try of the task that it works for."""

    task: str
    try_number: int
    process: str

    @classmethod
    def of(cls, request: LeaseRequest) -> "Holder":
        """Who asks."""
        run = request.run
        return cls(f"{run.dag_id} {run.run_id} {run.node}", run.try_number, request.holder)

    @classmethod
    def read(cls, stored: str) -> "Holder":
        """Who is stored."""
        task, try_number, process = stored.split(SEPARATOR)
        return cls(task, int(try_number), process)

    def __str__(self) -> str:
        return SEPARATOR.join((self.task, str(self.try_number), self.process))

    def follows(self, other: "Holder") -> bool:
        """Whether this is a newer try of the same task: Airflow has given the older one up."""
        return self.task == other.task and self.try_number > other.try_number


async def acquire(session: AsyncSession, place: Place, request: LeaseRequest) -> Lease:
    """Makes the caller the one writer for `LIFETIME`; asked again by the same one, it renews.

    Raises:
        NotFound: the pipeline does not exist.
        Conflict: another holder is alive.
    """
    row = await _locked(session, place, request.run)
    now = await _now(session)
    asking = Holder.of(request)
    holder = Holder.read(row.holder) if row.holder else None
    alive = row.expires_at is not None and row.expires_at > now
    if holder is not None and alive and asking != holder and not asking.follows(holder):
        raise Conflict(
            f"pipeline '{request.run.node}' is being loaded by another task",
            hint="it is tried again; two loads of one pipeline never run at the same time",
        )
    if asking != holder:
        row.epoch += 1
        row.holder = str(asking)
    row.expires_at = now + LIFETIME
    await session.flush()
    return Lease(epoch=row.epoch, expires_at=row.expires_at)


async def renew(session: AsyncSession, place: Place, request: LeaseRequest) -> Lease:
    """Moves the end of a lease that nobody has taken since, even if it had run out.

    Raises:
        NotFound: the pipeline does not exist.
        Conflict: fenced: somebody else became the writer, or it was given back.
    """
    row = await _locked(session, place, request.run)
    _refuse_fenced(row, request)
    row.expires_at = await _now(session) + LIFETIME
    await session.flush()
    return Lease(epoch=row.epoch, expires_at=row.expires_at)


async def release(session: AsyncSession, place: Place, request: LeaseRequest) -> Lease:
    """Gives the lease back. Its epoch stays, so that the next holder's is higher.

    Raises:
        NotFound: the pipeline does not exist.
        Conflict: fenced: it was not the caller's any more.
    """
    row = await _locked(session, place, request.run)
    now = await _now(session)
    given_back = row.holder is None and row.epoch == request.epoch
    if not given_back:  # A repeated release, because the first answer was lost, is no error.
        _refuse_fenced(row, request)
        row.holder = row.expires_at = None
        await session.flush()
    return Lease(epoch=row.epoch, expires_at=now)


async def hold(session: AsyncSession, org_id: int, node_id: int) -> tuple[int, str]:
    """Makes the caller, which is no task, the one writer of a pipeline for `LIFETIME`.

    Returns:
        The epoch, and the name to `give_back` with.

    Raises:
        Conflict: a task is loading the pipeline.
    """
    row = await _row(session, org_id, node_id)
    now = await _now(session)
    if row.holder and row.expires_at is not None and row.expires_at > now:
        raise Conflict(
            "a run is loading this pipeline", hint="wait until it is over, or cancel it; then retry"
        )
    holder = Holder("service", 1, secrets.token_hex(8))
    row.epoch += 1
    row.holder, row.expires_at = str(holder), now + LIFETIME
    await session.flush()
    return row.epoch, row.holder


async def give_back(session: AsyncSession, org_id: int, node_id: int, holder: str) -> None:
    """Ends what `hold` began, unless somebody took over after its time."""
    row = await _row(session, org_id, node_id)
    if row.holder == holder:
        row.holder = row.expires_at = None
        await session.flush()


async def is_held(session: AsyncSession, node_id: int) -> bool:
    """Whether somebody may write the pipeline's tables at this moment."""
    held = org_select(PipelineLease).where(
        PipelineLease.node_id == node_id,
        PipelineLease.holder.is_not(None),
        PipelineLease.expires_at > func.clock_timestamp(),
    )
    return await session.scalar(held) is not None


def _refuse_fenced(row: PipelineLease, request: LeaseRequest) -> None:
    if row.epoch != request.epoch or row.holder != str(Holder.of(request)):
        raise Conflict(
            f"the lease {request.epoch} of pipeline '{request.run.node}' is over:"
            f" {row.epoch} is the newest",
            hint="stop writing; the newer holder loads the same data",
        )


async def _locked(session: AsyncSession, place: Place, run: RunRef) -> PipelineLease:
    return await _row(session, place.organization.id, await _node_id(session, place, run))


async def _row(session: AsyncSession, org_id: int, node_id: int) -> PipelineLease:
    """The pipeline's row, made if need be, locked until the transaction ends."""
    await session.execute(
        insert(PipelineLease)
        .values(org_id=org_id, node_id=node_id, epoch=0)
        .on_conflict_do_nothing()
    )
    query = org_select(PipelineLease).where(PipelineLease.node_id == node_id)
    return (await session.execute(query.with_for_update())).scalar_one()


async def _node_id(session: AsyncSession, place: Place, run: RunRef) -> int:
    """By the run's revision: a node may be renamed or deleted while it runs."""
    found = await session.scalar(
        org_select(Revision)
        .where(Revision.workflow_id == place.workflow.id, Revision.number == run.revision)
        .with_only_columns(Revision.nodes[run.node]["id"].as_integer())
    )
    if found is None:
        raise NotFound(f"node '{run.node}' is not in revision {run.revision} of {run.dag_id}")
    return int(found)


async def _now(session: AsyncSession) -> datetime:
    # Not now(): that is when the transaction began, before it waited for the lock.
    return (await session.execute(select(func.clock_timestamp()))).scalar_one()
