"""How the tests of connections went."""

from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, OrgOwned, within_org


class ConnectionTest(OrgOwned, Base):
    """One test of a saved connection; the newest few of each are kept."""

    __tablename__ = "connection_test"
    __table_args__ = (
        Index("ix_connection_test_org_connection", "org_id", "connection_id", "id"),
        within_org("connection_id", target="connection"),
    )
    connection_id: Mapped[int]
    ok: Mapped[bool]
    message: Mapped[str]
    hint: Mapped[str | None]
    latency_ms: Mapped[int]
    server_version: Mapped[str | None]
    missing: Mapped[list[Any]] = mapped_column(comment="Rights that the user lacks, with remedies.")
