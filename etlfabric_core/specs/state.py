"""The state of a workflow: the plain values that checks, dbt project and DagSpec are made from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from etlfabric_core.graph.checks import Graph, GraphNode
from etlfabric_core.graph.columns import Config
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.kinds import KINDS
from etlfabric_core.graph.reads import reads_of
from etlfabric_core.graph.topology import EdgePair
from etlfabric_core.models import Edge, Node
from etlfabric_core.specs.document import ScheduleSpec

# Where a row is on the canvas and under which key it lies changes nothing about what runs.
NOT_CONTENT = {"id"}


class NodeSnapshot(BaseModel):
    """A node as a revision keeps it (`Revision.nodes`, by slug) and as runs are resolved from.

    `upstream` are the slugs that drawn edges lead from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: int
    kind: str
    name: str
    description: str = ""
    dataset: str
    source_connection_id: int | None = None
    destination_connection_id: int | None = None
    config: dict[str, Any]
    retries: int = 5
    upstream: tuple[str, ...] = ()

    def parsed_config(self) -> Config:
        """The configuration as its kind's model."""
        return KINDS[self.kind].config.model_validate(self.config)


Snapshots = Mapping[str, NodeSnapshot]


@dataclass(frozen=True)
class WorkflowState:
    """One workflow of one organization. `warehouse_id` is the managed warehouse's connection;
    `outside` are the nodes of the organization's other workflows."""

    org: str
    workflow: str
    warehouse_id: int
    nodes: Snapshots
    outside: Snapshots
    schedules: tuple[ScheduleSpec, ...] = ()

    @property
    def drawn(self) -> tuple[EdgePair, ...]:
        """The edges that users drew, sorted."""
        return tuple(
            sorted((up, slug) for slug, node in self.nodes.items() for up in node.upstream)
        )


def snapshots(nodes: Iterable[Node], edges: Iterable[Edge]) -> dict[str, NodeSnapshot]:
    """Rows as snapshots, sorted by slug."""
    rows = sorted(nodes, key=lambda row: row.slug)
    slug_of = {row.id: row.slug for row in rows}
    upstream: dict[int, list[str]] = {row.id: [] for row in rows}
    for edge in edges:
        if edge.upstream_id in slug_of and edge.downstream_id in slug_of:
            upstream[edge.downstream_id].append(slug_of[edge.upstream_id])
    return {
        row.slug: NodeSnapshot(
            id=row.id,
            kind=row.kind,
            name=row.name,
            description=row.description,
            dataset=row.dataset,
            source_connection_id=row.source_connection_id,
            destination_connection_id=row.destination_connection_id,
            config=row.config,
            retries=row.retries,
            upstream=tuple(sorted(upstream[row.id])),
        )
        for row in rows
    }


def graph_of(state: WorkflowState) -> Graph:
    """The workflow as the rules see it."""
    return Graph(
        state.warehouse_id,
        tuple(_graph_node(slug, node, state) for slug, node in sorted(state.nodes.items())),
        state.drawn,
        tuple(_graph_node(slug, node, state) for slug, node in sorted(state.outside.items())),
    )


def tables_of(slug: str, config: Config) -> tuple[str, ...]:
    """The tables that a node is known to write."""
    if not isinstance(config, PipelineConfig):
        return (slug,)
    if config.mode == "full_database":
        return config.table_names
    return tuple(resource.name for resource in config.resources)


def _graph_node(slug: str, node: NodeSnapshot, state: WorkflowState) -> GraphNode:
    config = node.parsed_config()
    return GraphNode(
        slug,
        node.kind,
        node.destination_connection_id or state.warehouse_id,
        node.dataset,
        tables_of(slug, config),
        isinstance(config, PipelineConfig)
        and config.mode == "full_database"
        and not config.table_names,
        reads_of(config),
    )
