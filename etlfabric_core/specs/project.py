"""The dbt project of a workflow's state: its transformations, and the tables they may read."""

from collections import defaultdict

from etlfabric_core.graph.checks import Graph, GraphNode
from etlfabric_core.graph.configs import ModelConfig, SnapshotConfig
from etlfabric_core.slugs import physical_dataset
from etlfabric_core.specs.state import WorkflowState, graph_of
from etlfabric_core.transform.project import ProjectNode, ProjectSource, render


def project_files(state: WorkflowState) -> dict[str, str]:
    """The rendered project, path → text; always the same for the same state.

    Raises:
        InvalidConfig: a name cannot be used in dbt.
    """
    return render(state.org, _nodes(state), _sources(state.org, graph_of(state)))


def _nodes(state: WorkflowState) -> list[ProjectNode]:
    found = []
    for slug, node in state.nodes.items():
        config = node.parsed_config()
        if isinstance(config, ModelConfig | SnapshotConfig):
            schema = physical_dataset(state.org, node.dataset)
            found.append(ProjectNode(slug, node.kind, schema, config, node.description))
    return found


def _sources(org: str, graph: Graph) -> list[ProjectSource]:
    """The tables of the workflow's own pipelines, and those of other nodes that its SQL reads.

    A pipeline that loads a whole database is taken to load each table that is read from its
    dataset. Tables of other workflows that nobody reads stay out, so that an edit there does not
    change this project.
    """
    read = sorted({pair for node in graph.nodes for pair in node.reads.sources})
    tables: dict[tuple[str, str], set[str]] = defaultdict(set)
    pipelines = [node for node in graph.nodes if node.kind == "pipeline"]
    for node in pipelines:
        if node.destination == graph.warehouse:
            tables[node.slug, node.dataset].update(node.tables)
    for dataset, table in read:
        writer = _writer(graph, (*pipelines, *graph.outside), dataset, table)
        if writer:
            tables[writer.slug, dataset].add(table)
    return [
        ProjectSource(dataset, physical_dataset(org, dataset), tuple(sorted(names)), slug)
        for (slug, dataset), names in sorted(tables.items())
    ]


def _writer(
    graph: Graph, nodes: tuple[GraphNode, ...], dataset: str, table: str
) -> GraphNode | None:
    """Who writes a table; one that names it comes before one that loads a whole database."""
    writers = [node for node in nodes if node.writes(graph.warehouse, dataset, table)]
    return min(writers, key=lambda node: table not in node.tables, default=None)
