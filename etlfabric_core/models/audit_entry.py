"""Who changed what."""

from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, OrgOwned


class AuditEntry(OrgOwned, Base):
    """Written in the transaction of the change. Secret fields appear by name, never by value."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_org_time", "org_id", "id"),
        Index("ix_audit_entry_org_action", "org_id", "action", "id"),
        Index("ix_audit_entry_org_user", "org_id", "user_id", "id"),
        Index("ix_audit_entry_org_resource", "org_id", "resource_type", "resource_id", "id"),
        Index("ix_audit_entry_org_created", "org_id", "created_at"),
        Index(
            "uq_audit_entry_org_id_number",
            "org_id",
            "number",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("number IS NOT NULL"),
        ),
    )
    # None: what belongs to no organization, such as a sign-in of somebody unknown.
    org_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))  # type: ignore[assignment]
    user_id: Mapped[int | None]
    api_key_id: Mapped[int | None]
    action: Mapped[str] = mapped_column(comment="create, update, delete, login, logout, run, …")
    resource_type: Mapped[str]
    resource_id: Mapped[str]
    old_values: Mapped[dict[str, Any] | None]
    new_values: Mapped[dict[str, Any] | None]
    address: Mapped[str | None]
    request_id: Mapped[str | None]
    number: Mapped[int | None] = mapped_column(
        comment="1, 2, 3, … within the organization; None before the chain began."
    )
    hash: Mapped[bytes | None] = mapped_column(
        comment="Keyed hash of this entry and of the hash before it."
    )
