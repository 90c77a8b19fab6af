"""Tokens that are sent by e-mail, stored by hash. All of it in platform sessions."""

from datetime import timedelta
from enum import StrEnum

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.tokens import new_opaque, opaque_hash
from etlfabric_core.db.scope import platform_select
from etlfabric_core.errors import NotFound
from etlfabric_core.models import AccountToken, User


class Purpose(StrEnum):
    """What a token is good for; never for anything else."""

    RESET = "reset"
    VERIFY = "verify"


LIFETIME = {Purpose.RESET: timedelta(hours=1), Purpose.VERIFY: timedelta(hours=24)}


async def issue(session: AsyncSession, user: User, purpose: Purpose) -> str:
    """A new token, good once."""
    token = new_opaque()
    row = AccountToken(
        user_id=user.id,
        purpose=purpose,
        token_hash=opaque_hash(token),
        expires_at=clock.now() + LIFETIME[purpose],
    )
    session.add(row)
    await session.flush()
    return token


async def use(session: AsyncSession, token: str, purpose: Purpose) -> User:
    """Whose token it is. It is used up, and every other one of the same purpose with it.

    Raises:
        NotFound: unknown, expired, used before, or for another purpose; the answer is the same.
    """
    named = (AccountToken.token_hash == opaque_hash(token), AccountToken.purpose == purpose)
    # First of all the user's row: two tokens of one user that are used at once wait there.
    user: User | None = await session.scalar(
        platform_select(User)
        .join(AccountToken, AccountToken.user_id == User.id)
        .where(*named)
        .with_for_update(of=User, key_share=True)
    )
    row = await session.scalar(platform_select(AccountToken).where(*named))
    good = row is not None and row.used_at is None and row.expires_at > clock.now()
    if user is None or not good:
        raise NotFound("this link is not valid any more", hint="ask for a new one", audited=True)
    await session.execute(
        update(AccountToken)
        .where(
            AccountToken.user_id == user.id,
            AccountToken.purpose == purpose,
            AccountToken.used_at.is_(None),
        )
        .values(used_at=clock.now())
    )
    return user
