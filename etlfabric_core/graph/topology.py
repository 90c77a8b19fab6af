"""Walking a graph of named nodes: what is above, what is below, in which order, and cycles."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

EdgePair = tuple[str, str]


def upstream(edges: Iterable[EdgePair], node: str) -> frozenset[str]:
    """Everything that `node` waits for, directly or not."""
    return _reached({edge[::-1] for edge in edges}, node)


def downstream(edges: Iterable[EdgePair], node: str) -> frozenset[str]:
    """Everything that waits for `node`, directly or not."""
    return _reached(set(edges), node)


def order(nodes: Iterable[str], edges: Iterable[EdgePair]) -> tuple[str, ...]:
    """The nodes so that each comes after all it waits for; equal input gives the same order.

    Raises:
        CycleError: of graphlib, when there is a cycle; ask `cycle` first.
    """
    return tuple(TopologicalSorter(_waits_for(nodes, edges)).static_order())


def cycle(nodes: Iterable[str], edges: Iterable[EdgePair]) -> tuple[str, ...] | None:
    """One cycle as a path that ends where it began (`a, b, a`), or None."""
    try:
        TopologicalSorter(_waits_for(nodes, edges)).prepare()
    except CycleError as error:
        # graphlib gives the path along what it was told: from a node to the one that waits for it.
        return tuple(error.args[1])
    return None


def _waits_for(nodes: Iterable[str], edges: Iterable[EdgePair]) -> Mapping[str, list[str]]:
    waits: dict[str, list[str]] = {node: [] for node in sorted(nodes)}
    for above, below in sorted(set(edges)):
        waits.setdefault(above, [])
        waits.setdefault(below, []).append(above)
    return waits


def _reached(edges: Iterable[EdgePair], start: str) -> frozenset[str]:
    following = defaultdict(set)
    for first, second in edges:
        following[first].add(second)
    seen: set[str] = set()
    waiting = list(following[start])
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting.extend(following[node])
    return frozenset(seen)
