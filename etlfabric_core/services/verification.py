"""Showing that an e-mail address is the user's own."""

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import platform_session
from etlfabric_core.errors import Conflict, FabricError
from etlfabric_core.mail import Mailer
from etlfabric_core.services import account_tokens, accounts, audit
from etlfabric_core.services.account_tokens import Purpose

log = structlog.get_logger()


async def send(sessions: Sessions, mailer: Mailer, public_url: str, user_id: int) -> None:
    """Sends a link to the user's address, unless it is verified already.

    Raises:
        Conflict: the operator has set no mail server.
        UpstreamUnavailable: the mail server refused the message, or is away.
    """
    if not mailer.enabled:
        raise Conflict("no mail server is set", hint="the operator sets ETLFABRIC_SMTP_URL")
    async with platform_session(sessions) as session:
        user = await accounts.get_user(session, user_id)
        if user.email_verified_at is not None:
            return
        token = await account_tokens.issue(session, user, Purpose.VERIFY)
    link = f"{public_url}/verify-email#token={token}"
    body = (
        f"Hello {user.name},\n\nplease confirm that this is your address at ETL Fabric, within a "
        f"day:\n\n{link}\n\nIf you have no account there, do nothing.\n"
    )
    await mailer.send(to=user.email, subject="Confirm your e-mail address", body=body)


async def welcome(sessions: Sessions, mailer: Mailer, public_url: str, user_id: int) -> None:
    """Sends it after somebody has signed up, where there is a mail server; failures are logged."""
    if not mailer.enabled:
        return
    try:
        await send(sessions, mailer, public_url, user_id)
    except FabricError as error:
        log.error("verification_mail_failed", user_id=user_id, error=error.message)


async def confirm(session: AsyncSession, token: str) -> None:
    """Notes that the address of the token's user is the user's own.

    Raises:
        NotFound: the token is not valid any more.
    """
    user = await account_tokens.use(session, token, Purpose.VERIFY)
    user.email_verified_at = user.email_verified_at or clock.now()
    await session.flush()
    await audit.note(
        session,
        action="email_verified",
        resource_type="user",
        resource_id=str(user.id),
        user_id=user.id,
    )
