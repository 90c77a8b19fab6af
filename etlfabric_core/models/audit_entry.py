"""Who changed what."""

from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, OrgOwned


class AuditEntry(OrgOwned, Base):
    """Written in the transaction of the change. Secret fields appear by name, never by value."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_org_time", "org_id", "id"),)
    user_id: Mapped[int | None]
    action: Mapped[str] = mapped_column(comment="create, update, delete, login, logout, run, …")
    resource_type: Mapped[str]
    resource_id: Mapped[str]
    old_values: Mapped[dict[str, Any] | None]
    new_values: Mapped[dict[str, Any] | None]
    address: Mapped[str | None]
