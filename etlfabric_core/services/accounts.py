"""Signing up, signing in, staying signed in, signing out. All of it in platform sessions."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from anyio import to_thread
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.passwords import hash_password, needs_rehash, verify_password
from etlfabric_core.access.permissions import ROLE_PERMISSIONS, Role
from etlfabric_core.access.principal import Principal
from etlfabric_core.access.tokens import (
    REFRESH_LIFETIME,
    Identity,
    issue_access,
    new_refresh,
    refresh_hash,
)
from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import enter_organization, platform_select, platform_session
from etlfabric_core.errors import Conflict, Unauthenticated
from etlfabric_core.models import Membership, Organization, RefreshToken, User
from etlfabric_core.services import audit

# Two windows that renew together are no theft: the later one gets nothing, the family lives on.
SAME_MOMENT = timedelta(seconds=5)

log = structlog.get_logger()


@dataclass(frozen=True)
class SignedIn:
    """A user signed in to an organization, with both tokens."""

    access_token: str
    refresh_token: str
    organization: Organization
    role: Role


async def create_user(session: AsyncSession, *, email: str, password: str, name: str) -> User:
    """A new user.

    Raises:
        Conflict: the e-mail address is taken.
    """
    email = email.lower()
    if await session.scalar(platform_select(User).where(User.email == email)):
        raise Conflict(f"{email} is already registered", hint="sign in, or use another address")
    user = User(
        email=email,
        name=name,
        password_hash=await to_thread.run_sync(hash_password, password),
    )
    session.add(user)
    await session.flush()
    return user


async def sign_in(
    session: AsyncSession, *, email: str, password: str, organization: str | None, jwt_secret: str
) -> SignedIn:
    """Checks the password and signs in to the named organization, or to the oldest membership.

    Raises:
        Unauthenticated: unknown user, wrong password, or not a member of that organization; the
            answer and the time are the same.
    """
    user = await session.scalar(platform_select(User).where(User.email == email.lower()))
    known = user.password_hash if user else None
    right = await to_thread.run_sync(verify_password, password, known)
    pair = await _membership(session, user, organization) if user and right else None
    if user is None or pair is None:
        raise Unauthenticated(
            "the e-mail address or the password is wrong",
            hint="check both, and the organization if you named one",
        )
    if needs_rehash(user.password_hash):
        user.password_hash = await to_thread.run_sync(hash_password, password)
    return await issue(session, user, *pair, jwt_secret=jwt_secret)


async def issue(
    session: AsyncSession,
    user: User,
    membership: Membership,
    organization: Organization,
    *,
    jwt_secret: str,
    family: UUID | None = None,
) -> SignedIn:
    """Both tokens. Without a `family` it is a new sign-in, which the audit log notes."""
    await enter_organization(session, organization.id)
    token = new_refresh()
    row = RefreshToken(
        user_id=user.id,
        organization_id=organization.id,
        family=family or uuid4(),
        token_hash=refresh_hash(token),
        expires_at=clock.now() + REFRESH_LIFETIME,
    )
    session.add(row)
    await session.flush()
    if family is None:
        await audit.record(session, as_principal(membership, organization), "login", user)
    access = issue_access(Identity(user.id, organization.id), jwt_secret)
    return SignedIn(access, token, organization, Role(membership.role))


async def refresh(sessions: Sessions, token: str, *, jwt_secret: str) -> SignedIn:
    """New tokens for a refresh token, which is used up by this. A used one ends its family.

    Raises:
        Unauthenticated: unknown, expired, revoked or used before; or no longer a member.
        Conflict: it was used a moment ago, by another window of the same browser.
    """
    async with platform_session(sessions) as session:
        row = await session.scalar(
            platform_select(RefreshToken)
            .where(RefreshToken.token_hash == refresh_hash(token))
            .with_for_update()
        )
        if row is not None and row.used_at is None and _alive(row):
            row.used_at = clock.now()
            return await _renew(session, row, jwt_secret)
    if row is not None and row.used_at is not None:
        await _reused(sessions, row, row.used_at)
    raise Unauthenticated("the session has ended", hint="sign in again")


async def _reused(sessions: Sessions, row: RefreshToken, used_at: datetime) -> None:
    if _alive(row) and clock.now() - used_at < SAME_MOMENT:
        raise Conflict(
            "the session is being renewed by another window", hint="try again with its new token"
        )
    log.warning("refresh_token_reused", user_id=row.user_id, family=str(row.family))
    async with platform_session(sessions) as session:
        await _revoke_family(session, row.family)


async def sign_out(session: AsyncSession, token: str) -> None:
    """Ends the session that the refresh token belongs to; an unknown token has none."""
    row = await session.scalar(
        platform_select(RefreshToken).where(RefreshToken.token_hash == refresh_hash(token))
    )
    if row is None:
        return
    await _revoke_family(session, row.family)
    user = await _user(session, row.user_id)
    pair = await _membership_in(session, row.user_id, row.organization_id)
    if user and pair:
        await enter_organization(session, row.organization_id)
        await audit.record(session, as_principal(*pair), "logout", user)


async def memberships(session: AsyncSession, user_id: int) -> list[tuple[Membership, Organization]]:
    """Every organization of the user, the oldest membership first."""
    rows = await session.scalars(
        platform_select(Membership).where(Membership.user_id == user_id).order_by(Membership.id)
    )
    found = list(rows)
    organizations = await session.scalars(
        platform_select(Organization).where(Organization.id.in_([row.org_id for row in found]))
    )
    by_id = {organization.id: organization for organization in organizations}
    return [(row, by_id[row.org_id]) for row in found if row.org_id in by_id]


async def get_user(session: AsyncSession, user_id: int) -> User:
    """The user of that id.

    Raises:
        Unauthenticated: there is none any more.
    """
    user = await _user(session, user_id)
    if user is None:
        raise Unauthenticated("this account does not exist any more")
    return user


def as_principal(membership: Membership, organization: Organization) -> Principal:
    """The member as a principal."""
    role = Role(membership.role)
    return Principal(
        membership.user_id, organization.id, organization.slug, role, ROLE_PERMISSIONS[role]
    )


async def _renew(session: AsyncSession, row: RefreshToken, jwt_secret: str) -> SignedIn:
    user = await _user(session, row.user_id)
    pair = await _membership_in(session, row.user_id, row.organization_id)
    if user is None or pair is None:
        raise Unauthenticated("you are no longer a member of this organization")
    return await issue(session, user, *pair, jwt_secret=jwt_secret, family=row.family)


async def _user(session: AsyncSession, user_id: int) -> User | None:
    user: User | None = await session.scalar(platform_select(User).where(User.id == user_id))
    return user


async def _membership(
    session: AsyncSession, user: User, slug: str | None
) -> tuple[Membership, Organization] | None:
    pairs = await memberships(session, user.id)
    return next((pair for pair in pairs if slug in (None, pair[1].slug)), None)


async def _membership_in(
    session: AsyncSession, user_id: int, org_id: int
) -> tuple[Membership, Organization] | None:
    pairs = await memberships(session, user_id)
    return next((pair for pair in pairs if pair[1].id == org_id), None)


def _alive(row: RefreshToken) -> bool:
    return row.revoked_at is None and row.expires_at > clock.now()


async def _revoke_family(session: AsyncSession, family: UUID) -> None:
    await session.execute(
        update(RefreshToken)
        .where(RefreshToken.family == family, RefreshToken.revoked_at.is_(None))
        .values(revoked_at=clock.now())
    )
