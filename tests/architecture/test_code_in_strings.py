"""Code that tests hand to other processes as a text imports what there is: no tool follows a renaming into a text."""

import ast
import textwrap
from collections.abc import Iterator
from functools import cache

from tests.architecture.sources import ROOT, TOP_FOLDERS, Source, assert_only, sources


def code_in(source: Source) -> Iterator[tuple[int, ast.Module]]:
    """Yield the texts of a file that are code with an import of ours, and where they begin."""
    for node in source.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "import " in node.value:
            try:
                yield node.lineno, ast.parse(textwrap.dedent(node.value))
            except SyntaxError:
                continue


@cache
def names_of(module: str) -> frozenset[str] | None:
    """Return the names that a module has, its submodules among them; None where there is no such module."""
    path = ROOT / module.replace(".", "/")
    file = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
    if not file.is_file():
        return None
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    found = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    found |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    imports = [alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    found |= {alias.asname or alias.name for alias in imports}
    return frozenset(found | {each.stem for each in path.iterdir()} if path.is_dir() else found)


def missing(code: ast.Module) -> Iterator[str]:
    """Yield what a piece of code imports from our modules that is not there."""
    for node in ast.walk(code):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in TOP_FOLDERS:
            names = names_of(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names if not names or alias.name not in names)
        elif isinstance(node, ast.Import):
            ours = [alias.name for alias in node.names if alias.name.partition(".")[0] in TOP_FOLDERS]
            yield from (name for name in ours if names_of(name) is None)


def test_code_in_strings_imports_what_there_is() -> None:
    looked_at = [(source, line, code) for source in sources("tests") for line, code in code_in(source)]
    assert len(looked_at) > 10
    assert_only([f"{source.path}:{line} imports {name}" for source, line, code in looked_at for name in missing(code)])
