"""Whose DAG it is: from a dag_id to an organization and its workflow, and back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import enter_organization, org_select, platform, platform_select
from etlfabric_core.errors import NotFound
from etlfabric_core.models import Organization, PublicationRow, Schedule, Workflow
from etlfabric_core.slugs import ORGANIZATION_SLUG, SLUG, dag_id


@dataclass(frozen=True)
class Place:
    """The organization and the workflow that a DAG belongs to."""

    organization: Organization
    workflow: Workflow


@asynccontextmanager
async def place(sessions: Sessions, dag_id: str) -> AsyncIterator[tuple[AsyncSession, Place]]:
    """A transaction of the organization that owns a DAG; for Airflow's side.

    Raises:
        NotFound: no organization has such a DAG.
    """
    slugs = _slugs(dag_id)
    async with sessions.begin() as session:
        async with platform(session):
            organization = await session.scalar(
                platform_select(Organization).where(Organization.slug == slugs[0])
            )
        if organization is None:
            raise _unknown(dag_id)
        await enter_organization(session, organization.id)
        yield session, Place(organization, await _workflow(session, slugs[1], dag_id))


async def owned(session: AsyncSession, org_slug: str, dag_id: str) -> Workflow:
    """The workflow behind a DAG of the transaction's own organization.

    Raises:
        NotFound: there is none, or it is another organization's; the answer is the same.
    """
    slugs = _slugs(dag_id)
    if slugs[0] != org_slug:
        raise _unknown(dag_id)
    return await _workflow(session, slugs[1], dag_id)


async def listed(
    session: AsyncSession, org_slug: str, workflow_id: int | None = None
) -> tuple[str, ...]:
    """Every dag_id of the transaction's organization, or of one workflow of it.

    Raises:
        NotFound: no such workflow.
    """
    query = org_select(Workflow)
    if workflow_id is not None:
        query = query.where(Workflow.id == workflow_id)
    workflows = {row.id: row.slug for row in await session.scalars(query)}
    if workflow_id is not None and not workflows:
        raise NotFound(f"workflow {workflow_id} does not exist", hint="it may have been deleted")
    partial = await session.scalars(
        org_select(Schedule).where(
            Schedule.node_id.is_not(None), Schedule.workflow_id.in_(workflows)
        )
    )
    ids = [dag_id(org_slug, slug) for slug in workflows.values()]
    ids += [dag_id(org_slug, workflows[row.workflow_id], row.slug) for row in partial]
    return tuple(sorted(ids))


async def publication(
    session: AsyncSession, workflow: Workflow, at: str | None = None
) -> PublicationRow | None:
    """The newest line of the feed for a workflow, at or below a bundle version if one is given."""
    query = org_select(PublicationRow).where(PublicationRow.workflow_id == workflow.id)
    if at is not None and at.isdigit():
        query = query.where(PublicationRow.id <= int(at))
    return await session.scalar(query.order_by(PublicationRow.id.desc()).limit(1))


async def _workflow(session: AsyncSession, slug: str, dag_id: str) -> Workflow:
    workflow = await session.scalar(org_select(Workflow).where(Workflow.slug == slug))
    if workflow is None:
        raise _unknown(dag_id)
    return workflow


def _slugs(dag_id: str) -> list[str]:
    organization, *others = dag_id.split(".")
    known = ORGANIZATION_SLUG.fullmatch(organization) and all(map(SLUG.fullmatch, others))
    if not known or not 1 <= len(others) <= 2:
        raise _unknown(dag_id)
    return [organization, *others]


def _unknown(dag_id: str) -> NotFound:
    return NotFound(f"dag '{dag_id}' does not exist", hint="see the list of workflows")
