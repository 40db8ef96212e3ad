"""The habits of the code: every module says what it holds, files are small, functions short, and errors say what failed."""

import ast

from tests.architecture.sources import Source, assert_only, sources

MODULE_LINES_MIN = 30
MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 40

# A command, a page or an operation is a file of its own, however small it is.
SMALL_BY_NATURE = ("api/cli/commands", "api/web/pages", "api/web/json_api")
SMALL_ALLOWED = {
    "api/application/statements/html.py",
    "api/cli/exit_codes.py",
    "api/web/problems.py",
    "domain/events/log_row.py",
    "domain/events/streams_of_calls.py",
    "domain/log/keepalive.py",
    "domain/notices/statuses.py",
    "domain/operators/author.py",
    "domain/proofs/refusals.py",
    "domain/text.py",
    "projections/building/exception_resolutions.py",
    "projections/journal/account_names.py",
    "projections/rows/earlier_events.py",
}
LARGE_ALLOWED: set[str] = set()

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(source: Source) -> list[Function]:
    """Return the functions of a file, its methods among them."""
    return [node for node in source.nodes if isinstance(node, Function)]


def body_lines(function: Function) -> int:
    """Return how many lines a function's statements take; parameters and docstring tell, they do not do."""
    statements = function.body[1:] if ast.get_docstring(function) else function.body
    last = function.body[-1].end_lineno
    assert last is not None
    return last - statements[0].lineno + 1 if statements else 0


def docstring_flaw(source: Source) -> str | None:
    """Return what is wrong with the docstring of a module, if anything is."""
    docstring = ast.get_docstring(source.tree)
    if not docstring:
        return f"{source.path} has no docstring"
    first = docstring.partition("\n")[0]
    if not (first[0].isupper() or first[0] == "`"):
        return f"{source.path} begins with {first!r}: expected a capital letter"
    if not first.endswith((".", "?", "!")) and "\n\n" in docstring:
        return f"{source.path}: expected one line that ends as a sentence"
    return None


def test_a_module_opens_with_a_docstring_whose_first_line_is_a_sentence() -> None:
    flaws = [docstring_flaw(source) for source in sources("domain", "projections", "api", "tests")]
    assert_only([flaw for flaw in flaws if flaw])


def test_a_module_is_at_least_thirty_lines() -> None:
    small = {
        source.path: f"{source.path} has {lines} lines: expected at least {MODULE_LINES_MIN}"
        for source in sources()
        if (lines := source.text.count("\n")) < MODULE_LINES_MIN
        and source.module_name not in ("__init__", "__main__")
        and not source.is_in(*SMALL_BY_NATURE)
    }
    assert_only(small, SMALL_ALLOWED)


def test_a_module_is_at_most_three_hundred_lines() -> None:
    large = {
        source.path: f"{source.path} has {lines} lines: expected at most {MODULE_LINES_MAX}"
        for source in sources()
        if (lines := source.text.count("\n")) > MODULE_LINES_MAX
    }
    assert_only(large, LARGE_ALLOWED)


def test_a_function_fits_on_a_screen() -> None:
    long = [
        f"{source.path}:{function.lineno} {function.name} has {lines} lines: expected at most {FUNCTION_LINES_MAX}"
        for source in sources()
        for function in functions(source)
        if (lines := body_lines(function)) > FUNCTION_LINES_MAX
    ]
    assert_only(long)


def test_every_exception_that_is_caught_is_named() -> None:
    bare = [
        f"{source.path}:{node.lineno} catches everything"
        for source in sources()
        for node in source.nodes
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert_only(bare)


def test_every_exception_that_is_raised_says_what_failed() -> None:
    vague = [
        f"{source.path}:{node.lineno} raises {node.exc.func.id}"
        for source in sources()
        for node in source.nodes
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
        if node.exc.func.id in ("Exception", "BaseException")
    ]
    assert_only(vague)
