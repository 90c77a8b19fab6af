"""Bodies of warehouse tables."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from api.datamodels.base import Answer, Body


class TableColumnOut(Answer):
    """A column and its PostgreSQL type."""

    name: str
    type: str


class TableOut(Answer):
    """A table or view in the managed warehouse."""

    dataset: str
    name: str
    kind: str
    row_estimate: int | None
    columns: list[TableColumnOut]


class TablesOut(Answer):
    """All of them."""

    items: list[TableOut]
    next_cursor: None = None


class RowsOut(Answer):
    """The first rows of a table."""

    columns: list[TableColumnOut]
    rows: list[list[Any]]


class CountOut(Answer):
    """How many rows a table has, counted."""

    rows: int


class RevealIn(Body):
    """Texts that the mask `encrypt` has made."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"values": ["enc1:n3b-JDd_6gcjCYxijjQ_1A=="]}]},
    )

    values: list[Annotated[str, StringConstraints(max_length=100_000)]] = Field(
        min_length=1, max_length=1000
    )


class RevealOut(Answer):
    """In the same order; null is what this organization's key has not made."""

    values: list[str | None]
