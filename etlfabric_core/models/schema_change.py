"""What loads found changed since the one before."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, OrgOwned, within_org


class SchemaChange(OrgOwned, Base):
    """The changes of one table of a pipeline, and what became of them.

    pending: it waits for somebody. approved: it may be loaded, or a load has begun with it.
    rejected: loads with it fail. applied: a load with it arrived. superseded: the table changed
    again, or back, before that.
    """

    __tablename__ = "schema_change"
    __table_args__ = (
        Index("ix_schema_change_org_state", "org_id", "state", "id"),
        Index("ix_schema_change_org_node", "org_id", "node_id", "id"),
        within_org("node_id", target="node"),
    )
    node_id: Mapped[int]
    table_name: Mapped[str]
    changes: Mapped[list[Any]] = mapped_column(comment="ColumnChange of extract_load/plan.py.")
    policy: Mapped[str] = mapped_column(comment="Of the pipeline when it was found.")
    state: Mapped[str]
    config_hash: Mapped[str] = mapped_column(
        comment="Of the pipeline's configuration: a rejection stands for this one alone."
    )
    dag_id: Mapped[str]
    run_id: Mapped[str] = mapped_column(comment="Of the run that found it.")
    applied_run_id: Mapped[str | None] = mapped_column(
        comment="Of the last run that went on with it."
    )
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    decided_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(default="", comment="Of whoever decided.")
