"""Who may sign in to Airflow, and what for."""

import hashlib
import hmac

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.permissions import Role
from etlfabric_core.access.throttle import Throttle
from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import enter_organization, platform_session
from etlfabric_core.errors import Forbidden, NotFound
from etlfabric_core.models import Membership, Organization, User
from etlfabric_core.services import accounts, audit
from etlfabric_core.services.sign_in import Attempt, verify
from etlfabric_core.specs.operators import Operator, OperatorSignIn

OPERATING = frozenset({Role.OWNER, Role.ADMIN})
Pairs = list[tuple[Membership, Organization]]


async def sign_in(
    sessions: Sessions, throttle: Throttle, said: OperatorSignIn, *, secret: str
) -> Operator:
    """Checks the password; the audit log of every organization concerned notes the sign-in.

    Raises:
        Unauthenticated: unknown user or wrong password; the answer and the time are the same.
        TooManyRequests: too many attempts on this account or from this address.
        Forbidden: the password is right, and there is nothing that the user may operate.
    """
    attempt = Attempt(said.username, said.password, said.address)
    # The caller is Airflow; whoever sits in front of it is the client.
    with structlog.contextvars.bound_contextvars(client=said.address):
        verified = await verify(sessions, throttle, attempt)
        async with platform_session(sessions) as session:
            user = await accounts.get_user(session, verified.id)
            pairs = await _operated(session, user)
            allowed = bool(user.platform_role or pairs)
            await _note(session, user, pairs, allowed)
    if not allowed:
        raise Forbidden(
            "your account may not sign in to Airflow",
            hint="owners and admins may, once the platform's owner has allowed their organization",
            audited=False,  # noted already, with whom it was
        )
    return _operator(user, pairs, secret)


async def get(session: AsyncSession, user_id: int, *, secret: str) -> Operator:
    """What a user may operate now. In a platform session.

    Raises:
        NotFound: nothing, or there is no such user any more.
    """
    user = await accounts.find_user(session, user_id)
    pairs = await _operated(session, user) if user else []
    if user is None or not (user.platform_role or pairs):
        raise NotFound(f"user {user_id} operates nothing")
    return _operator(user, pairs, secret)


async def _operated(session: AsyncSession, user: User) -> Pairs:
    pairs = await accounts.memberships(session, user.id)
    return [
        (membership, organization)
        for membership, organization in pairs
        if organization.airflow_operators and Role(membership.role) in OPERATING
    ]


async def _note(session: AsyncSession, user: User, pairs: Pairs, allowed: bool) -> None:
    new = {"method": "airflow"}
    for membership, organization in pairs:
        await enter_organization(session, organization.id)
        principal = accounts.as_principal(membership, organization)
        await audit.record(session, principal, "login", user, new=new)
    if not pairs:  # the platform's own matter
        await audit.note(
            session,
            action="login" if allowed else "login_failed",
            resource_type="user",
            resource_id=str(user.id),
            user_id=user.id,
            new=new,
        )


def _operator(user: User, pairs: Pairs, secret: str) -> Operator:
    return Operator(
        user_id=user.id,
        email=user.email,
        name=user.name,
        platform_role=user.platform_role,
        organizations=tuple(sorted(organization.slug for _, organization in pairs)),
        stamp=_stamp(user, secret),
    )


def _stamp(user: User, secret: str) -> str:
    """Tells nothing of the password, and another one after every change of it."""
    text = f"airflow:{user.id}:{user.password_hash}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
