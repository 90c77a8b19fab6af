"""Each rule of a graph, by what it lets pass and what it stops."""

from dataclasses import replace

import pytest

from etlfabric_core.graph import checks
from etlfabric_core.graph.checks import Graph, GraphNode, Rule
from etlfabric_core.graph.reads import Reads

WAREHOUSE, ELSEWHERE = 1, 2


def load(slug: str, *tables: str, destination: int = WAREHOUSE, dataset: str = "raw") -> GraphNode:
    return GraphNode(slug, "pipeline", destination, dataset, tables, open_ended=not tables)


def model(
    slug: str, *refs: str, sources: tuple[tuple[str, str], ...] = (), dataset: str = "marts"
) -> GraphNode:
    reads = Reads(frozenset(refs), frozenset(sources))
    return GraphNode(slug, "dbt_model", WAREHOUSE, dataset, (slug,), reads=reads)


GOOD = Graph(
    WAREHOUSE,
    (load("l", "orders"), model("m", sources=(("raw", "orders"),)), model("n", "m")),
    (("l", "m"),),
)

CASES: list[tuple[Rule, Graph, list[str]]] = [
    (checks.nodes_exist, replace(GOOD, drawn=(("l", "gone"),)), ["'gone' is no node"]),
    (checks.no_self_edge, replace(GOOD, drawn=(("m", "m"),)), ["'m' cannot wait for itself"]),
    (
        checks.no_duplicate_edge,
        replace(GOOD, drawn=(("l", "m"), ("l", "m"))),
        ["l -> m is drawn 2 times"],
    ),
    (checks.no_cycle, replace(GOOD, drawn=(("n", "l"),)), ["l -> m -> n -> l"]),
    (checks.no_cycle, replace(GOOD, drawn=(("n", "m"),)), ["m -> n -> m"]),
    (
        checks.one_writer_per_table,
        replace(GOOD, nodes=(*GOOD.nodes, load("k", "orders"))),
        ["'raw.orders' is already written by 'l'"],
    ),
    (
        checks.one_writer_per_table,
        replace(GOOD, outside=(load("k", "orders"),)),
        ["'raw.orders' is already written by 'k'"],
    ),
    (
        checks.one_writer_per_table,
        replace(GOOD, nodes=(*GOOD.nodes, load("k", "m", dataset="marts"))),
        ["'marts.m' is already written by 'm'"],
    ),
    (
        checks.refs_are_known,
        replace(GOOD, nodes=(*GOOD.nodes, model("o", "p"))),
        ["ref('p'): this workflow has no"],
    ),
    (
        checks.refs_are_known,
        replace(GOOD, nodes=(*GOOD.nodes, model("o", "p")), outside=(model("p"),)),
        ["read it with source('marts', 'p')"],
    ),
    (
        checks.refs_are_known,
        replace(GOOD, nodes=(*GOOD.nodes, model("o", "l"))),
        ["ref('l'): this workflow has no transformation"],
    ),
    (
        checks.sources_are_loaded,
        replace(GOOD, nodes=(model("m", sources=(("raw", "orders"),)),)),
        ["source('raw', 'orders'): no pipeline loads"],
    ),
    (
        checks.sources_are_loaded,
        replace(GOOD, nodes=(load("l", "orders", destination=ELSEWHERE), *GOOD.nodes[1:])),
        ["source('raw', 'orders'): no pipeline loads"],
    ),
]


@pytest.mark.parametrize(("rule", "graph", "expected"), CASES)
@pytest.mark.feature("G2")
def test_a_rule_stops_what_it_is_for(rule: Rule, graph: Graph, expected: list[str]) -> None:
    found = list(rule(graph))
    assert len(found) == len(expected)
    for problem, text in zip(found, expected, strict=True):
        assert text in problem.message
        assert problem.node or problem.edge


@pytest.mark.parametrize("rule", checks.RULES, ids=lambda rule: rule.__name__)
def test_a_rule_lets_a_good_graph_pass(rule: Rule) -> None:
    assert list(rule(GOOD)) == []


@pytest.mark.feature("E1")
def test_ports_have_to_match(monkeypatch: pytest.MonkeyPatch) -> None:
    # All of today's kinds give tables, so one that gives a file stands in for those to come.
    kind = replace(checks.KINDS["pipeline"], name="file", output="FILE")
    monkeypatch.setitem(checks.KINDS, "file", kind)
    graph = replace(GOOD, nodes=(*GOOD.nodes, replace(load("f"), kind="file")), drawn=(("f", "m"),))
    (problem,) = checks.ports_match(graph)
    assert problem.message == "'f' gives FILE, but 'm' takes TABLE"


def test_a_pipeline_that_loads_everything_gives_any_table_of_its_dataset() -> None:
    graph = replace(GOOD, nodes=(load("all"), *GOOD.nodes[1:]), drawn=())
    assert checks.problems_of(graph) == ()
    assert graph.derived == (("all", "m"), ("m", "n"))


def test_the_same_table_elsewhere_is_another_table() -> None:
    nodes = (*GOOD.nodes, load("k", "orders", destination=ELSEWHERE))
    assert list(checks.one_writer_per_table(replace(GOOD, nodes=nodes))) == []


def test_all_problems_come_back_at_once() -> None:
    graph = replace(GOOD, drawn=(("m", "m"), ("n", "l"), ("x", "l")))
    assert len(checks.problems_of(graph)) == 3
