"""Published definitions, and the change feed that Airflow's side follows."""

from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, OrgOwned, key_within_org, within_org


class Revision(OrgOwned, Base):
    """Immutable. `spec` is the DagSpec; `nodes` the node rows it was compiled from, by slug."""

    __tablename__ = "revision"
    __table_args__ = (
        key_within_org(),
        UniqueConstraint("org_id", "workflow_id", "number"),
        within_org("workflow_id", target="workflow"),
    )
    workflow_id: Mapped[int]
    number: Mapped[int]
    content_hash: Mapped[str]
    spec: Mapped[dict[str, Any]]
    nodes: Mapped[dict[str, Any]] = mapped_column(
        comment="slug → kind, config, dataset, connection ids: what the run context resolves."
    )
    changes: Mapped[list[Any]] = mapped_column(comment="What changed since the last revision.")
    author_id: Mapped[int | None]


class PublicationRow(OrgOwned, Base):
    """One line of the feed. `id` is the sequence; inserts hold a lock, so it is commit order."""

    __tablename__ = "publication"
    __table_args__ = (
        within_org("workflow_id", target="workflow"),
        key_within_org(),
        Index("ix_publication_workflow", "org_slug", "workflow_slug", "id"),
    )
    workflow_id: Mapped[int]
    workflow_slug: Mapped[str]
    org_slug: Mapped[str]
    revision_number: Mapped[int | None]
    spec: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
