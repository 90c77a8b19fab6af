"""Lines of the change feed that Airflow's side follows: what it is to run, and what no more."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.principal import Principal
from etlfabric_core.db.scope import org_select, platform_select
from etlfabric_core.errors import Conflict
from etlfabric_core.models import Organization, PublicationRow, Revision, Workflow
from etlfabric_core.specs.document import DagSpec

FEED_LOCK = 0x65746C66  # one advisory lock for all inserts into the feed


async def announce(
    session: AsyncSession, principal: Principal, workflow: Workflow, spec: DagSpec | None
) -> None:
    """Adds a line to the feed; without a spec the DAG goes away. The last thing of a transaction.

    Raises:
        Conflict: the organization was deleted meanwhile.
    """
    await _lock_feed(session)
    if spec is not None and await _is_deleted(session, principal):
        raise Conflict("the organization was deleted just now", hint="restore it, then publish")
    session.add(
        PublicationRow(
            org_id=principal.org_id,
            workflow_id=workflow.id,
            workflow_slug=workflow.slug,
            org_slug=principal.org_slug,
            revision_number=spec.revision if spec else None,
            spec=spec.model_dump(mode="json") if spec else None,
        )
    )
    await session.flush()


async def withdraw_all(session: AsyncSession, principal: Principal) -> None:
    """Takes every DAG of the organization away. The last thing of a transaction."""
    for workflow in await _published(session):
        await announce(session, principal, workflow, None)


async def announce_again(session: AsyncSession, principal: Principal) -> None:
    """Brings every DAG of the organization back, at the revision that was in force."""
    for workflow in await _published(session):
        in_force = org_select(Revision).where(
            Revision.workflow_id == workflow.id, Revision.number == workflow.published_revision
        )
        row = (await session.execute(in_force)).scalar_one()
        await announce(session, principal, workflow, DagSpec.model_validate(row.spec))


async def _published(session: AsyncSession) -> list[Workflow]:
    """Under the lock of the feed, so that none is published for the first time meanwhile."""
    await _lock_feed(session)
    statement = org_select(Workflow).where(Workflow.published_revision.is_not(None))
    return list(await session.scalars(statement.order_by(Workflow.id)))


async def _lock_feed(session: AsyncSession) -> None:
    """Held until the commit, so that a reader never sees a number before a lower one."""
    await session.execute(select(func.pg_advisory_xact_lock(FEED_LOCK)))


async def _is_deleted(session: AsyncSession, principal: Principal) -> bool:
    living = platform_select(Organization).where(Organization.id == principal.org_id)
    return await session.scalar(living.with_only_columns(Organization.id)) is None
