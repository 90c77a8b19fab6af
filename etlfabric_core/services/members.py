"""Members of an organization and their roles. The last owner stays."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.permissions import ROLE_PERMISSIONS, Role
from etlfabric_core.access.principal import Principal
from etlfabric_core.db.pages import Page, PageRequest, fetch_page
from etlfabric_core.db.scope import get_owned, org_select, platform_select
from etlfabric_core.errors import Conflict, Forbidden, InvalidConfig, NotFound, Problem
from etlfabric_core.models import Membership, Organization, User
from etlfabric_core.services import api_keys, audit


@dataclass(frozen=True)
class Member:
    """A membership together with the person."""

    id: int
    user_id: int
    email: str
    name: str
    role: Role


async def list_page(session: AsyncSession, page: PageRequest) -> Page[Member]:
    """The members, oldest first."""
    memberships = await fetch_page(session, org_select(Membership), Membership.id, page)
    ids = [membership.user_id for membership in memberships.items]
    # Disabled accounts too: an owner sees them, and takes them out.
    users = await session.scalars(select(User).where(User.id.in_(ids)))
    people = {user.id: user for user in users}
    members = [_member(row, people[row.user_id]) for row in memberships.items]
    return Page(members, memberships.next_cursor)


async def change_role(
    session: AsyncSession, principal: Principal, id: int, *, role: Role
) -> Member:
    """Gives a member another role; nobody gives more than they may do themselves.

    Raises:
        NotFound: no such member.
        Forbidden: the member's role, or the new one, goes beyond the principal's.
        Conflict: it would leave the organization without an owner.
    """
    await lock(session, principal)
    membership = await get_owned(session, Membership, id)
    user = await _user(session, membership)
    _require_at_least(principal, Role(membership.role))
    require_grantable(principal, role)
    if role is not Role.OWNER:
        await _keep_an_owner(session, membership)
    await _set_role(session, principal, membership, role)
    return _member(membership, user)


async def remove(session: AsyncSession, principal: Principal, id: int) -> None:
    """Takes a member, and the member's API keys, out of the organization.

    Raises:
        NotFound: no such member.
        Forbidden: the member's role goes beyond the principal's.
        Conflict: it is the last owner.
    """
    await lock(session, principal)
    membership = await get_owned(session, Membership, id)
    _require_at_least(principal, Role(membership.role))
    await _take_out(session, principal, membership)


async def leave(session: AsyncSession, principal: Principal) -> None:
    """Takes the caller out of the organization, with the caller's API keys.

    Raises:
        Conflict: it is the last owner.
    """
    await lock(session, principal)
    await _take_out(session, principal, await _own(session, principal))


async def transfer(session: AsyncSession, principal: Principal, id: int, *, confirm: str) -> Member:
    """Makes another member an owner, and the caller an admin.

    Raises:
        InvalidConfig: `confirm` is not the organization's slug, or the member is the caller.
        NotFound: no such member.
    """
    require_confirmed(principal.org_slug, confirm)
    await lock(session, principal)
    membership, own = await get_owned(session, Membership, id), await _own(session, principal)
    if membership.id == own.id:
        raise InvalidConfig(
            "member_id: it is you",
            hint="choose another member",
            problems=[Problem("is the caller", field="member_id")],
        )
    await _set_role(session, principal, membership, Role.OWNER)
    await _set_role(session, principal, own, Role.ADMIN)
    return _member(membership, await _user(session, membership))


async def lock(session: AsyncSession, principal: Principal) -> None:
    """One change of members at a time; the caller still is what the request was allowed for.

    Raises:
        Conflict: the caller's role was changed, or the organization deleted, just now.
    """
    organization = platform_select(Organization).where(Organization.id == principal.org_id)
    living = await session.scalar(organization.with_for_update(key_share=True))
    own = await session.scalar(
        org_select(Membership).where(Membership.user_id == principal.user_id)
    )
    if living is None or own is None or own.role != principal.role:
        raise Conflict("your role was changed just now", hint="reload the page")


def require_grantable(principal: Principal, role: Role) -> None:
    """Nobody, and no key, gives away more than they may do themselves.

    Raises:
        Forbidden: the role may do what the principal may not.
    """
    if not ROLE_PERMISSIONS[role] <= principal.permissions:
        raise Forbidden(
            f"you cannot give the role '{role}': it may do more than you",
            hint="ask an owner of the organization to do it",
        )


def require_confirmed(slug: str, confirm: str) -> None:
    """What cannot be taken back is confirmed with the organization's slug.

    Raises:
        InvalidConfig: it is another text.
    """
    if confirm != slug:
        raise InvalidConfig(
            "confirm: is not the organization's slug",
            hint=f"write {slug}",
            problems=[Problem("is not the organization's slug", field="confirm")],
        )


def _require_at_least(principal: Principal, role: Role) -> None:
    if not ROLE_PERMISSIONS[role] <= ROLE_PERMISSIONS[principal.role]:
        raise Forbidden(
            f"a member with the role '{role}' stands above you",
            hint="ask an owner of the organization to do it",
        )


async def _set_role(
    session: AsyncSession, principal: Principal, membership: Membership, role: Role
) -> None:
    old, membership.role = membership.role, role
    await session.flush()
    await audit.record(
        session, principal, "update", membership, old={"role": old}, new={"role": role}
    )


async def _take_out(session: AsyncSession, principal: Principal, membership: Membership) -> None:
    await _keep_an_owner(session, membership)
    await api_keys.revoke_all(session, principal, membership.user_id)
    old = {"user_id": membership.user_id, "role": membership.role}
    await audit.record(session, principal, "delete", membership, old=old)
    await session.delete(membership)
    await session.flush()


async def _keep_an_owner(session: AsyncSession, leaving: Membership) -> None:
    if leaving.role != Role.OWNER:
        return
    owners = await session.scalars(
        org_select(Membership)
        .join(User, User.id == Membership.user_id)
        .where(Membership.role == Role.OWNER, User.deleted_at.is_(None))
    )
    if all(owner.id == leaving.id for owner in owners):
        raise Conflict(
            "an organization keeps at least one owner",
            hint="make another member an owner first",
            audited=True,
        )


async def _own(session: AsyncSession, principal: Principal) -> Membership:
    statement = org_select(Membership).where(Membership.user_id == principal.user_id)
    return (await session.execute(statement)).scalar_one()


async def _user(session: AsyncSession, membership: Membership) -> User:
    user = await session.scalar(platform_select(User).where(User.id == membership.user_id))
    if user is None:
        raise NotFound("the user does not exist any more")
    return user


def _member(membership: Membership, user: User) -> Member:
    return Member(membership.id, user.id, user.email, user.name, Role(membership.role))
