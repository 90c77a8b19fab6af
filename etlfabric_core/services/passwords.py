"""Changing a password, and setting another one when it is forgotten."""

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.passwords import check_strength, hash_password, verify_password
from etlfabric_core.access.principal import Principal
from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import enter_organization, platform_session
from etlfabric_core.errors import FabricError, InvalidConfig, NotFound, Problem
from etlfabric_core.mail import Mailer
from etlfabric_core.models import User
from etlfabric_core.services import account_tokens, accounts, audit, logins
from etlfabric_core.services.account_tokens import Purpose

log = structlog.get_logger()


async def change(
    session: AsyncSession, principal: Principal, *, current: str | None, new: str
) -> None:
    """Sets another password, and ends every other login of the user.

    Raises:
        InvalidConfig: `current` is not the present password, or `new` is too weak.
    """
    user = await accounts.get_user(session, principal.user_id)
    if user.password_hash and not await verify_password(current or "", user.password_hash):
        problem = "is not your present password"
        raise InvalidConfig(
            f"current: {problem}",
            hint="if you have forgotten it, ask for a link on the sign-in page",
            problems=[Problem(problem, field="current")],
            audited=True,
        )
    await _set(session, user, new, field="new")
    await logins.end_all(session, user.id, but=principal.sid)
    await enter_organization(session, principal.org_id)
    await audit.record(session, principal, "password_change", user)


async def send_reset(sessions: Sessions, mailer: Mailer, public_url: str, email: str) -> None:
    """Sends a link to whoever has this address; to an address without an account, nothing.

    Runs after the answer, which is the same for every address; a failure is only logged.
    """
    async with platform_session(sessions) as session:
        user = await accounts.find_by_email(session, email)
        link = await _link(session, user, public_url) if user and mailer.enabled else None
    if user is None or link is None:
        return
    body = (
        f"Hello {user.name},\n\nsomebody, probably you, asked for a new password for your account "
        f"at ETL Fabric. Choose one within the hour:\n\n{link}\n\n"
        "If it was not you, do nothing: your password stays as it is.\n"
    )
    try:
        await mailer.send(to=user.email, subject="Choose a new password", body=body)
    except FabricError as error:
        log.error("reset_mail_failed", user_id=user.id, error=error.message)


async def reset_link(session: AsyncSession, email: str, public_url: str) -> str:
    """The link itself, for the operator of an installation without a mail server.

    Raises:
        NotFound: nobody is registered with this address.
    """
    user = await accounts.find_by_email(session, email)
    if user is None:
        raise NotFound(f"nobody is registered with {email}", hint="check the address")
    return await _link(session, user, public_url)


async def reset(session: AsyncSession, *, token: str, password: str) -> None:
    """Sets the password for a link's token, and ends every login of the user.

    Raises:
        NotFound: the token is not valid any more.
        InvalidConfig: the password is too weak; the token stays good.
    """
    user = await account_tokens.use(session, token, Purpose.RESET)
    await _set(session, user, password, field="password")
    await logins.end_all(session, user.id)
    await audit.note(
        session,
        action="password_reset",
        resource_type="user",
        resource_id=str(user.id),
        user_id=user.id,
    )
    for _, organization in await accounts.memberships(session, user.id):
        await audit.note(
            session,
            action="password_reset",
            resource_type="user",
            resource_id=str(user.id),
            org_id=organization.id,
            user_id=user.id,
        )


async def _link(session: AsyncSession, user: User, public_url: str) -> str:
    token = await account_tokens.issue(session, user, Purpose.RESET)
    await audit.note(
        session,
        action="password_reset_asked",
        resource_type="user",
        resource_id=str(user.id),
    )
    # After the #: browsers send that part to no server, so it reaches no log.
    return f"{public_url}/reset-password#token={token}"


async def _set(session: AsyncSession, user: User, password: str, *, field: str) -> None:
    organizations = [pair[1].name for pair in await accounts.memberships(session, user.id)]
    about = (user.email, user.name, *organizations)
    await check_strength(password, field=field, about=about)
    user.password_hash = await hash_password(password)
    await session.flush()
