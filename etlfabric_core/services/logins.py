"""Logins: what a browser or a command line that is signed in holds on to, until it ends.

All of it in platform sessions: a login lies above the organizations that it switches between.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.permissions import Role
from etlfabric_core.access.principal import Principal
from etlfabric_core.access.tokens import (
    REFRESH_LIFETIME,
    Identity,
    issue_access,
    new_opaque,
    opaque_hash,
)
from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import enter_organization, platform_select, platform_session
from etlfabric_core.errors import Conflict, NotFound, Unauthenticated
from etlfabric_core.models import Login, Membership, Organization, RefreshToken, User
from etlfabric_core.services import accounts, audit

# Two windows that renew together are no theft: the later one gets nothing, the login lives on.
SAME_MOMENT = timedelta(seconds=5)

log = structlog.get_logger()


@dataclass(frozen=True)
class SignedIn:
    """A user signed in to an organization, with both tokens."""

    access_token: str
    refresh_token: str
    organization: Organization
    role: Role
    user_id: int


@dataclass(frozen=True)
class Device:
    """From where somebody signs in, and how."""

    method: str = "password"
    address: str | None = None
    user_agent: str | None = None


async def begin(
    session: AsyncSession,
    user: User,
    pair: tuple[Membership, Organization],
    device: Device,
    *,
    jwt_secret: str,
) -> SignedIn:
    """A new login, which the audit log notes."""
    membership, organization = pair
    await enter_organization(session, organization.id)
    login = Login(
        user_id=user.id,
        organization_id=organization.id,
        sid=uuid4(),
        method=device.method,
        address=device.address,
        user_agent=device.user_agent,
        last_used_at=clock.now(),
    )
    session.add(login)
    await session.flush()
    principal = accounts.as_principal(membership, organization)
    await audit.record(session, principal, "login", user, new={"method": device.method})
    return await _issue(session, login, pair, jwt_secret)


async def enter(
    session: AsyncSession,
    principal: Principal,
    pair: tuple[Membership, Organization],
    *,
    jwt_secret: str,
) -> SignedIn:
    """The principal's login goes over to an organization that the principal has just joined.

    The refresh token that the login had so far is used up by this.

    Raises:
        Unauthenticated: the login has ended.
    """
    login = await session.scalar(
        platform_select(Login).where(Login.sid == principal.sid, Login.ended_at.is_(None))
    )
    if login is None:
        raise Unauthenticated("this session has ended", hint="sign in again")
    # Before the login itself, as `refresh` takes them: the token from before is used up by this.
    await session.execute(
        update(RefreshToken)
        .where(RefreshToken.login_id == login.id, RefreshToken.used_at.is_(None))
        .values(used_at=clock.now())
    )
    login.organization_id = pair[1].id
    return await _issue(session, login, pair, jwt_secret)


async def refresh(
    sessions: Sessions, token: str, *, jwt_secret: str, organization: str | None = None
) -> SignedIn:
    """New tokens for a refresh token, which is used up by this. A used one ends its login.

    With the slug of an `organization`, the login goes over to it.

    Raises:
        Unauthenticated: unknown, expired, ended or used before; or no longer a member.
        Conflict: it was used a moment ago, by another window of the same browser.
        NotFound: no such organization, or no membership in it; the answer is the same.
    """
    async with platform_session(sessions) as session:
        found = await _locked(session, token)
        if found is not None and found[0].used_at is None and _alive(*found):
            row, login = found
            if organization is not None:
                await _switch(session, login, organization)
            row.used_at = login.last_used_at = clock.now()
            return await _renew(session, login, jwt_secret)
    noted = False
    if found is not None and found[0].used_at is not None:
        noted = await _reused(sessions, *found, found[0].used_at)
    raise Unauthenticated("the session has ended", hint="sign in again", audited=not noted)


async def end(session: AsyncSession, token: str) -> None:
    """Signs out: ends the login that the refresh token belongs to; an unknown token has none."""
    found = await _locked(session, token)
    if found is None:
        return
    login = found[1]
    pair = await accounts.membership_in(session, login.user_id, login.organization_id)
    user = await accounts.find_user(session, login.user_id)
    if _alive(*found) and user is not None and pair is not None:
        await enter_organization(session, login.organization_id)
        await audit.record(session, accounts.as_principal(*pair), "logout", user)
    login.ended_at = login.ended_at or clock.now()
    await session.flush()


async def end_all(session: AsyncSession, user_id: int, *, but: UUID | None = None) -> None:
    """Ends every login of a user, or every one but that of the given `sid`."""
    living = update(Login).where(Login.user_id == user_id, Login.ended_at.is_(None))
    if but is not None:
        living = living.where(Login.sid != but)
    await session.execute(living.values(ended_at=clock.now()))


async def _switch(session: AsyncSession, login: Login, slug: str) -> None:
    pair = await accounts.membership_named(session, login.user_id, slug)
    user = await accounts.find_user(session, login.user_id)
    if pair is None or user is None:
        raise NotFound(
            "there is no such organization among yours", hint="ask one of its owners to invite you"
        )
    login.organization_id = pair[1].id
    await enter_organization(session, pair[1].id)
    await audit.record(session, accounts.as_principal(*pair), "switch", user)


async def _renew(session: AsyncSession, login: Login, jwt_secret: str) -> SignedIn:
    pair = await accounts.membership_in(session, login.user_id, login.organization_id)
    if pair is None or await accounts.find_user(session, login.user_id) is None:
        raise Unauthenticated("you are no longer a member of this organization")
    return await _issue(session, login, pair, jwt_secret)


async def _issue(
    session: AsyncSession, login: Login, pair: tuple[Membership, Organization], jwt_secret: str
) -> SignedIn:
    membership, organization = pair
    token = new_opaque()
    session.add(
        RefreshToken(
            login_id=login.id,
            token_hash=opaque_hash(token),
            expires_at=clock.now() + REFRESH_LIFETIME,
        )
    )
    await session.flush()
    access = issue_access(Identity(login.user_id, organization.id, login.sid), jwt_secret)
    return SignedIn(access, token, organization, Role(membership.role), login.user_id)


async def _locked(session: AsyncSession, token: str) -> tuple[RefreshToken, Login] | None:
    row = await session.scalar(
        platform_select(RefreshToken)
        .where(RefreshToken.token_hash == opaque_hash(token))
        .with_for_update()
    )
    if row is None:
        return None
    login = await session.scalar(platform_select(Login).where(Login.id == row.login_id))
    assert login is not None  # noqa: S101 - the foreign key says so
    return row, login


def _alive(row: RefreshToken, login: Login) -> bool:
    return login.ended_at is None and row.expires_at > clock.now()


async def _reused(sessions: Sessions, row: RefreshToken, login: Login, used_at: datetime) -> bool:
    """Ends the login; whether the audit log has noted it."""
    if _alive(row, login) and clock.now() - used_at < SAME_MOMENT:
        raise Conflict(
            "the session is being renewed by another window", hint="try again with its new token"
        )
    log.warning("refresh_token_reused", user_id=login.user_id, login_id=login.id)
    async with platform_session(sessions) as session:
        ended = await session.execute(
            update(Login)
            .where(Login.id == login.id, Login.ended_at.is_(None))
            .values(ended_at=clock.now())
            .returning(Login.id)
        )
        noted = ended.scalar_one_or_none() is not None
        if noted:
            await audit.note(
                session,
                action="refresh_token_reused",
                resource_type="login",
                resource_id=str(login.id),
                org_id=login.organization_id,
                user_id=login.user_id,
            )
    return noted
