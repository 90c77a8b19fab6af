"""Files that users brought."""

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, OrgOwned, SoftDeleted, key_within_org


class Upload(OrgOwned, SoftDeleted, Base):
    """One stored file. Its bytes lie in the storage under a name the service made."""

    __tablename__ = "upload"
    __table_args__ = (key_within_org(), Index("ix_upload_org_sha256", "org_id", "sha256"))
    filename: Mapped[str] = mapped_column(comment="As the user called it; never a path.")
    storage_key: Mapped[str]
    sha256: Mapped[str]
    size: Mapped[int] = mapped_column(comment="bytes")
