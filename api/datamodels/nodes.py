"""What bodies of pipelines and transformations share."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from api.datamodels.base import Answer, Body
from etlfabric_core.graph.configs import Dataset

Coordinate = Annotated[float, Field(ge=-1e6, le=1e6)]
Retries = Annotated[int, Field(ge=0, le=20, description="Tries after the first one failed.")]
Config = Annotated[dict[str, Any], Field(description="See /registry/kinds for its schema.")]
DatasetName = Annotated[Dataset, Field(description="Where its tables land.")]
Version = Annotated[int, Field(description="Counts edits; send it back as If-Match.")]


class Position(Body):
    """Where the node is drawn."""

    x: Coordinate
    y: Coordinate


class NodeOut(Answer):
    """What every node answers."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    workflow_id: int
    kind: str
    slug: str
    name: str
    description: str
    dataset: str
    config: dict[str, Any]
    retries: int
    position: dict[str, float] | None
    version: Version
