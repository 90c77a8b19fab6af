"""Bodies of transformations, their checks, previews and failed tests."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from api.datamodels.base import Answer, Body, Name
from api.datamodels.nodes import Config, DatasetName, NodeOut, Position, Retries
from api.datamodels.workflows import Description, Slug
from api.errors import ProblemBody

EXAMPLE: dict[str, Any] = {
    "workflow_id": 1,
    "kind": "dbt_model",
    "name": "Flights, typed",
    "slug": "stg_flights",
    "dataset": "staging",
    "config": {
        "sql": "select carrier, flight from {{ source('raw', 'flights') }}",
        "materialization": "view",
        "tests": [{"type": "not_null", "column": "carrier"}],
    },
}


class TransformationIn(Body):
    """A new transformation; dbt checks it before it is stored."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    workflow_id: int
    kind: Literal["dbt_model", "dbt_snapshot"] = "dbt_model"
    name: Name
    slug: Slug = None
    dataset: DatasetName
    config: Config
    retries: Retries = 5
    position: Position | None = None
    description: Description = ""


class TransformationCheck(TransformationIn):
    """An unsaved transformation. `id` names the stored one that it is an edit of."""

    id: int | None = None


class TransformationPatch(Body):
    """What to change; what is left out stays. The slug stays: ref() goes by it."""

    name: Name = ""
    dataset: DatasetName = ""
    config: Config = Field(default_factory=dict)
    retries: Retries = 5
    position: Position | None = None
    description: Description = ""


class TransformationOut(NodeOut):
    """A transformation."""


class CheckedOut(Answer):
    """The SQL that dbt would run, and what is wrong with it."""

    compiled_sql: str
    problems: list[ProblemBody]


class PreviewIn(Body):
    """How many rows."""

    limit: int = Field(100, ge=1, le=1000)


class ColumnOut(Answer):
    """A column and its PostgreSQL type."""

    name: str
    type: str


class RowsOut(Answer):
    """Rows, each a list in the order of the columns."""

    columns: list[ColumnOut]
    rows: list[list[Any]]


class FailuresOut(Answer):
    """A test that found rows. `rows` is null when they are gone by now."""

    test: str
    status: str
    message: str | None
    failures: int
    rows: RowsOut | None


class FailureListOut(Answer):
    """The failed tests of one run."""

    items: list[FailuresOut]
