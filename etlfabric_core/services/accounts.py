"""Accounts: people, their passwords, and where they belong. All of it in platform sessions."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.passwords import check_strength, hash_password
from etlfabric_core.access.permissions import ROLE_PERMISSIONS, Role
from etlfabric_core.access.principal import Principal
from etlfabric_core.db.scope import enter_organization, platform_select
from etlfabric_core.errors import Conflict, NotFound, Unauthenticated
from etlfabric_core.models import Membership, Organization, User
from etlfabric_core.services import audit


async def create_user(
    session: AsyncSession,
    *,
    email: str,
    password: str | None,
    name: str,
    organization: str | None = None,
) -> User:
    """A new user; without a password, one who signs in elsewhere.

    Raises:
        Conflict: the e-mail address is taken.
        InvalidConfig: the password is too weak, or little more than what is known of its owner
            (and of the `organization` by that name).
    """
    email = email.lower()
    if await find_by_email(session, email):
        raise Conflict(f"{email} is already registered", hint="sign in, or use another address")
    hashed = None
    if password is not None:
        known = (email, name, organization or "")
        await check_strength(password, field="password", about=known)
        hashed = await hash_password(password)
    user = User(email=email, name=name, password_hash=hashed)
    session.add(user)
    await session.flush()
    return user


async def rename(session: AsyncSession, principal: Principal, *, name: str) -> None:
    """Changes the name that others see.

    Raises:
        Unauthenticated: the account does not exist any more.
    """
    user = await get_user(session, principal.user_id)
    old, user.name = user.name, name
    await session.flush()
    await enter_organization(session, principal.org_id)
    await audit.record(session, principal, "update", user, old={"name": old}, new={"name": name})


async def disable(session: AsyncSession, email: str) -> User:
    """Ends an account, at once: no sign-in, no session, no API key of it is good any more.

    Raises:
        NotFound: nobody is registered with this address.
    """
    user = await find_by_email(session, email)
    if user is None:
        raise NotFound(f"nobody is registered with {email}", hint="check the address")
    user.deleted_at = clock.now()
    await session.flush()
    await audit.note(
        session,
        action="disable",
        resource_type="user",
        resource_id=str(user.id),
    )
    return user


async def memberships(session: AsyncSession, user_id: int) -> list[tuple[Membership, Organization]]:
    """The living organizations of a user, the oldest membership first."""
    rows = await session.scalars(
        platform_select(Membership).where(Membership.user_id == user_id).order_by(Membership.id)
    )
    found = list(rows)
    organizations = await session.scalars(
        platform_select(Organization).where(Organization.id.in_([row.org_id for row in found]))
    )
    by_id = {organization.id: organization for organization in organizations}
    return [(row, by_id[row.org_id]) for row in found if row.org_id in by_id]


async def restorable(session: AsyncSession, user_id: int) -> list[tuple[Membership, Organization]]:
    """The deleted organizations that a user owns and can still restore."""
    rows = await session.scalars(
        platform_select(Membership)
        .where(Membership.user_id == user_id, Membership.role == Role.OWNER)
        .order_by(Membership.id)
    )
    by_id = {row.org_id: row for row in rows}
    organizations = await session.scalars(
        select(Organization)
        .where(Organization.id.in_(by_id), Organization.deleted_at.is_not(None))
        # The purge goes by the same clock; not by the start of this transaction, which may have
        # waited for it.
        .where(Organization.purge_after > func.clock_timestamp())
        .order_by(Organization.id)
    )
    return [(by_id[organization.id], organization) for organization in organizations]


async def membership_in(
    session: AsyncSession, user_id: int, org_id: int
) -> tuple[Membership, Organization] | None:
    """The user's membership in an organization that is living, or the user's to restore."""
    pairs = [*await memberships(session, user_id), *await restorable(session, user_id)]
    return next((pair for pair in pairs if pair[1].id == org_id), None)


async def membership_named(
    session: AsyncSession, user_id: int, slug: str | None
) -> tuple[Membership, Organization] | None:
    """The user's membership in the organization of that slug; without a slug, the oldest one.

    Who has nothing left but a deleted organization signs in to restore it.
    """
    pairs = [*await memberships(session, user_id), *await restorable(session, user_id)]
    return next((pair for pair in pairs if slug in (None, pair[1].slug)), None)


async def find_user(session: AsyncSession, user_id: int) -> User | None:
    """The living user of that id."""
    user: User | None = await session.scalar(platform_select(User).where(User.id == user_id))
    return user


async def find_by_email(session: AsyncSession, email: str) -> User | None:
    """The living user of that e-mail address, in whatever case it is written."""
    user: User | None = await session.scalar(
        platform_select(User).where(User.email == email.lower())
    )
    return user


async def get_user(session: AsyncSession, user_id: int) -> User:
    """The user of that id.

    Raises:
        Unauthenticated: there is none any more.
    """
    user = await find_user(session, user_id)
    if user is None:
        raise Unauthenticated("this account does not exist any more")
    return user


def as_principal(membership: Membership, organization: Organization) -> Principal:
    """The member as a principal."""
    role = Role(membership.role)
    return Principal(
        membership.user_id, organization.id, organization.slug, role, ROLE_PERMISSIONS[role]
    )
