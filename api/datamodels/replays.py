"""Bodies of replays of rejected rows."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.datamodels.base import Answer

TableName = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[^\x00]+$")]


class ReplayIn(BaseModel):
    """Which tables' rejected rows to load; none: all that can be."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"tables": ["orders"]}]}
    )

    tables: Annotated[list[TableName], Field(max_length=1000)] = []


class RejectedTableOut(Answer):
    """A table that has rejected rows."""

    table: str
    rows: int
    blocked: str | None = Field(description="Why its rows cannot be replayed.")


class RejectedTablesOut(Answer):
    """What can be replayed, of the pipeline as it is published."""

    published: bool
    is_held: bool = Field(description="A run is loading: nothing can be replayed now.")
    tables: list[RejectedTableOut]
