"""Who a user is at a sign-on provider."""

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, Keyed


class Identity(Keyed, Base):
    """A subject of an issuer that signs in as this user."""

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    provider: Mapped[str] = mapped_column(comment="google, github, oidc or saml")
    issuer: Mapped[str]
    subject: Mapped[str]
    email: Mapped[str] = mapped_column(comment="As the provider said it at the last sign-in.")
