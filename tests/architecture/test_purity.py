"""What no file may hold but the one that is there for it: the environment, the clock; and no binary float near money."""

import ast

from tests.architecture.sources import Source, assert_only, sources

ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv"}
CLOCK = {"utcnow", "time_ns", "monotonic", "today"}


def names(source: Source) -> set[str]:
    """Return the attributes that a file reads, and the last parts of what it imports."""
    read = {node.attr for node in source.nodes if isinstance(node, ast.Attribute)}
    return read | {imported.name.rpartition(".")[2] for imported in source.imports}


def joins_paths(node: ast.BinOp | ast.AugAssign) -> bool:
    """Return whether a division joins paths, as ``folder / "name"`` does: a text is not a number."""
    right = node.right if isinstance(node, ast.BinOp) else node.value
    return isinstance(right, ast.JoinedStr) or (isinstance(right, ast.Constant) and isinstance(right.value, str))


def inexact(node: ast.AST) -> str | None:
    """Return how a piece of code leaves exact numbers, if it does."""
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        return "has a float"
    if isinstance(node, ast.Name) and node.id == "float":
        return "names float"
    if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div) and not joins_paths(node):
        return "divides"
    return None


def test_only_the_settings_read_the_environment() -> None:
    readers = [source for source in sources() if names(source) & ENVIRONMENT]
    assert [source.path for source in readers] == ["api/settings.py"]


def test_the_domain_reads_the_clock_in_one_place() -> None:
    read = {
        source.path: {node.attr for node in source.nodes if isinstance(node, ast.Attribute)}
        for source in sources("domain")
    }
    assert_only([path for path, attributes in read.items() if attributes & CLOCK and path != "domain/times.py"])


def test_no_binary_float_and_no_true_division_comes_near_money() -> None:
    flaws = [
        f"{source.path}:{getattr(node, 'lineno', 0)} {flaw}"
        for source in sources("domain", "projections")
        for node in source.nodes
        if (flaw := inexact(node))
    ]
    assert_only(flaws)
