"""Organizations, users, and who belongs where."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, Keyed, OrgOwned, SoftDeleted


class Organization(Keyed, SoftDeleted, Base):
    """The tenant. A deleted one can be restored until `purge_after`; `purged_at`: its data went."""

    __tablename__ = "organization"
    name: Mapped[str]
    slug: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(default="", server_default="")
    warehouse_password: Mapped[bytes] = mapped_column(
        comment="Sealed password of the organization's role in the managed warehouse."
    )
    mask_key: Mapped[bytes | None] = mapped_column(
        comment="Sealed key of hashed columns; made when the first one is loaded."
    )
    purge_after: Mapped[datetime | None]
    purged_at: Mapped[datetime | None]
    airflow_operators: Mapped[bool] = mapped_column(
        default=False,
        server_default=text("false"),
        comment="Its owners and admins may sign in to Airflow, for its own DAGs.",
    )


class User(Keyed, SoftDeleted, Base):
    """A person; belongs to organizations through memberships."""

    __tablename__ = "user"
    email: Mapped[str] = mapped_column(unique=True, comment="Lower case.")
    name: Mapped[str]
    password_hash: Mapped[str | None] = mapped_column(comment="None: signs in elsewhere only.")
    email_verified_at: Mapped[datetime | None]
    platform_role: Mapped[str | None] = mapped_column(
        comment="operator or owner of the whole installation; None for everybody else."
    )


class Membership(OrgOwned, Base):
    """A user's role in an organization."""

    __tablename__ = "membership"
    __table_args__ = (UniqueConstraint("org_id", "user_id"),)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    role: Mapped[str]
