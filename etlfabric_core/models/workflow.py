"""Named sets of nodes, each one Airflow DAG."""

from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_core.models.base import Base, OrgOwned, SoftDeleted, key_within_org, unique_alive


class Workflow(OrgOwned, SoftDeleted, Base):
    """`published_revision` is the number that Airflow is to run; None before the first."""

    __tablename__ = "workflow"
    __table_args__ = (key_within_org(), unique_alive("workflow", "org_id", "slug"))
    name: Mapped[str]
    slug: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    published_revision: Mapped[int | None]
