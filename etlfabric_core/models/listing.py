"""What connections said they have, kept for a while."""

from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, OrgOwned, within_org


class Listing(OrgOwned, Base):
    """The answer to one question about schemas, tables or columns. It can go at any time."""

    __tablename__ = "listing"
    __table_args__ = (
        UniqueConstraint("org_id", "connection_id", "question"),
        within_org("connection_id", target="connection"),
    )
    connection_id: Mapped[int]
    question: Mapped[str]
    fingerprint: Mapped[bytes] = mapped_column(
        comment="Of the connection's config and sealed secrets when it was asked."
    )
    answer: Mapped[dict[str, Any]]
    listed_at: Mapped[datetime] = mapped_column(server_default=func.now())
