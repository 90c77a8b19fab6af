"""What dbt is asked to do (TransformPlan) and what came of it (TransformResult)."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WarehouseLogin(_Document):
    """How dbt reaches the warehouse: as the organization's own role."""

    host: str
    port: int
    user: str
    password: str = Field(repr=False)
    database: str
    schema_name: str = Field(description="Schema of models that name none.")


class TransformPlan(_Document):
    """One dbt invocation on a rendered project.

    `select` holds `unique_id`s of models, snapshots and tests; the runner turns them into dbt's
    selection syntax. `project_url` is a path at the metadata service that serves the project as
    a zip with its manifest.
    """

    plan: Literal["transform"] = "transform"
    command: Literal["build", "test"] = "build"
    project_sha256: str
    project_url: str
    select: tuple[str, ...]
    login: WarehouseLogin
    variables: dict[str, Any] = Field(default_factory=dict)


class DbtNodeResult(_Document):
    """One line of dbt's run results."""

    unique_id: str
    status: Literal["success", "error", "skipped", "pass", "fail", "warn"]
    message: str | None = None
    rows: int | None = Field(None, description="Rows affected, where the database says so.")
    failures: int | None = Field(None, description="Rows that a test found.")
    failures_relation: str | None = Field(None, description="schema.table with those rows.")
    seconds: float


class TransformResult(_Document):
    """All nodes that one invocation touched."""

    nodes: tuple[DbtNodeResult, ...]
    seconds: float
