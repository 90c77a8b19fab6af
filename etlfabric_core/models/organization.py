"""Organizations, users, and who belongs where."""

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, Keyed, OrgOwned, SoftDeleted


class Organization(Keyed, SoftDeleted, Base):
    """The tenant."""

    __tablename__ = "organization"
    name: Mapped[str]
    slug: Mapped[str] = mapped_column(unique=True)
    warehouse_password: Mapped[bytes] = mapped_column(
        comment="Sealed password of the organization's role in the managed warehouse."
    )


class User(Keyed, SoftDeleted, Base):
    """A person; belongs to organizations through memberships."""

    __tablename__ = "user"
    email: Mapped[str] = mapped_column(unique=True, comment="Lower case.")
    name: Mapped[str]
    password_hash: Mapped[str]


class Membership(OrgOwned, Base):
    """A user's role in an organization."""

    __tablename__ = "membership"
    __table_args__ = (UniqueConstraint("org_id", "user_id"),)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    role: Mapped[str]
