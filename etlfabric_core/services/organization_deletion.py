"""Deleting an organization, which its owners can take back until the grace period is over."""

from datetime import datetime, timedelta

import structlog
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.principal import Principal
from etlfabric_core.db.pages import Page, PageRequest, fetch_page
from etlfabric_core.db.scope import OpenSession, enter_organization
from etlfabric_core.errors import FabricError, NotFound
from etlfabric_core.models import Organization
from etlfabric_core.orchestrator.port import Orchestrator, RunsQuery
from etlfabric_core.services import accounts, audit, dag_ids, members, organizations, publications
from etlfabric_core.services.runs import CANCELLED

RUNNING = ("queued", "running")
RUNS_AT_ONCE = 100
log = structlog.get_logger()


async def delete(
    open_session: OpenSession,
    orchestrator: Orchestrator,
    principal: Principal,
    *,
    confirm: str,
    grace: timedelta,
) -> datetime:
    """Closes the organization: nobody enters it, nothing of it runs, its data stays for `grace`.

    Its slug stays taken for good. Where Airflow does not answer, what runs comes to its end when it
    next asks the service for something.

    Returns:
        Until when it can be restored.

    Raises:
        InvalidConfig: `confirm` is not the organization's slug.
        Conflict: the caller's role was changed meanwhile.
    """
    members.require_confirmed(principal.org_slug, confirm)
    async with open_session() as session:
        await members.lock(session, principal)
        organization = await organizations.get(session, principal)
        dags = await dag_ids.listed(session, principal.org_slug)
        organization.deleted_at = clock.now()
        organization.purge_after = organization.deleted_at + grace
        await session.flush()
        old = {"name": organization.name, "slug": organization.slug}
        new = {"purge_after": until(organization)}
        await audit.record(session, principal, "delete", organization, old=old, new=new)
        await publications.withdraw_all(session, principal)
    try:
        await _cancel_runs(orchestrator, dags)
    except FabricError as error:
        log.warning("runs_not_cancelled", org=principal.org_slug, error=str(error))
    return organization.purge_after


async def deleted(session: AsyncSession, user_id: int, page: PageRequest) -> Page[Organization]:
    """The deleted organizations that the user owns and can restore; in a platform session."""
    pairs = await accounts.restorable(session, user_id)
    ids = [organization.id for _, organization in pairs]
    statement = select(Organization).where(Organization.id.in_(ids))
    return await fetch_page(session, statement, Organization.id, page)


async def restore(session: AsyncSession, user_id: int, id: int) -> Organization:
    """Opens a deleted organization again, as it was; in a platform session.

    Raises:
        NotFound: the user owns no deleted organization of that id, or its time is over.
    """
    principal, organization = await owned(session, user_id, id)
    old = {"purge_after": until(organization)}
    organization.deleted_at = organization.purge_after = None
    await session.flush()
    await audit.record(session, principal, "restore", organization, old=old)
    await publications.announce_again(session, principal)
    return organization


async def owned(session: AsyncSession, user_id: int, id: int) -> tuple[Principal, Organization]:
    """A deleted organization that the user owns, locked; the platform session enters it.

    Raises:
        NotFound: there is none of that id, or its time is over.
    """
    await session.execute(_by_id(id).with_for_update(key_share=True))
    for membership, organization in await accounts.restorable(session, user_id):
        if organization.id == id:
            await enter_organization(session, id)
            return accounts.as_principal(membership, organization), organization
    raise NotFound(
        f"you own no deleted organization {id}", hint="see the list of deleted organizations"
    )


def until(organization: Organization) -> str | None:
    """When its grace period ends, as the audit log writes it."""
    return organization.purge_after.isoformat() if organization.purge_after else None


def _by_id(id: int) -> Select[Organization]:
    return select(Organization).where(Organization.id == id)


async def _cancel_runs(orchestrator: Orchestrator, dags: tuple[str, ...]) -> None:
    seen: set[tuple[str, str]] = set()
    for state in RUNNING:
        query = RunsQuery(limit=RUNS_AT_ONCE, state=state)
        while found := [
            (run.dag_id, run.run_id)
            for run in (await orchestrator.runs(dags, query)).dag_runs
            if (run.dag_id, run.run_id) not in seen
        ]:
            for key in found:
                await orchestrator.cancel(*key, note=CANCELLED)
            seen.update(found)
