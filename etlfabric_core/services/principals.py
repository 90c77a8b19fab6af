"""Who calls: a member of the transaction's organization, with what the role allows right now."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.permissions import ROLE_PERMISSIONS, Role
from etlfabric_core.access.principal import Principal
from etlfabric_core.db.scope import org_select
from etlfabric_core.errors import Unauthenticated
from etlfabric_core.models import Login, Membership, Organization, User


async def of_member(
    session: AsyncSession, user_id: int, sid: UUID | None = None, *, deleted_too: bool = False
) -> Principal:
    """The user as a principal of the transaction's organization, by the login `sid` if given.

    With `deleted_too` also the owner of a deleted organization that can be restored: without any
    permission there, because nothing else can be done with it.

    Raises:
        Unauthenticated: the user is no member of it (any more), or the login has ended.
    """
    found = await session.execute(
        org_select(Membership)
        .join(Organization, Organization.id == Membership.org_id)
        .join(User, User.id == Membership.user_id)
        .where(Membership.user_id == user_id, User.deleted_at.is_(None))
        .add_columns(Organization, _living_login(user_id, sid))
    )
    row: Any = found.one_or_none()
    if row is None or not _enters(row[0], row[1], deleted_too=deleted_too):
        raise Unauthenticated("you are no longer a member of this organization")
    membership, organization, living = row
    if sid is not None and not living:
        raise Unauthenticated("this session has ended", hint="sign in again")
    role = Role(membership.role)
    allowed = ROLE_PERMISSIONS[role] if organization.deleted_at is None else frozenset()
    return Principal(user_id, membership.org_id, organization.slug, role, allowed, sid)


def may_restore(membership: Membership, organization: Organization) -> bool:
    """Whether the member is an owner of a deleted organization whose time is not over."""
    return (
        membership.role == Role.OWNER
        and organization.deleted_at is not None
        and organization.purge_after is not None
        and organization.purge_after > clock.now()
    )


def _enters(membership: Membership, organization: Organization, *, deleted_too: bool) -> bool:
    if organization.deleted_at is None:
        return True
    return deleted_too and may_restore(membership, organization)


def _living_login(user_id: int, sid: UUID | None) -> ColumnElement[bool]:
    return exists().where(
        Login.sid == sid,
        Login.user_id == user_id,
        Login.organization_id == Membership.org_id,  # a login that went over to another is not here
        Login.ended_at.is_(None),
    )
