"""Accepting an invitation: as somebody new, with the password of an account, or signed in."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.permissions import ROLE_PERMISSIONS, Permission, Role
from etlfabric_core.access.principal import Principal
from etlfabric_core.access.throttle import Throttle
from etlfabric_core.access.tokens import opaque_hash
from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import enter_organization, platform_select, platform_session
from etlfabric_core.errors import Conflict, Forbidden, InvalidConfig, NotFound, Problem
from etlfabric_core.models import Invitation, Membership, Organization, User
from etlfabric_core.services import accounts, audit, logins, sign_in
from etlfabric_core.services.logins import Device, SignedIn
from etlfabric_core.services.sign_in import Attempt


@dataclass(frozen=True)
class Look:
    """What whoever has the token may know before accepting."""

    invitation: Invitation
    organization: Organization
    has_account: bool


@dataclass(frozen=True)
class Acceptance:
    """What somebody says who accepts; `caller` is set for one who is signed in already."""

    token: str
    name: str | None
    password: str | None
    caller: Principal | None


async def look(session: AsyncSession, token: str) -> Look:
    """What an invitation is about; in a platform session.

    Raises:
        NotFound: unknown, expired, revoked or accepted, its organization is deleted, or who made it
            may not give that role any more; the answer is the same.
    """
    invitation, organization = await _valid(session, token)
    account = await accounts.find_by_email(session, invitation.email)
    return Look(invitation, organization, account is not None)


async def accept(
    sessions: Sessions,
    throttle: Throttle,
    acceptance: Acceptance,
    device: Device,
    *,
    jwt_secret: str,
) -> SignedIn:
    """Makes a member of who accepts, and signs in to the organization.

    Raises:
        NotFound: as `look`.
        InvalidConfig: a new account needs a name and a good password.
        Unauthenticated: the password of the account is wrong.
        Forbidden: the caller is signed in with another address.
        Conflict: already a member.
        TooManyRequests: too many wrong passwords.
    """
    async with platform_session(sessions) as session:
        seen = await look(session, acceptance.token)
    known = await _known(sessions, throttle, acceptance, seen, device)
    async with platform_session(sessions) as session:
        invitation, organization = await _valid(session, acceptance.token)
        user = (
            await sign_in.hold(session, known)
            if known is not None
            else await _new_user(session, acceptance, seen)
        )
        if invitation.mailed:
            user.email_verified_at = user.email_verified_at or clock.now()
        membership = await join(session, invitation, organization, user)
        pair = (membership, organization)
        if acceptance.caller is not None and acceptance.password is None:
            return await logins.enter(session, acceptance.caller, pair, jwt_secret=jwt_secret)
        return await logins.begin(session, user, pair, device, jwt_secret=jwt_secret)


async def join(
    session: AsyncSession, invitation: Invitation, organization: Organization, user: User
) -> Membership:
    """Makes the user a member, as the invitation says, which is used up by this.

    Raises:
        Conflict: already a member.
    """
    await enter_organization(session, organization.id)
    if await accounts.membership_in(session, user.id, organization.id):
        raise Conflict(f"{user.email} is already a member", hint="sign in to the organization")
    membership = Membership(org_id=organization.id, user_id=user.id, role=invitation.role)
    session.add(membership)
    invitation.accepted_at = clock.now()
    await session.flush()
    principal = accounts.as_principal(membership, organization)
    new = {"email": user.email, "role": membership.role, "invitation": invitation.id}
    await audit.record(session, principal, "create", membership, new=new)
    return membership


async def _valid(session: AsyncSession, token: str) -> tuple[Invitation, Organization]:
    """The invitation of a token, locked: of two who accept it at once, the later one waits."""
    found = await session.scalar(
        platform_select(Invitation)
        .where(Invitation.token_hash == opaque_hash(token))
        .with_for_update()
    )
    organization = await _standing(session, found) if found else None
    if found is None or organization is None:
        raise _refused()
    return found, organization


async def _standing(session: AsyncSession, invitation: Invitation) -> Organization | None:
    """The organization of an invitation that can be accepted."""
    if invitation.accepted_at or invitation.revoked_at or invitation.expires_at <= clock.now():
        return None
    inviter = await accounts.find_user(session, invitation.invited_by)
    pair = await accounts.membership_in(session, invitation.invited_by, invitation.org_id)
    if inviter is None or pair is None or pair[1].deleted_at is not None:
        return None
    given = {Permission.MEMBERS_WRITE, *ROLE_PERMISSIONS[Role(invitation.role)]}
    return pair[1] if given <= ROLE_PERMISSIONS[Role(pair[0].role)] else None


async def _known(
    sessions: Sessions, throttle: Throttle, acceptance: Acceptance, seen: Look, device: Device
) -> User | None:
    """The account that accepts, once it has shown who it is; None for somebody new."""
    email = seen.invitation.email
    if acceptance.password is not None:
        if not seen.has_account:
            return None
        attempt = Attempt(email, acceptance.password, device.address)
        return await sign_in.verify(sessions, throttle, attempt)
    if acceptance.caller is None:
        raise _missing("password")
    async with platform_session(sessions) as session:
        caller = await accounts.get_user(session, acceptance.caller.user_id)
    if caller.email != email:
        raise Forbidden(
            f"this invitation is for {email}, and you are signed in as {caller.email}",
            hint="sign out, then open the link again",
        )
    return caller


async def _new_user(session: AsyncSession, acceptance: Acceptance, seen: Look) -> User:
    if acceptance.name is None:
        raise _missing("name")
    return await accounts.create_user(
        session,
        email=seen.invitation.email,
        password=acceptance.password,
        name=acceptance.name,
        organization=seen.organization.name,
    )


def _refused() -> NotFound:
    return NotFound(
        "this invitation is not valid (any more)",
        hint="ask whoever invited you to send it again",
        audited=True,
    )


def _missing(field: str) -> InvalidConfig:
    problem = "is needed to accept the invitation"
    return InvalidConfig(
        f"{field}: {problem}",
        hint="give a name and a password, or sign in first",
        problems=[Problem(problem, field=field)],
    )
