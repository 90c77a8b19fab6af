"""Walking graphs."""

import pytest

from etlfabric_core.graph import topology

DIAMOND = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]


@pytest.mark.feature("G3")
def test_upstream_and_downstream_reach_all_the_way() -> None:
    assert topology.upstream(DIAMOND, "d") == {"a", "b", "c"}
    assert topology.downstream(DIAMOND, "a") == {"b", "c", "d"}
    assert topology.upstream(DIAMOND, "a") == frozenset()
    assert topology.downstream(DIAMOND, "unknown") == frozenset()


@pytest.mark.feature("G3")
def test_the_order_puts_each_node_after_what_it_waits_for() -> None:
    found = topology.order("dcba", DIAMOND)
    assert sorted(found) == ["a", "b", "c", "d"]
    assert all(found.index(above) < found.index(below) for above, below in DIAMOND)
    assert found == topology.order("abcd", DIAMOND[::-1]), "equal graphs give equal orders"


@pytest.mark.parametrize(
    ("edges", "path"),
    [
        (DIAMOND, None),
        ([], None),
        ([("a", "b"), ("b", "a")], ("a", "b", "a")),
        ([("a", "b"), ("b", "c"), ("c", "a")], ("a", "b", "c", "a")),
        ([("a", "a")], ("a", "a")),
    ],
)
@pytest.mark.feature("G2")
def test_a_cycle_is_a_path_along_the_edges(
    edges: list[tuple[str, str]], path: tuple[str, ...] | None
) -> None:
    found = topology.cycle("abcd", edges)
    assert found == path
    assert all(step in edges for step in zip(found or (), (found or ())[1:], strict=False))
