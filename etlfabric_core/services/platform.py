"""The installation as a whole: its organizations, its operators, its health."""

import platform as machine
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version

from anyio import to_thread
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import sandbox
from etlfabric_core.access.permissions import PlatformRole
from etlfabric_core.access.principal import Principal
from etlfabric_core.db.pages import Page, PageRequest, fetch_page
from etlfabric_core.db.scope import enter_organization, platform_select
from etlfabric_core.errors import Conflict, FabricError, Forbidden, NotFound
from etlfabric_core.models import Membership, Organization, User
from etlfabric_core.orchestrator.port import Orchestrator
from etlfabric_core.services import accounts, audit

PARTS = ("dlt", "dbt-core", "fastapi", "sqlalchemy")


@dataclass(frozen=True)
class Tenant:
    """An organization as the platform's operators see it: nothing of what it holds."""

    id: int
    slug: str
    name: str
    members: int
    airflow_operators: bool
    created_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True)
class Health:
    """How the installation is. `airflow` is empty when Airflow does not answer."""

    sandbox: str
    sandbox_network: str
    sandbox_holes: Sequence[str]
    airflow: Mapping[str, str | None]
    versions: Mapping[str, str]


async def require(session: AsyncSession, principal: Principal, role: PlatformRole) -> None:
    """Lets the principal pass who has the role, or the one above it.

    Raises:
        Forbidden: for everybody else.
    """
    user = await accounts.find_user(session, principal.user_id)
    given = user.platform_role if user else None
    if given not in {role, PlatformRole.OWNER}:
        raise Forbidden(
            f"this is for the platform's {role}s", hint="ask whoever runs this installation"
        )


async def organizations(session: AsyncSession, page: PageRequest) -> Page[Tenant]:
    """All organizations, the deleted ones too."""
    rows = await fetch_page(session, select(Organization), Organization.id, page)
    counts = await _members(session, rows.items)
    tenants = [_tenant(row, counts.get(row.id, 0)) for row in rows.items]
    return Page(tenants, rows.next_cursor)


async def allow_operators(
    session: AsyncSession, principal: Principal, org_id: int, allowed: bool
) -> Tenant:
    """Says whether an organization's owners and admins may sign in to Airflow. Its audit notes it.

    Raises:
        NotFound: no such organization.
    """
    row = await session.scalar(
        select(Organization).where(Organization.id == org_id).with_for_update(key_share=True)
    )
    if row is None or row.deleted_at is not None:
        raise NotFound(f"organization {org_id} does not exist", hint="see the list")
    if row.airflow_operators != allowed:
        old, row.airflow_operators = row.airflow_operators, allowed
        await enter_organization(session, row.id)
        await audit.record(
            session,
            replace(principal, org_id=row.id, org_slug=row.slug),
            "update",
            row,
            old={"airflow_operators": old},
            new={"airflow_operators": allowed},
        )
    return _tenant(row, (await _members(session, [row])).get(row.id, 0))


async def grant(
    session: AsyncSession, email: str, role: PlatformRole | None, *, unverified: bool = False
) -> User:
    """Makes a user an operator or owner of the platform; None takes it away.

    Raises:
        NotFound: nobody has this e-mail address.
        Conflict: its owner has not confirmed it, and `unverified` does not say that it will do.
    """
    user = await accounts.find_by_email(session, email)
    if user is None:
        raise NotFound(f"nobody is registered as {email}", hint="register the account first")
    if role is not None and user.email_verified_at is None and not unverified:
        raise Conflict(
            f"the address {user.email} is not confirmed: whoever registered it may not own it",
            hint="let its owner confirm it, or give --unverified if you know the account is theirs",
        )
    user.platform_role = role
    await audit.note(
        session,
        action="update",
        resource_type="user",
        resource_id=str(user.id),
        new={"platform_role": role},
    )
    return user


async def health(session: AsyncSession, orchestrator: Orchestrator) -> Health:
    """What can be said without looking into any organization."""
    try:
        airflow = await orchestrator.health()
        airflow_version = await orchestrator.version()
    except FabricError:  # that it does not answer is the finding
        airflow, airflow_version = {}, "unknown"
    versions = {name: version(name) for name in PARTS}
    server = str(await session.scalar(select(func.current_setting("server_version"))))
    versions |= {
        "python": machine.python_version(),
        "postgresql": server,
        "airflow": airflow_version,
    }
    isolation = await to_thread.run_sync(sandbox.report)
    return Health(isolation["level"], isolation["network"], isolation["holes"], airflow, versions)


async def _members(session: AsyncSession, rows: Sequence[Organization]) -> dict[int, int]:
    found = await session.execute(
        platform_select(Membership)
        .where(Membership.org_id.in_([row.id for row in rows]))
        .with_only_columns(Membership.org_id, func.count())
        .group_by(Membership.org_id)
    )
    return {org_id: number for org_id, number in found}


def _tenant(row: Organization, members: int) -> Tenant:
    return Tenant(
        id=row.id,
        slug=row.slug,
        name=row.name,
        members=members,
        airflow_operators=row.airflow_operators,
        created_at=row.created_at,
        deleted_at=row.deleted_at,
    )
