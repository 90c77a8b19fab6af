"""Sign-ins that last: one row for each browser or command line that is signed in."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, Keyed


class Login(Keyed, Base):
    """One signed-in device. Its refresh tokens are a family."""

    __tablename__ = "login"
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    organization_id: Mapped[int] = mapped_column(
        ForeignKey("organization.id"), comment="The organization it is signed in to right now."
    )
    sid: Mapped[UUID] = mapped_column(unique=True, comment="What access tokens name.")
    method: Mapped[str] = mapped_column(comment="password, or the sign-on provider's name")
    address: Mapped[str | None]
    user_agent: Mapped[str | None]
    last_used_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
