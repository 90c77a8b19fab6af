"""Files that are on their way."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, OrgOwned


class PartialUpload(OrgOwned, Base):
    """A file of which not all bytes have come; each piece of it lies in the storage by itself."""

    __tablename__ = "partial_upload"
    __table_args__ = (Index("ix_partial_upload_expires_at", "expires_at"),)
    filename: Mapped[str] = mapped_column(comment="As the user called it; never a path.")
    size: Mapped[int] = mapped_column(comment="Bytes of the whole file.")
    received: Mapped[int] = mapped_column(comment="Bytes that have come.")
    pieces: Mapped[list[Any]] = mapped_column(comment="Storage keys, in order.")
    expires_at: Mapped[datetime]
