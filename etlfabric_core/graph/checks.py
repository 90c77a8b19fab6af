"""What a graph must be like, as an ordered list of small rules. All problems come back at once."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from etlfabric_core.errors import Problem
from etlfabric_core.graph import topology
from etlfabric_core.graph.kinds import KINDS
from etlfabric_core.graph.reads import Reads
from etlfabric_core.graph.topology import EdgePair

Table = tuple[int, str, str]


@dataclass(frozen=True)
class GraphNode:
    """A node as the rules see it.

    `destination` is the id of the connection that it writes to, `tables` the tables it is known
    to write there; an `open_ended` one loads whatever tables its source has.
    """

    slug: str
    kind: str
    destination: int
    dataset: str
    tables: tuple[str, ...] = ()
    open_ended: bool = False
    reads: Reads = field(default_factory=Reads)

    def writes(self, destination: int, dataset: str, table: str) -> bool:
        """Whether that table comes from this node."""
        place = (self.destination, self.dataset) == (destination, dataset)
        return place and (self.open_ended or table in self.tables)


@dataclass(frozen=True)
class Graph:
    """One workflow. `outside` are the organization's nodes in its other workflows."""

    warehouse: int
    nodes: tuple[GraphNode, ...]
    drawn: tuple[EdgePair, ...]
    outside: tuple[GraphNode, ...] = ()

    @property
    def by_slug(self) -> dict[str, GraphNode]:
        """The workflow's nodes by name."""
        return {node.slug: node for node in self.nodes}

    @property
    def derived(self) -> tuple[EdgePair, ...]:
        """The edges that ref() and source() imply, sorted."""
        return tuple(sorted({edge for node in self.nodes for edge in self._read_edges(node)}))

    def _read_edges(self, reader: GraphNode) -> Iterator[EdgePair]:
        known = self.by_slug
        yield from ((ref, reader.slug) for ref in reader.reads.refs - {reader.slug} if ref in known)
        for dataset, table in reader.reads.sources:
            for node in self.nodes:
                if node.kind == "pipeline" and node.writes(self.warehouse, dataset, table):
                    yield node.slug, reader.slug


Rule = Callable[[Graph], Iterator[Problem]]


def nodes_exist(graph: Graph) -> Iterator[Problem]:
    """Both ends of an edge are nodes of this workflow."""
    known = graph.by_slug
    for edge in graph.drawn:
        for slug in edge:
            if slug not in known:
                yield Problem(f"'{slug}' is no node of this workflow", node=slug, edge=edge)


def no_self_edge(graph: Graph) -> Iterator[Problem]:
    """No node waits for itself."""
    for edge in graph.drawn:
        if edge[0] == edge[1]:
            yield Problem(f"'{edge[0]}' cannot wait for itself", node=edge[0], edge=edge)


def no_duplicate_edge(graph: Graph) -> Iterator[Problem]:
    """An edge is drawn once."""
    for edge, times in Counter(graph.drawn).items():
        if times > 1:
            yield Problem(f"the edge {edge[0]} -> {edge[1]} is drawn {times} times", edge=edge)


def ports_match(graph: Graph) -> Iterator[Problem]:
    """What a node gives is something that the next one takes."""
    known = graph.by_slug
    for edge in graph.drawn:
        if edge[0] not in known or edge[1] not in known:
            continue
        above, below = KINDS[known[edge[0]].kind], KINDS[known[edge[1]].kind]
        if above.output not in below.inputs:
            taken = " or ".join(sorted(below.inputs))
            text = f"'{edge[0]}' gives {above.output}, but '{edge[1]}' takes {taken}"
            yield Problem(text, node=edge[1], edge=edge)


def no_cycle(graph: Graph) -> Iterator[Problem]:
    """Drawn and derived edges together never lead back to where they began."""
    edges = [edge for edge in (*graph.drawn, *graph.derived) if edge[0] != edge[1]]
    path = topology.cycle(graph.by_slug, edges)
    if path:
        text = f"the graph runs in a circle: {' -> '.join(path)}"
        yield Problem(text, node=path[0], edge=(path[0], path[1]))


def one_writer_per_table(graph: Graph) -> Iterator[Problem]:
    """A table of a dataset is written by one node of the organization."""
    writers: dict[Table, list[str]] = defaultdict(list)
    for node in (*graph.nodes, *graph.outside):
        for table in node.tables:
            writers[node.destination, node.dataset, table].append(node.slug)
    known = graph.by_slug
    for (_, dataset, table), slugs in sorted(writers.items()):
        ours = [slug for slug in slugs if slug in known]
        if len(slugs) > 1 and ours:
            others = ", ".join(f"'{slug}'" for slug in slugs if slug != ours[-1])
            text = f"table '{dataset}.{table}' is already written by {others}"
            yield Problem(text, node=ours[-1], field="dataset")


def refs_are_known(graph: Graph) -> Iterator[Problem]:
    """ref() names a transformation of the same workflow."""
    known = {node.slug for node in graph.nodes if KINDS[node.kind].is_transformation}
    elsewhere = {node.slug: node for node in graph.outside}
    for node in graph.nodes:
        for ref in sorted(node.reads.refs - known):
            text = f"ref('{ref}'): this workflow has no transformation of that name"
            if ref in elsewhere:
                dataset = elsewhere[ref].dataset
                text += f"; it is another workflow's, read it with source('{dataset}', '{ref}')"
            yield Problem(text, node=node.slug, field="sql")


def sources_are_loaded(graph: Graph) -> Iterator[Problem]:
    """source() names a table that some node of the organization writes into the warehouse."""
    inside = [node for node in graph.nodes if node.kind == "pipeline"]
    for reader in graph.nodes:
        for dataset, table in sorted(reader.reads.sources):
            writers = (*inside, *graph.outside)
            if not any(node.writes(graph.warehouse, dataset, table) for node in writers):
                text = f"source('{dataset}', '{table}'): no pipeline loads this table"
                yield Problem(text, node=reader.slug, field="sql")


EDGE_RULES: tuple[Rule, ...] = (nodes_exist, no_self_edge, no_duplicate_edge, ports_match, no_cycle)
RULES: tuple[Rule, ...] = (*EDGE_RULES, one_writer_per_table, refs_are_known, sources_are_loaded)


def problems_of(graph: Graph, rules: tuple[Rule, ...] = RULES) -> tuple[Problem, ...]:
    """Everything that is wrong, in the order of the rules."""
    return tuple(problem for rule in rules for problem in rule(graph))
