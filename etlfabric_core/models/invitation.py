"""Invitations to an organization."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, OrgOwned


class Invitation(OrgOwned, Base):
    """Bound to an e-mail address, an organization and a role; good once, until it expires."""

    __tablename__ = "invitation"
    email: Mapped[str] = mapped_column(comment="Lower case.")
    role: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(index=True)
    invited_by: Mapped[int] = mapped_column(ForeignKey("user.id"))
    mailed: Mapped[bool] = mapped_column(
        comment="The link went to the address alone, so that whoever has it owns the address."
    )
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
