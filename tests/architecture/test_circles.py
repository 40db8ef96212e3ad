"""No file imports itself by way of others: Tarjan's strongly connected components over all imports, local ones too."""

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from tests.architecture.sources import assert_only, imported_sources, sources

Node = TypeVar("Node", bound=Hashable)


def circles(graph: Mapping[Node, Iterable[Node]]) -> list[list[Node]]:
    """Return the sets of two and more nodes that reach each other."""
    index: dict[Node, int] = {}
    low: dict[Node, int] = {}
    stack: list[Node] = []
    found: list[list[Node]] = []

    def visit(node: Node) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            first = stack.index(node)
            component = stack[first:]
            del stack[first:]
            if len(component) > 1:
                found.append(component)

    for node in graph:
        if node not in index:
            visit(node)
    return found


def test_circles_are_found() -> None:
    graph = {"a": ["b"], "b": ["c", "d"], "c": ["a"], "d": ["e"], "e": []}
    assert [sorted(circle) for circle in circles(graph)] == [["a", "b", "c"]]


def test_no_file_imports_itself_by_way_of_others() -> None:
    graph = {source: imported_sources(source) for source in sources()}
    assert_only([" <-> ".join(sorted(source.path for source in circle)) for circle in circles(graph)])
