"""Who may import whom, and what no file may hold: read from the sources, so that nothing has to be imported (ARCHITECTURE).

``domain`` knows nothing of ours, ``projections`` knows ``domain``, ``api`` knows both. Heavy libraries stay in the one or
two files that need them, the environment in the settings, and binary floats away from money.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("domain", "projections", "api")
OURS = {"domain": {"domain"}, "projections": {"domain", "projections"}, "api": set(ROOMS)}
THEIRS = {
    "domain": {"eventsourcing", "msgspec"},
    "projections": {"eventsourcing", "msgspec", "sqlalchemy"},
}
DRIVERS = {"psycopg"}  # Beside sqlite3, which the standard library has.
SIGNING = "domain/proofs/keys.py"  # The one file that knows the cryptography library.
HEAVY = {"distributed", "pandas", "pyarrow", "xlsxwriter"}
HEAVY_IN = {
    "projections/building/dask_cluster.py": {"distributed"},
    "projections/frames.py": {"pandas", "pyarrow"},
    "projections/export/writer.py": {"pandas", "pyarrow"},
    "projections/export/excel.py": {"xlsxwriter"},
}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv"}
SETTINGS = "api/settings.py"


def sources(*rooms: str) -> list[str]:
    """Return the paths of the modules of these rooms, from the root."""
    return sorted(str(path.relative_to(ROOT)) for room in rooms for path in (ROOT / room).rglob("*.py"))


def tree(path: str) -> ast.Module:
    """Return a module's syntax."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), path)


def imports(path: str) -> Iterator[str]:
    """Return the full names of what a module imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports by dots: expected the full name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def packages(path: str) -> set[str]:
    """Return the packages that a module imports, without the standard library's."""
    found = {name.partition(".")[0] for name in imports(path)}
    return found - set(sys.stdlib_module_names)


def test_there_are_sources_to_read() -> None:
    assert all(sources(room) for room in ROOMS)


@pytest.mark.parametrize("path", sources(*ROOMS))
def test_a_room_imports_only_the_rooms_before_it(path: str) -> None:
    room = path.partition("/")[0]
    assert packages(path) & {*ROOMS, "tests"} <= OURS[room]


@pytest.mark.parametrize("path", sources("domain"))
def test_the_domain_imports_the_event_store_and_the_serialiser_and_drivers_only_in_the_log(path: str) -> None:
    allowed = THEIRS["domain"] | (DRIVERS if path.startswith("domain/log/") else set())
    allowed |= {"cryptography"} if path == SIGNING else set()
    assert packages(path) - {"domain"} <= allowed
    assert "sqlite3" not in {name.partition(".")[0] for name in imports(path)} or path.startswith("domain/log/")


@pytest.mark.parametrize("path", sources("projections"))
def test_projections_import_the_tables_library_and_heavy_ones_only_where_files_are_made(path: str) -> None:
    allowed = THEIRS["projections"] | HEAVY_IN.get(path, set())
    assert packages(path) - {"domain", "projections"} <= allowed


@pytest.mark.parametrize("path", sources(*ROOMS))
def test_heavy_libraries_are_imported_where_files_are_made_and_nowhere_else(path: str) -> None:
    assert packages(path) & HEAVY <= HEAVY_IN.get(path, set())


@pytest.mark.parametrize("path", sources("api"))
def test_the_service_imports_heavy_files_only_when_it_needs_them(path: str) -> None:
    heavy = {path.removesuffix(".py").replace("/", ".") for path in HEAVY_IN}
    top = [node for node in tree(path).body if isinstance(node, ast.Import | ast.ImportFrom)]
    for node in top:
        names = [alias.name for alias in node.names]
        module = node.module if isinstance(node, ast.ImportFrom) else None
        assert not heavy & {module, *names, *(f"{module}.{name}" for name in names)}, f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", [path for path in sources(*ROOMS) if path != SETTINGS])
def test_only_the_settings_read_the_environment(path: str) -> None:
    named = {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
    named |= {name.rpartition(".")[2] for name in imports(path)}
    assert not named & ENVIRONMENT


@pytest.mark.parametrize("path", sources("domain", "projections"))
def test_no_binary_float_and_no_true_division_comes_near_money(path: str) -> None:
    for node in ast.walk(tree(path)):
        where = f"{path}:{getattr(node, 'lineno', 0)}"
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), f"{where} has a float"
        assert not (isinstance(node, ast.Name) and node.id == "float"), f"{where} names float"
        divides = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
        assert not divides or is_of_paths(node), f"{where} divides"


def is_of_paths(node: ast.AST) -> bool:
    """Whether a division joins paths, as ``folder / "name"`` does: a text is no number."""
    assert isinstance(node, ast.BinOp | ast.AugAssign)
    right = node.right if isinstance(node, ast.BinOp) else node.value
    return isinstance(right, ast.JoinedStr) or (isinstance(right, ast.Constant) and isinstance(right.value, str))


@pytest.mark.parametrize("path", sources("domain"))
def test_the_domain_reads_the_clock_in_one_place(path: str) -> None:
    named = {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
    assert path == "domain/times.py" or not named & {"utcnow", "time_ns", "monotonic", "today"}


@pytest.mark.parametrize("path", sources("tests"))
def test_the_model_knows_nothing_of_what_it_judges(path: str) -> None:
    if Path(path).name.startswith(("model", "strategies")):
        assert not packages(path) & set(ROOMS)
