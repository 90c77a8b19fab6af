"""Members of a workflow graph: pipelines, transformations, steps."""

from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import (
    Base,
    OrgOwned,
    SoftDeleted,
    key_within_org,
    unique_alive,
    within_org,
)


class Node(OrgOwned, SoftDeleted, Base):
    """`config` is validated by the config model of `kind` (graph/configs.py).

    `dataset` is where the node's tables land. Connections are set for pipelines only; slugs are
    unique in an organization, because dbt resolves `ref()` by name.
    """

    __tablename__ = "node"
    __table_args__ = (
        key_within_org(),
        unique_alive("node", "org_id", "slug"),
        within_org("workflow_id", target="workflow"),
        within_org("source_connection_id", target="connection"),
        within_org("destination_connection_id", target="connection"),
    )
    workflow_id: Mapped[int] = mapped_column(index=True)
    kind: Mapped[str]
    name: Mapped[str]
    slug: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    dataset: Mapped[str]
    source_connection_id: Mapped[int | None]
    destination_connection_id: Mapped[int | None]
    config: Mapped[dict[str, Any]]
    retries: Mapped[int] = mapped_column(default=5)
    position: Mapped[dict[str, Any] | None] = mapped_column(comment='{"x": 0, "y": 0} or null')
    version: Mapped[int] = mapped_column(default=1, comment="Counts edits; the ETag.")
