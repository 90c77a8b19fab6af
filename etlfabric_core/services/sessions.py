"""A person's own logins, listed and ended. All of it in platform sessions."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.principal import Principal
from etlfabric_core.access.tokens import REFRESH_LIFETIME
from etlfabric_core.db.scope import enter_organization, platform_select
from etlfabric_core.errors import NotFound
from etlfabric_core.models import Login, Organization
from etlfabric_core.services import accounts, audit, logins


async def list_living(session: AsyncSession, user_id: int) -> list[tuple[Login, Organization]]:
    """The logins of a user that have not ended, the last used one first."""
    rows = await session.scalars(
        platform_select(Login)
        .where(
            Login.user_id == user_id,
            Login.ended_at.is_(None),
            Login.last_used_at > clock.now() - REFRESH_LIFETIME,
        )
        .order_by(Login.last_used_at.desc(), Login.id.desc())
    )
    found = list(rows)
    organizations = await session.scalars(
        select(Organization).where(Organization.id.in_([row.organization_id for row in found]))
    )
    by_id = {organization.id: organization for organization in organizations}
    return [(row, by_id[row.organization_id]) for row in found]


async def end_one(session: AsyncSession, principal: Principal, id: int) -> None:
    """Ends a login of the principal.

    Raises:
        NotFound: there is none of that id, or it is somebody else's; the answer is the same.
    """
    login = await session.scalar(
        platform_select(Login).where(
            Login.id == id, Login.user_id == principal.user_id, Login.ended_at.is_(None)
        )
    )
    if login is None:
        raise NotFound(f"session {id} does not exist", hint="it may have ended")
    login.ended_at = clock.now()
    await session.flush()
    await enter_organization(session, principal.org_id)
    await audit.record(session, principal, "logout", login)


async def end_others(session: AsyncSession, principal: Principal) -> None:
    """Ends every login of the principal but the one that asks for it."""
    user = await accounts.get_user(session, principal.user_id)
    await logins.end_all(session, user.id, but=principal.sid)
    await enter_organization(session, principal.org_id)
    await audit.record(session, principal, "logout", user, new={"sessions": "all others"})
