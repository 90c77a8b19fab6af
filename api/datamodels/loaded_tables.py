"""Bodies of tables that pipelines have loaded."""

from pydantic import Field

from api.datamodels.base import Answer


class LoadedTableOut(Answer):
    """A table of the pipeline's dataset."""

    name: str
    has_rejected: bool = Field(description="Loads have put rows of it aside.")


class LoadedTablesOut(Answer):
    """All of them."""

    items: list[LoadedTableOut]
    next_cursor: None = None
