"""What has ended or expired long ago is forgotten: logins, their tokens, tokens sent by e-mail."""

from datetime import timedelta

from sqlalchemy import delete, exists, func, or_, select

from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import platform_session
from etlfabric_core.models import AccountToken, Login, RefreshToken

KEPT = timedelta(days=30)


async def forget(sessions: Sessions) -> None:
    """Deletes what ended or expired more than `KEPT` ago; the audit log still tells of it."""
    before = func.now() - KEPT
    ended = select(Login.id).where(Login.ended_at < before)
    async with platform_session(sessions) as session:
        await session.execute(
            delete(RefreshToken).where(
                or_(RefreshToken.expires_at < before, RefreshToken.login_id.in_(ended))
            )
        )
        # A login that nobody ended is over when its last token has expired.
        renewable = exists().where(RefreshToken.login_id == Login.id)
        await session.execute(delete(Login).where(~renewable))
        await session.execute(
            delete(AccountToken).where(
                or_(AccountToken.expires_at < before, AccountToken.used_at < before)
            )
        )
