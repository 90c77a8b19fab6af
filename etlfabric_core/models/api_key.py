"""Keys for automation."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, OrgOwned, key_within_org


class ApiKey(OrgOwned, Base):
    """`etf_<id>_<secret>`; the secret is stored by hash. It can never do more than its maker."""

    __tablename__ = "api_key"
    __table_args__ = (key_within_org(),)
    name: Mapped[str]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), comment="Who made it.")
    secret_hash: Mapped[bytes]
    scopes: Mapped[list[Any]] = mapped_column(comment="Permissions.")
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
