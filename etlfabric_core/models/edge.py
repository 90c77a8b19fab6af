"""Edges that users drew. Those that ref() and source() imply are derived, not stored."""

from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import (
    Base,
    OrgOwned,
    SoftDeleted,
    key_within_org,
    unique_alive,
    within_org,
)


class Edge(OrgOwned, SoftDeleted, Base):
    """upstream → downstream, both in the same workflow."""

    __tablename__ = "edge"
    __table_args__ = (
        key_within_org(),
        unique_alive("edge", "org_id", "upstream_id", "downstream_id"),
        within_org("workflow_id", target="workflow"),
        within_org("upstream_id", target="node"),
        within_org("downstream_id", target="node"),
    )
    workflow_id: Mapped[int] = mapped_column(index=True)
    upstream_id: Mapped[int]
    downstream_id: Mapped[int]
