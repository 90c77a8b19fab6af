"""Members of an organization and their roles. The last owner stays."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.permissions import ROLE_PERMISSIONS, Role
from etlfabric_core.access.principal import Principal
from etlfabric_core.db.pages import Page, PageRequest, fetch_page
from etlfabric_core.db.scope import get_owned, org_select, platform, platform_select
from etlfabric_core.errors import Conflict, NotFound, Unauthenticated
from etlfabric_core.models import Membership, Organization, User
from etlfabric_core.services import audit


@dataclass(frozen=True)
class Member:
    """A membership together with the person."""

    id: int
    user_id: int
    email: str
    name: str
    role: Role


async def principal(session: AsyncSession, user_id: int) -> Principal:
    """The user as a principal of the transaction's organization.

    Raises:
        Unauthenticated: the user is no member of it (any more).
    """
    found = await session.execute(
        org_select(Membership)
        .join(Organization, Organization.id == Membership.org_id)
        .where(Membership.user_id == user_id, Organization.deleted_at.is_(None))
        .add_columns(Organization.slug)
    )
    row: Any = found.one_or_none()
    if row is None:
        raise Unauthenticated("you are no longer a member of this organization")
    membership, slug = row
    role = Role(membership.role)
    return Principal(user_id, membership.org_id, slug, role, ROLE_PERMISSIONS[role])


async def list_page(session: AsyncSession, page: PageRequest) -> Page[Member]:
    """The members, oldest first."""
    memberships = await fetch_page(session, org_select(Membership), Membership.id, page)
    ids = [membership.user_id for membership in memberships.items]
    users = await session.scalars(platform_select(User).where(User.id.in_(ids)))
    people = {user.id: user for user in users}
    members = [_member(row, people[row.user_id]) for row in memberships.items]
    return Page(members, memberships.next_cursor)


async def add(session: AsyncSession, principal: Principal, *, email: str, role: Role) -> Member:
    """Makes a registered user a member.

    Raises:
        NotFound: nobody has registered with that e-mail address.
        Conflict: already a member.
    """
    async with platform(session):
        user = await session.scalar(platform_select(User).where(User.email == email.lower()))
    if user is None:
        raise NotFound(
            f"nobody has registered with {email}", hint="ask them to sign up first, then add them"
        )
    taken = await session.scalar(org_select(Membership).where(Membership.user_id == user.id))
    if taken is not None:
        raise Conflict(f"{email} is already a member", hint="change the role instead")
    membership = Membership(org_id=principal.org_id, user_id=user.id, role=role)
    session.add(membership)
    await session.flush()
    await audit.record(session, principal, "create", membership, new={"email": email, "role": role})
    return _member(membership, user)


async def change_role(
    session: AsyncSession, principal: Principal, id: int, *, role: Role
) -> Member:
    """Gives a member another role.

    Raises:
        NotFound: no such member.
        Conflict: it would leave the organization without an owner.
    """
    membership = await get_owned(session, Membership, id)
    user = await _user(session, membership)
    if role is not Role.OWNER:
        await _keep_an_owner(session, membership)
    old, membership.role = membership.role, role
    await session.flush()
    await audit.record(
        session, principal, "update", membership, old={"role": old}, new={"role": role}
    )
    return _member(membership, user)


async def remove(session: AsyncSession, principal: Principal, id: int) -> None:
    """Takes a member out of the organization.

    Raises:
        NotFound: no such member.
        Conflict: it is the last owner.
    """
    membership = await get_owned(session, Membership, id)
    await _keep_an_owner(session, membership)
    old = {"user_id": membership.user_id, "role": membership.role}
    await audit.record(session, principal, "delete", membership, old=old)
    await session.delete(membership)
    await session.flush()


async def _keep_an_owner(session: AsyncSession, leaving: Membership) -> None:
    if leaving.role != Role.OWNER:
        return
    # The lock makes two owners who remove each other at the same moment wait for one another.
    owners = await session.scalars(
        org_select(Membership).where(Membership.role == Role.OWNER).with_for_update()
    )
    if all(owner.id == leaving.id for owner in owners):
        raise Conflict(
            "an organization keeps at least one owner", hint="make another member an owner first"
        )


async def _user(session: AsyncSession, membership: Membership) -> User:
    user = await session.scalar(platform_select(User).where(User.id == membership.user_id))
    if user is None:
        raise NotFound("the user does not exist any more")
    return user


def _member(membership: Membership, user: User) -> Member:
    return Member(membership.id, user.id, user.email, user.name, Role(membership.role))
