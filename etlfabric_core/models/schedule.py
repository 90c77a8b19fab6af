"""When a workflow, or one node of it, runs by itself."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import (
    Base,
    OrgOwned,
    SoftDeleted,
    key_within_org,
    unique_alive,
    within_org,
)


class Schedule(OrgOwned, SoftDeleted, Base):
    """`node_id` None: the whole workflow. `start` bounds the first run."""

    __tablename__ = "schedule"
    __table_args__ = (
        key_within_org(),
        unique_alive("schedule", "org_id", "workflow_id", "slug"),
        within_org("workflow_id", target="workflow"),
        within_org("node_id", target="node"),
    )
    workflow_id: Mapped[int]
    node_id: Mapped[int | None]
    slug: Mapped[str]
    cron: Mapped[str]
    timezone: Mapped[str]
    missed_runs: Mapped[str] = mapped_column(comment="skip, run_once or queue")
    enabled: Mapped[bool] = mapped_column(default=True)
    start: Mapped[datetime]
