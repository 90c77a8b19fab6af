"""Refresh tokens, by hash only. A reused one ends its login."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, Keyed


class RefreshToken(Keyed, Base):
    """One issued refresh token; all of a login are its family."""

    __tablename__ = "refresh_token"
    login_id: Mapped[int] = mapped_column(ForeignKey("login.id"), index=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
