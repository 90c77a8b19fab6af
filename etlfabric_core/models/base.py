"""What all tables share: keys, times, soft deletion, and the organization that owns a row."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    MetaData,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


class Base(DeclarativeBase):
    """Root of all tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigInteger,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(none_as_null=True),
        list[Any]: JSONB(none_as_null=True),
    }


class Keyed:
    """A bigint identity key and the time of creation."""

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OrgOwned(Keyed):
    """A row of one organization. Row-level security stands on `org_id` of every such table."""

    org_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))


class SoftDeleted:
    """Rows stay for the audit; a deleted one has a time here."""

    deleted_at: Mapped[datetime | None]


def within_org(*columns: str, target: str) -> ForeignKeyConstraint:
    """A reference that cannot leave the organization: (org_id, column) → target(org_id, id)."""
    return ForeignKeyConstraint(["org_id", *columns], [f"{target}.org_id", f"{target}.id"])


def key_within_org() -> UniqueConstraint:
    """What such a reference points at."""
    return UniqueConstraint("org_id", "id")


def unique_alive(table: str, *columns: str) -> Index:
    """Unique among the rows that are not deleted; a deleted name is free again."""
    return Index(
        f"uq_{table}_{'_'.join(columns)}_alive",
        *columns,
        unique=True,
        postgresql_where=text("deleted_at IS NULL"),
    )
