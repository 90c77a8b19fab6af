"""Bodies of pipelines."""

from typing import Any

from pydantic import ConfigDict, Field

from api.datamodels.base import Body, Name
from api.datamodels.nodes import Config, DatasetName, NodeOut, Position, Retries
from api.datamodels.workflows import Description, Slug

EXAMPLE: dict[str, Any] = {
    "workflow_id": 1,
    "name": "Flights and weather",
    "source_connection_id": 2,
    "dataset": "raw",
    "config": {
        "resources": [
            {
                "name": "flights",
                "write_disposition": "merge",
                "primary_key": ["time_hour", "carrier", "flight"],
                "cursor": {"column": "time_hour"},
            }
        ]
    },
}


class PipelineIn(Body):
    """A new pipeline; the default destination is the managed warehouse."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    workflow_id: int
    name: Name
    slug: Slug = None
    source_connection_id: int
    destination_connection_id: int | None = None
    dataset: DatasetName
    config: Config
    retries: Retries = 5
    position: Position | None = None
    description: Description = ""


class PipelinePatch(Body):
    """What to change; what is left out stays. The slug stays: tasks and tables go by it."""

    name: Name = ""
    source_connection_id: int = 0
    destination_connection_id: int | None = None
    dataset: DatasetName = ""
    config: Config = Field(default_factory=dict)
    retries: Retries = 5
    position: Position | None = None
    description: Description = ""


class PipelineOut(NodeOut):
    """A pipeline."""

    source_connection_id: int
    destination_connection_id: int
