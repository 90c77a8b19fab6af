"""Bodies of workflows, their graph and their revisions."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from api.datamodels.base import Answer, Body, Name
from api.errors import ProblemBody

Slug = Annotated[str | None, Field(max_length=200, description="Default: made from the name.")]
Description = Annotated[str, Field(max_length=5000)]


class WorkflowIn(Body):
    """A new workflow."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "Flights", "slug": "flights"}]},
    )

    name: Name
    slug: Slug = None
    description: Description = ""


class WorkflowPatch(Body):
    """What to change; what is left out stays."""

    name: Name = ""
    description: Description = ""


class WorkflowOut(Answer):
    """A workflow; `published_revision` is the one that Airflow runs."""

    id: int
    slug: str
    name: str
    description: str
    published_revision: int | None
    created_at: datetime


class GraphNodeOut(Answer):
    """A node as the canvas shows it: `inputs` are the ports it takes, `output` the one it gives."""

    id: int
    slug: str
    name: str
    kind: str
    dataset: str
    inputs: list[str]
    output: str
    position: dict[str, float] | None
    version: int


class GraphEdgeOut(Answer):
    """An edge that a user drew."""

    id: int
    upstream_id: int
    downstream_id: int


class DerivedEdgeOut(Answer):
    """An edge that ref() or source() implies."""

    upstream_id: int
    downstream_id: int


class GraphOut(Answer):
    """A workflow as a graph, and what is wrong with it."""

    workflow: WorkflowOut
    nodes: list[GraphNodeOut]
    edges: list[GraphEdgeOut]
    derived_edges: list[DerivedEdgeOut]
    problems: list[ProblemBody]


class CheckOut(Answer):
    """Whether the workflow could be published, and what keeps it from that."""

    ok: bool
    problems: list[ProblemBody]


class RevisionOut(Answer):
    """A revision, with what changed since the one before."""

    number: int
    content_hash: str
    changes: list[dict[str, Any]]
    author_id: int | None
    created_at: datetime


class RevisionDetail(RevisionOut):
    """A revision with its document and its nodes, by slug."""

    spec: dict[str, Any]
    nodes: dict[str, Any]


class PublishedOut(Answer):
    """The revision in force; `changed` is false when there was nothing new to publish."""

    changed: bool
    revision: RevisionOut
