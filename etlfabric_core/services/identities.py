"""Identities: who a user is at the sign-on providers. All of it in platform sessions.

An account is found by issuer and subject alone. An e-mail address leads to one only if both sides
have verified it: otherwise whoever registers somebody's address first would share the account.
"""

from collections.abc import Collection, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.principal import Principal
from etlfabric_core.access.sign_on.attempts import Attempt
from etlfabric_core.access.sign_on.provider import Person, Refusal, SignOnRefused
from etlfabric_core.db.scope import enter_organization, platform_select
from etlfabric_core.errors import Conflict, NotFound
from etlfabric_core.models import Identity, Login, Membership, Organization, User
from etlfabric_core.services import accounts, audit, logins

Pair = tuple[Membership, Organization]


async def find_user(session: AsyncSession, person: Person, provider: str) -> User | None:
    """The user whom the person is, or None for somebody new with a verified address.

    An account that the address leads to loses its password, which may be that of a stranger who
    registered the address first; resetting it sets a new one.

    Raises:
        SignOnRefused: the address is not verified; or it has an account that did not verify it.
    """
    identity = await _find(session, person)
    if identity is not None:
        identity.email = person.email or identity.email
        user = await accounts.find_user(session, identity.user_id)
        if user is None:
            raise SignOnRefused(Refusal.NO_ORGANIZATION, "the account was closed")
        return user
    if not person.verified:
        raise SignOnRefused(Refusal.UNVERIFIED, f"{provider} does not vouch for the address")
    user = await accounts.find_by_email(session, person.email)
    if user is None:
        return None
    if user.email_verified_at is None:
        raise SignOnRefused(Refusal.LINK_REQUIRED, "the account has not verified its address")
    had_password, user.password_hash = user.password_hash is not None, None
    pair = await pair_of(session, user)
    await add(session, user, pair, person, provider, password_removed=had_password)
    await logins.end_all(session, user.id)
    return user


async def new_user(session: AsyncSession, person: Person) -> User:
    """An account without a password for somebody new, whose address the provider verified.

    Raises:
        Conflict: the address was taken a moment ago.
    """
    user = await accounts.create_user(session, email=person.email, password=None, name=person.name)
    user.email_verified_at = clock.now()
    return user


async def pair_of(session: AsyncSession, user: User) -> Pair:
    """The user's oldest membership in an organization that is living, or the user's to restore.

    Raises:
        SignOnRefused: there is none.
    """
    pair = await accounts.membership_named(session, user.id, None)
    if pair is None:
        raise SignOnRefused(Refusal.NO_ORGANIZATION, "the account belongs to no organization")
    return pair


async def add(
    session: AsyncSession,
    user: User,
    pair: Pair,
    person: Person,
    provider: str,
    *,
    password_removed: bool = False,
) -> Identity:
    """Makes the person's identity one of the user, with a note in the audit log."""
    identity = Identity(
        user_id=user.id,
        provider=provider,
        issuer=person.issuer,
        subject=person.subject,
        email=person.email,
    )
    session.add(identity)
    await session.flush()
    await enter_organization(session, pair[1].id)
    new = {
        "provider": provider,
        "issuer": person.issuer,
        "email": person.email,
        "password_removed": password_removed,
    }
    await audit.record(session, accounts.as_principal(*pair), "link", identity, new=new)
    return identity


async def link(session: AsyncSession, person: Person, attempt: Attempt) -> None:
    """Adds the person's identity to the account that made the attempt; ends its other logins.

    An account whose address nobody verified takes only the identity that verifies it. Whoever
    registered somebody else's address could otherwise keep a way in after the owner took it over.

    Raises:
        SignOnRefused: the login has ended, the identity is another user's, or the account's
            address is not verified.
    """
    login = await session.scalar(
        platform_select(Login).where(Login.sid == attempt.sid, Login.ended_at.is_(None))
    )
    user = await accounts.find_user(session, login.user_id) if login else None
    if login is None or user is None:
        raise SignOnRefused(Refusal.EXPIRED, "the session that began to link has ended")
    known = await _find(session, person)
    if known is not None and known.user_id == user.id:
        return
    if known is not None:
        raise SignOnRefused(Refusal.ALREADY_LINKED, "the identity belongs to another user")
    if person.verified and person.email == user.email:
        user.email_verified_at = user.email_verified_at or clock.now()
    if user.email_verified_at is None:
        raise SignOnRefused(Refusal.CONFIRM_EMAIL, "the account has not verified its address")
    pair = await accounts.membership_in(session, user.id, login.organization_id)
    await add(session, user, pair or await pair_of(session, user), person, attempt.provider)
    await logins.end_all(session, user.id, but=login.sid)


async def list_all(session: AsyncSession, user_id: int) -> Sequence[Identity]:
    """The user's identities, oldest first."""
    found = await session.scalars(
        platform_select(Identity).where(Identity.user_id == user_id).order_by(Identity.id)
    )
    return found.all()


async def unlink(
    session: AsyncSession, principal: Principal, id: int, *, issuers: Collection[str]
) -> None:
    """Removes an identity of the principal's user. `issuers` are those that one can sign in at.

    Raises:
        NotFound: the user has no such identity.
        Conflict: it is the only way in.
    """
    # The lock makes two removals wait for one another, so that one way in stays.
    user = await session.scalar(
        platform_select(User).where(User.id == principal.user_id).with_for_update()
    )
    identities = await list_all(session, principal.user_id)
    identity = next((one for one in identities if one.id == id), None)
    if user is None or identity is None:
        raise NotFound(f"identity {id} does not exist", hint="it may have been removed")
    others = [one for one in identities if one.id != id and one.issuer in issuers]
    if user.password_hash is None and not others:
        raise Conflict(
            "this is the only way to sign in to your account",
            hint="set a password or link another provider first",
        )
    await enter_organization(session, principal.org_id)
    old = {"provider": identity.provider, "issuer": identity.issuer, "email": identity.email}
    await audit.record(session, principal, "unlink", identity, old=old)
    await session.delete(identity)
    await session.flush()


async def _find(session: AsyncSession, person: Person) -> Identity | None:
    identity: Identity | None = await session.scalar(
        platform_select(Identity).where(
            Identity.issuer == person.issuer, Identity.subject == person.subject
        )
    )
    return identity
