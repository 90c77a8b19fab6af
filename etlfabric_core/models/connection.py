"""An organization's configured connectors."""

from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, OrgOwned, SoftDeleted, key_within_org, unique_alive


class Connection(OrgOwned, SoftDeleted, Base):
    """Plain `config`, sealed `secrets`. The managed warehouse is one with `managed` set."""

    __tablename__ = "connection"
    __table_args__ = (key_within_org(), unique_alive("connection", "org_id", "slug"))
    name: Mapped[str]
    slug: Mapped[str]
    connector: Mapped[str]
    direction: Mapped[str] = mapped_column(comment="source, destination or both")
    config: Mapped[dict[str, Any]]
    secrets: Mapped[bytes | None] = mapped_column(comment="Sealed JSON object.")
    managed: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str] = mapped_column(
        default="untested", comment="Last test: untested, connected or error."
    )
    status_message: Mapped[str | None]
