"""What tasks report. Run and task states are Airflow's and are never kept here."""

from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, OrgOwned


class RunEvent(OrgOwned, Base):
    """One thing that happened in a run; `id` is the Last-Event-ID of the stream."""

    __tablename__ = "run_event"
    __table_args__ = (Index("ix_run_event_run", "org_id", "dag_id", "run_id", "id"),)
    dag_id: Mapped[str]
    run_id: Mapped[str]
    node: Mapped[str]
    try_number: Mapped[int]
    kind: Mapped[str] = mapped_column(comment="progress or result")
    payload: Mapped[dict[str, Any]]


class TaskResult(OrgOwned, Base):
    """The report of the last try of a task: rows and bytes per table, dbt results, the error."""

    __tablename__ = "task_result"
    __table_args__ = (UniqueConstraint("org_id", "dag_id", "run_id", "node"),)
    dag_id: Mapped[str]
    run_id: Mapped[str]
    node: Mapped[str]
    try_number: Mapped[int]
    outcome: Mapped[str]
    load: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    transform: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    error: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
