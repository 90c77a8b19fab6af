"""Signing in with a password: counted before it is checked, noted when it is wrong."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import exists, update
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.passwords import hash_password, needs_rehash, verify_password
from etlfabric_core.access.throttle import Rule, Throttle, network
from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import platform_select, platform_session
from etlfabric_core.errors import TooManyRequests, Unauthenticated
from etlfabric_core.models import Login, User
from etlfabric_core.services import accounts, audit, logins
from etlfabric_core.services.logins import Device, SignedIn

# An address from which the account was signed in to within this time is no stranger's.
KNOWN_FOR = timedelta(days=30)


@dataclass(frozen=True)
class Attempt:
    """A password that somebody says, and from where."""

    email: str
    password: str
    address: str | None


async def by_password(
    sessions: Sessions,
    throttle: Throttle,
    attempt: Attempt,
    device: Device,
    *,
    organization: str | None,
    jwt_secret: str,
) -> SignedIn:
    """Signs in to the named organization, or to the one of the oldest membership.

    Raises:
        Unauthenticated: as `verify`; or not a member of that organization, with the same answer.
        TooManyRequests: as `verify`.
    """
    user = await verify(sessions, throttle, attempt)
    async with platform_session(sessions) as session:
        user = await hold(session, user)
        pair = await accounts.membership_named(session, user.id, organization)
        if pair is not None:
            return await logins.begin(session, user, pair, device, jwt_secret=jwt_secret)
    await _note(sessions, "login_failed", attempt, user)
    raise _refused()


async def verify(sessions: Sessions, throttle: Throttle, attempt: Attempt) -> User:
    """Whose password it is. A hash of an older kind is replaced.

    Raises:
        Unauthenticated: unknown user or wrong password; the answer and the time are the same.
        TooManyRequests: too many attempts on this account or from this address.
    """
    user, known = await _find(sessions, attempt)
    await _admit(sessions, throttle, attempt, known)
    # No transaction is open meanwhile: hashing is slow on purpose.
    right = await verify_password(attempt.password, user.password_hash if user else None)
    if user is None or not right:
        await _note(sessions, "login_failed", attempt, user)
        raise _refused()
    await throttle.forgive(Rule.SIGN_IN_DEVICE, *_device(attempt))
    if user.password_hash and needs_rehash(user.password_hash):
        await _upgrade(sessions, user, attempt.password)
    return user


async def hold(session: AsyncSession, verified: User) -> User:
    """The user, held until the transaction ends: a reset ends the login that begins in it.

    Raises:
        Unauthenticated: the password was changed, or the account ended, since it was verified.
    """
    user: User | None = await session.scalar(
        platform_select(User).where(User.id == verified.id).with_for_update(key_share=True)
    )
    if user is None or user.password_hash != verified.password_hash:
        raise _refused()
    return user


async def _find(sessions: Sessions, attempt: Attempt) -> tuple[User | None, bool]:
    """The account, and whether its owner has signed in from this address before."""
    known = exists().where(
        Login.user_id == User.id,
        Login.address == attempt.address,
        Login.created_at > clock.now() - KNOWN_FOR,
    )
    statement = platform_select(User).where(User.email == attempt.email.lower())
    async with platform_session(sessions) as session:
        row = (await session.execute(statement.add_columns(known))).one_or_none()
    return (row[0], row[1]) if row else (None, False)


async def _admit(sessions: Sessions, throttle: Throttle, attempt: Attempt, known: bool) -> None:
    account, address = _device(attempt)
    try:
        if not known:
            await throttle.admit(Rule.SIGN_IN_ADDRESS, address)
            await throttle.admit(Rule.SIGN_IN_ACCOUNT, account)
        await throttle.admit(Rule.SIGN_IN_DEVICE, account, address)
    except TooManyRequests:
        if await throttle.has_room(Rule.AUDITED_REFUSAL, address):
            await _note(sessions, "login_throttled", attempt, None)
        raise


def _device(attempt: Attempt) -> tuple[str, str]:
    return attempt.email.lower(), network(attempt.address)


async def _note(sessions: Sessions, action: str, attempt: Attempt, user: User | None) -> None:
    async with platform_session(sessions) as session:
        await audit.note(
            session,
            action=action,
            resource_type="user",
            resource_id=str(user.id) if user else "",
            user_id=user.id if user else None,
            new={"email": attempt.email},
        )


async def _upgrade(sessions: Sessions, user: User, password: str) -> None:
    hashed = await hash_password(password)
    async with platform_session(sessions) as session:
        # Somebody may have changed it meanwhile: that one stays.
        await session.execute(
            update(User)
            .where(User.id == user.id, User.password_hash == user.password_hash)
            .values(password_hash=hashed)
        )
        row = await accounts.get_user(session, user.id)
    # Another sign-in may have replaced it by a newer hash of the same password.
    if row.password_hash == hashed or await verify_password(password, row.password_hash):
        user.password_hash = row.password_hash


def _refused() -> Unauthenticated:
    return Unauthenticated(
        "the e-mail address or the password is wrong",
        hint="check both, and the organization if you named one",
        audited=False,  # noted already, with the address that was tried
    )
