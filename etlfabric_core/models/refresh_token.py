"""Refresh tokens, by hash only. A reused one ends its whole family."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, Keyed


class RefreshToken(Keyed, Base):
    """One issued refresh token of a user for one organization."""

    __tablename__ = "refresh_token"
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    family: Mapped[UUID] = mapped_column(index=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
