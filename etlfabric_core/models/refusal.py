"""Publications that Airflow's side could not build."""

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped

from etlfabric_core.models.base import Base, OrgOwned, within_org


class Refusal(OrgOwned, Base):
    """Why the DAG factory keeps the last good revision instead of this publication's."""

    __tablename__ = "refusal"
    __table_args__ = (
        UniqueConstraint("org_id", "publication_id"),
        within_org("publication_id", target="publication"),
    )
    publication_id: Mapped[int]
    reason: Mapped[str]
