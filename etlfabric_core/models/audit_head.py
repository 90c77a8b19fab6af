"""Where the chain of an organization's audit log ends."""

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, OrgOwned


class AuditHead(OrgOwned, Base):
    """Number and hash of the newest entry, so that entries missing at the end are noticed."""

    __tablename__ = "audit_head"
    __table_args__ = (UniqueConstraint("org_id", postgresql_nulls_not_distinct=True),)
    # None: the platform's own chain.
    org_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))  # type: ignore[assignment]
    number: Mapped[int]
    hash: Mapped[bytes]
    signature: Mapped[bytes] = mapped_column(
        comment="Keyed hash of this row: a head cannot be set back to an earlier entry."
    )
