"""Bodies of the platform's own routes."""

from datetime import datetime

from pydantic import ConfigDict, Field

from api.datamodels.base import Answer, Body


class TenantOut(Answer):
    """An organization, as the platform's operators see it."""

    id: int
    slug: str
    name: str
    members: int
    airflow_operators: bool = Field(
        description="Its owners and admins may sign in to Airflow, for its own DAGs."
    )
    created_at: datetime
    deleted_at: datetime | None


class TenantPatch(Body):
    """What the platform decides about an organization."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"airflow_operators": True}]}
    )

    airflow_operators: bool


class PlatformHealthOut(Answer):
    """How the installation is."""

    sandbox: str = Field(description="How code of organizations is isolated on this machine.")
    sandbox_network: str = Field(description="What network that code has: none is well.")
    sandbox_holes: list[str] = Field(
        description="What a self-test from inside could do and should not; empty is well."
    )
    airflow: dict[str, str | None] = Field(
        description="Its components and what they say of themselves; empty: no answer."
    )
    versions: dict[str, str]
