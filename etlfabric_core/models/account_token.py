"""Tokens that are sent by e-mail, by hash only."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, Keyed


class AccountToken(Keyed, Base):
    """Good once: resets a password, or shows that an e-mail address is the user's."""

    __tablename__ = "account_token"
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    purpose: Mapped[str] = mapped_column(comment="reset or verify")
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
