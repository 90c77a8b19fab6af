"""Bodies of edges."""

from pydantic import ConfigDict

from api.datamodels.base import Answer, Body


class EdgeIn(Body):
    """A new edge between two nodes of one workflow."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"upstream_id": 1, "downstream_id": 2}]},
    )

    upstream_id: int
    downstream_id: int


class EdgeOut(Answer):
    """An edge that a user drew."""

    id: int
    workflow_id: int
    upstream_id: int
    downstream_id: int
