"""Bodies of warehouse tables."""

from typing import Any

from api.datamodels.base import Answer


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
