"""Resources that are not saved yet: a preview of their rows, and their table."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from api.datamodels.base import Answer, Body
from api.datamodels.listings import FirstRowsColumnOut

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[^\x00]+$")]
TypeName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]


class DraftIn(Body):
    """A resource as it stands in a pipeline's config, and how many rows to try it on."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "resource": {
                        "name": "people",
                        "source": "people.csv",
                        "columns": {"name": {"functions": [{"name": "trim"}]}},
                    },
                    "limit": 20,
                }
            ]
        },
    )

    resource: dict[str, Any]
    limit: int = Field(20, ge=1, le=100)


class RefusalOut(Answer):
    """Why a row is rejected; where it stands, if that is a file."""

    column: str
    reason: str
    file: str | None
    line: int | None


class DraftRowOut(Answer):
    """A row of the source, and what is loaded of it. What is masked is hidden in both."""

    before: list[Any]
    after: list[Any] | None
    rejected: RefusalOut | None


class DraftOut(Answer):
    """The first rows that meet the filters, before and after; `complete`: there are no others.

    `columns` are those of the table, by name and type at PostgreSQL; `definition` makes it.
    """

    before: list[FirstRowsColumnOut]
    after: list[FirstRowsColumnOut]
    rows: list[DraftRowOut]
    complete: bool
    columns: dict[str, str]
    definition: str


class ComparisonIn(Body):
    """A table by the columns that a draft gave. Without a connection, in the managed warehouse."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"dataset": "raw", "table": "people", "columns": {"id": "bigint"}}]
        },
    )

    dataset: Annotated[str, StringConstraints(pattern=r"^[a-z](_?[a-z0-9])*$", max_length=30)]
    table: ColumnName
    columns: dict[ColumnName, TypeName] = Field(max_length=1700)
    connection_id: int | None = None


class DifferenceOut(Answer):
    """A column that is not there yet, that is there and not loaded, or that has another type."""

    column: str
    what: Literal["new", "missing", "other_type"]
    proposed: str | None
    existing: str | None


class ComparisonOut(Answer):
    """Whether the table is there, and what a load would find to be different."""

    exists: bool
    differences: list[DifferenceOut]
