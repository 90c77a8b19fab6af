"""Who may write a pipeline's tables right now."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, OrgOwned, within_org


class PipelineLease(OrgOwned, Base):
    """One row per pipeline; `epoch` grows with every new holder and fences the older ones."""

    __tablename__ = "pipeline_lease"
    __table_args__ = (UniqueConstraint("org_id", "node_id"), within_org("node_id", target="node"))
    node_id: Mapped[int]
    epoch: Mapped[int] = mapped_column(default=0)
    holder: Mapped[str | None]
    expires_at: Mapped[datetime | None]
