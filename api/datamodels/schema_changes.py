"""Bodies of schema changes."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from api.datamodels.base import Answer, Body
from etlfabric_core.graph.configs import SchemaPolicy
from etlfabric_core.services.schema_changes import Shown, State


class ColumnChangeOut(Answer):
    """One difference. `old` and `new` are types; `table_type` is what the table's column stays."""

    kind: Literal["table_added", "column_added", "column_removed", "type_changed"]
    column: str | None = Field(description="Null: the table itself.")
    old: str | None
    new: str | None
    table_type: str | None


class ChangedPipelineOut(Answer):
    """The pipeline whose load found it."""

    id: int
    name: str
    slug: str
    workflow_id: int


class DeciderOut(Answer):
    """Who decided; also somebody who has left."""

    id: int
    name: str | None
    email: str | None


class SchemaChangeOut(Answer):
    """What changed in one table of a pipeline, and what became of it."""

    id: int
    created_at: datetime
    pipeline: ChangedPipelineOut
    table: str
    changes: list[ColumnChangeOut]
    policy: SchemaPolicy = Field(description="Of the pipeline when a load last found it.")
    state: State
    dag_id: str
    run_id: str = Field(description="Of the run that found it first.")
    applied_run_id: str | None = Field(description="Of the last run that went on with it.")
    decided_by: DeciderOut | None = Field(description="Null: nobody, or the policy alone.")
    decided_at: datetime | None
    note: str

    @classmethod
    def of(cls, shown: Shown) -> "SchemaChangeOut":
        """From a row, its pipeline, and whoever decided."""
        row = shown.row
        own = {name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)}
        named = {"pipeline": shown.pipeline, "decided_by": shown.decided_by}
        return cls.model_validate(own | named | {"table": row.table_name})


class DecisionIn(Body):
    """Why; it is shown to others, and a rejection's also to whoever runs the pipeline."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"note": "agreed with the shop's team"}]},
    )

    note: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=1000, pattern=r"^[^\x00]*$")
    ] = ""
