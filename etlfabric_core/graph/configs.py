"""What a user may say about a node, one pydantic model per kind."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from etlfabric_core.graph.columns import (
    Config,
    Identifier,
)
from etlfabric_core.graph.resources import ResourceConfig
from etlfabric_core.slugs import STAGING_SUFFIX


def _not_reserved(dataset: str) -> str:
    if dataset.endswith(STAGING_SUFFIX):
        raise ValueError(f"a name that ends with '{STAGING_SUFFIX}' is reserved")
    return dataset


Dataset = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z](_?[a-z0-9])*$", max_length=30),
    AfterValidator(_not_reserved),
]


class SchemaPolicy(StrEnum):
    """What happens when a load finds other tables, columns or types than the last one left.

    apply: it goes on, and the changes are kept. hold: it fails before it writes, until somebody
    approves exactly these changes. refuse: it fails before it writes.
    """

    APPLY = "apply"
    HOLD = "hold"
    REFUSE = "refuse"


class PipelineConfig(Config):
    """What a pipeline loads. `full_database` takes every table, or those in `table_names`."""

    mode: Literal["resources", "single_table", "full_database"] = "resources"
    source_schema: str | None = None
    table_names: tuple[str, ...] = ()
    resources: tuple[ResourceConfig, ...] = ()
    batch_size: int = Field(50_000, ge=1, le=1_000_000, description="Rows held in memory at once.")
    schema_changes: SchemaPolicy = Field(
        SchemaPolicy.APPLY, description="Changes that the contracts of the resources let through."
    )

    @model_validator(mode="after")
    def _resources_fit_the_mode(self) -> Self:
        names = [resource.name for resource in self.resources]
        if self.mode == "resources" and not names:
            raise ValueError("resources: name at least one table or file to load")
        if self.mode == "single_table" and len(names) != 1:
            raise ValueError("resources: single_table takes exactly one resource")
        if doubled := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"resources: named twice: {', '.join(sorted(doubled))}")
        return self


class Severity(StrEnum):
    """Whether a failed test stops the run."""

    ERROR = "error"
    WARN = "warn"


class ColumnTest(Config):
    """A dbt data test on one column. `to`/`field` are for relationships, `values` for a list."""

    type: Literal["not_null", "unique", "accepted_values", "relationships"]
    column: Identifier
    severity: Severity = Severity.ERROR
    values: tuple[str, ...] = ()
    to: str | None = Field(None, description="ref('x') or source('d', 't') of a relationship.")
    field: str | None = Field(None, description="The column that it points at.")
    where: str | None = None

    @model_validator(mode="after")
    def _arguments_fit_the_type(self) -> Self:
        if self.type == "accepted_values" and not self.values:
            raise ValueError(f"accepted_values on '{self.column}': name the values")
        if self.type == "relationships" and not (self.to and self.field):
            raise ValueError(f"relationships on '{self.column}': name `to` and `field`")
        return self


class SingularTest(Config):
    """A query that must return no rows."""

    name: Identifier
    sql: str = Field(min_length=1, max_length=100_000)
    severity: Severity = Severity.ERROR


class ModelConfig(Config):
    """A dbt model: its SQL, how it is kept, and its tests."""

    sql: str = Field(min_length=1, max_length=1_000_000)
    materialization: Literal["view", "table", "incremental", "ephemeral"] = "view"
    unique_key: tuple[Identifier, ...] = Field(
        (), description="Key by which an incremental model replaces rows."
    )
    tests: tuple[ColumnTest, ...] = ()
    singular_tests: tuple[SingularTest, ...] = ()


class SnapshotConfig(Config):
    """A dbt snapshot: type-2 history of a query."""

    sql: str = Field(min_length=1, max_length=1_000_000)
    unique_key: tuple[Identifier, ...] = Field(min_length=1)
    strategy: Literal["timestamp", "check"] = "check"
    updated_at: str | None = None
    check_columns: tuple[Identifier, ...] = Field((), description="Empty: all columns.")
    tests: tuple[ColumnTest, ...] = ()

    @model_validator(mode="after")
    def _timestamp_needs_a_column(self) -> Self:
        if self.strategy == "timestamp" and not self.updated_at:
            raise ValueError("strategy 'timestamp' needs updated_at")
        return self
