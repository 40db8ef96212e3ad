"""The habits of the house: every module says what it holds, rooms are small, and functions are short (STYLE)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("domain", "projections", "api")
MODULE_LINES_MAX = 350
FUNCTION_LINES_MAX = 40

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*rooms: str) -> list[str]:
    """Return the paths of the modules of these rooms, from the root."""
    return sorted(str(path.relative_to(ROOT)) for room in rooms for path in (ROOT / room).rglob("*.py"))


def text(path: str) -> str:
    """Return a module's source."""
    return (ROOT / path).read_text(encoding="utf-8")


def functions(path: str) -> list[Function]:
    """Return the functions of a module, its methods among them."""
    return [node for node in ast.walk(ast.parse(text(path))) if isinstance(node, Function)]


def body_lines(function: Function) -> int:
    """Return how many lines a function's statements take; parameters and docstring tell, they do not do."""
    statements = function.body[1:] if ast.get_docstring(function) else function.body
    last = function.body[-1].end_lineno
    assert last is not None
    return last - statements[0].lineno + 1 if statements else 0


@pytest.mark.parametrize("path", sources(*ROOMS, "tests"))
def test_a_module_opens_with_a_docstring_whose_first_line_is_a_sentence(path: str) -> None:
    docstring = ast.get_docstring(ast.parse(text(path)))
    assert docstring, f"{path} has no docstring"
    first = docstring.partition("\n")[0]
    assert first[0].isupper() or first[0] == "`", f"{path} begins with {first!r}"
    assert first.endswith((".", "?", "!")) or "\n\n" not in docstring, (
        f"{path}: expected one line that ends as a sentence"
    )


@pytest.mark.parametrize("path", sources(*ROOMS))
def test_a_module_is_a_small_room(path: str) -> None:
    lines = text(path).count("\n")
    assert lines <= MODULE_LINES_MAX, f"{path} has {lines} lines: expected at most {MODULE_LINES_MAX}"


@pytest.mark.parametrize("path", sources(*ROOMS))
def test_a_function_fits_on_a_screen(path: str) -> None:
    for function in functions(path):
        lines = body_lines(function)
        where = f"{path}:{function.lineno} {function.name}"
        assert lines <= FUNCTION_LINES_MAX, f"{where} has {lines} lines: expected at most {FUNCTION_LINES_MAX}"


@pytest.mark.parametrize("path", sources(*ROOMS))
def test_nothing_is_raised_or_caught_without_saying_what(path: str) -> None:
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{path}:{node.lineno} catches everything"
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
            assert node.exc.func.id not in ("Exception", "BaseException"), f"{path}:{node.lineno} raises just anything"
