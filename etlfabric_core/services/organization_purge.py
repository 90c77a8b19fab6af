"""The end of a deleted organization: all that was in it goes, but its slug and the audit log.

Of Airflow, its DAGs with their runs and XComs go; the files of the tasks' logs, which may lie
anywhere, stay.

Each step can be repeated: what fails half-way is done to its end at the next attempt.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from anyio import to_thread
from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.principal import Principal
from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import enter_organization, org_select, platform_session
from etlfabric_core.errors import Conflict, FabricError, UpstreamUnavailable
from etlfabric_core.files.storage import Storage
from etlfabric_core.models import Organization, Revision
from etlfabric_core.orchestrator.port import Orchestrator
from etlfabric_core.services import (
    audit,
    databases,
    members,
    organization_deletion,
    uploads,
    warehouse,
)
from etlfabric_core.services.publishing import BLOBS
from etlfabric_core.services.warehouse import Warehouse

log = structlog.get_logger()


@dataclass(frozen=True)
class Holdings:
    """Where an organization has something."""

    sessions: Sessions
    warehouse: Warehouse
    storage: Storage
    orchestrator: Orchestrator
    databases: Path


async def purge(holdings: Holdings, principal: Principal, id: int, *, confirm: str) -> None:
    """Ends the grace period of a deleted organization of the caller now, and purges it.

    Raises:
        NotFound: the caller owns no deleted organization of that id.
        InvalidConfig: `confirm` is not its slug.
        UpstreamUnavailable: the warehouse or Airflow cannot be reached, or something still runs;
            the purge goes on by itself later.
    """
    async with platform_session(holdings.sessions) as session:
        owner, organization = await organization_deletion.owned(session, principal.user_id, id)
        members.require_confirmed(organization.slug, confirm)
        old = {"purge_after": organization_deletion.until(organization)}
        # By the database's clock, which the purge goes by.
        await session.execute(
            update(Organization).where(Organization.id == id).values(purge_after=func.now())
        )
        await audit.record(session, owner, "update", organization, old=old, new={"purge": "now"})
    await _purge(holdings, id, user_id=principal.user_id)


async def purge_expired(holdings: Holdings) -> list[int]:
    """Purges every organization whose grace period is over.

    Returns:
        The ids of those that are gone now; one that fails is logged and tried again next time.
    """
    async with platform_session(holdings.sessions) as session:
        due = await session.scalars(
            select(Organization.id)
            .where(Organization.purge_after <= func.now(), Organization.purged_at.is_(None))
            .order_by(Organization.id)
        )
    purged = []
    for id in due:
        try:
            await _purge(holdings, id)
        except (FabricError, OSError, SQLAlchemyError) as error:
            log.error("purge_failed", org_id=id, error=str(error), kind=type(error).__name__)
        else:
            purged.append(id)
    return purged


async def _purge(holdings: Holdings, id: int, *, user_id: int | None = None) -> None:
    async with platform_session(holdings.sessions) as session:
        slug = await _due(session, id)
        if slug is None:
            return
        blobs = await _blobs(session, id)
    await warehouse.drop(holdings.warehouse, slug)
    await to_thread.run_sync(uploads.forget, holdings.storage, id)
    await to_thread.run_sync(databases.forget, holdings.databases, id)
    for blob in blobs:
        await to_thread.run_sync(holdings.storage.delete, f"{BLOBS}/{blob}")
    await _forget_dags(holdings.orchestrator, slug)
    async with platform_session(holdings.sessions) as session:
        row = select(Organization.purged_at).where(Organization.id == id)
        if await session.scalar(row.with_for_update(key_share=True)):
            return  # somebody else was faster
        await session.execute(select(func.purge_organization(id)))
        await audit.note(
            session,
            action="purge",
            resource_type=Organization.__tablename__,
            resource_id=str(id),
            org_id=id,
            user_id=user_id,
        )


async def _due(session: AsyncSession, id: int) -> str | None:
    """The slug, if its time is over: asked behind a restore, and after this none succeeds."""
    slug: str | None = await session.scalar(
        select(Organization.slug)
        .where(
            Organization.id == id,
            Organization.purge_after <= func.clock_timestamp(),
            Organization.purged_at.is_(None),
        )
        .with_for_update(key_share=True)
    )
    return slug


async def _forget_dags(orchestrator: Orchestrator, slug: str) -> None:
    try:
        await orchestrator.forget(slug)
    except Conflict as error:
        raise UpstreamUnavailable(
            f"Airflow does not delete the DAGs: {error.message}",
            hint="the purge goes on by itself when nothing runs any more",
        ) from error


async def _blobs(session: AsyncSession, id: int) -> set[str]:
    """The hashes of its dbt projects and manifests. They hold its slug, so nobody shares them."""
    await enter_organization(session, id)
    found: Any = await session.scalars(org_select(Revision).with_only_columns(Revision.spec["dbt"]))
    projects = [dbt for dbt in found if dbt]
    return {dbt[key] for dbt in projects for key in ("project_sha256", "manifest_sha256")}
