"""Runs mutmut over the groups that are named, or over all: ``python -m tests.mutants [--left] [GROUP...]``.

Each group has a copy of the code in ``build/mutants/GROUP``, where mutmut keeps what it found. A second run tries again
only what changed, what survived, and what it had not tried. ``--left`` tries nothing, and shows what the last run left.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, chdir, contextmanager, nullcontext
from fnmatch import fnmatch
from pathlib import Path

from tests.mutants.groups import GROUPS, MutantGroup
from tests.support.postgres_server import SHARED, Postgres

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("api", "domain", "projections")
COPIED = (*PACKAGES, "tests", "docs", "tringledger.py", "pyproject.toml")
# mutmut's codes for what no test noticed; all others but None mean that a test failed, or went on and on.
LEFT = {0: "survived", 33: "no test runs it", 34: "the same SQL", None: "not tried"}
FAILED = (1, 3)
# Words of a refusal have tests of their own. An assertion states what the types cannot.
UNTOUCHED = (r"^\s*raise ", r"^\s*msg = ", r"^\s*assert ")
PLUGINS = ("-p", "no:cacheprovider", "-p", "tests.mutants.fastest_first")
ON_SQLITE = "not thorough and not postgres and not browser"
ON_POSTGRES = "not thorough and not browser"
COUNTED = ("noticed", *LEFT.values())

Mutant = tuple[str, str, str]


def main() -> None:
    """Run the groups, or with ``--left`` only show what they left."""
    words = sys.argv[1:]
    names = [word for word in words if word != "--left"] or list(GROUPS)
    if unknown := [name for name in names if name not in GROUPS]:
        sys.exit(f"got {', '.join(unknown)}; expected groups of {', '.join(GROUPS)}")
    for name in names:
        home = ROOT / "build" / "mutants" / name
        if "--left" not in words:
            _run(home, GROUPS[name])
        _report(name, list(_mutants(home, GROUPS[name])))
        if "--left" in words:
            _show(home, GROUPS[name])


def _run(home: Path, group: MutantGroup) -> None:
    _copy(home)
    with (home / "pyproject.toml").open("a") as file:
        file.write(_configuration(group))
    _forget_survivors(home)
    # The same examples for each mutant, or else luck decides.
    environment = os.environ | {"CI": "true", "PYTHONDONTWRITEBYTECODE": "1"}
    at_once = os.environ.get("MUTANTS_AT_ONCE", "1")
    running: AbstractContextManager[dict[str, str]] = _postgres() if group.on_postgres else nullcontext({})
    with running as server:
        words = [
            "nice",
            "-n",
            "5",
            sys.executable,
            "-m",
            "tests.mutants.one_collection",
            "run",
            "--max-children",
            at_once,
        ]
        subprocess.run(words, cwd=home, env=environment | server, check=False)


@contextmanager
def _postgres() -> Iterator[dict[str, str]]:
    """Start one server for all mutants, and yield what tells their tests of it."""
    server = Postgres(durable=False)
    try:
        yield {SHARED: str(server.directory)}
    finally:
        server.end()


def _copy(home: Path) -> None:
    """Copy the code with its times, by which mutmut sees what changed."""
    home.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        source = ROOT / name
        for old in (home / name, home / "mutants" / name):
            # What is mutated stays: mutmut compares it with its source.
            if old.is_dir() and (old.parent == home or name not in PACKAGES):
                shutil.rmtree(old)
        if source.is_file():
            shutil.copy2(source, home / name)
        else:
            shutil.copytree(source, home / name, ignore=shutil.ignore_patterns("__pycache__"))


def _configuration(group: MutantGroup) -> str:
    selection = [*group.tests, *(["-k", f"not {group.without}"] if group.without else ())]
    settings = {
        "source_paths": list(PACKAGES),
        "only_mutate": list(group.modules),
        "do_not_mutate_patterns": list(UNTOUCHED),
        "also_copy": ["docs", "tringledger.py"],
        "pytest_add_cli_args": ["-m", ON_POSTGRES if group.on_postgres else ON_SQLITE, *PLUGINS],
        "pytest_add_cli_args_test_selection": selection,
        "track_dependencies": False,
        "use_git_change_detection": False,
        "timeout_multiplier": 4.0,
        "timeout_constant": 3.0,
    }
    # A JSON text of such values is TOML as well.
    return "\n[tool.mutmut]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())


def _found(home: Path) -> Iterator[Path]:
    """Yield the files in which mutmut keeps the results of a module."""
    yield from sorted((home / "mutants").rglob("*.py.meta"))


def _forget_survivors(home: Path) -> None:
    """Have tried again what no test failed at: tests may have come that do. Which test runs what is found anew, too.

    What took too long is tried again as well: it may have been the machine that was too busy.
    """
    (home / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    for path in _found(home):
        kept = json.loads(path.read_text())
        codes = kept["exit_code_by_key"]
        kept["exit_code_by_key"] = {key: code if code in FAILED else None for key, code in codes.items()}
        path.write_text(json.dumps(kept))


def _mutants(home: Path, group: MutantGroup) -> Iterator[Mutant]:
    """Yield the module and the name of each mutant of the group, and what became of it."""
    for path in _found(home):
        module = str(path.relative_to(home / "mutants")).removesuffix(".meta")
        if not any(fnmatch(module, pattern) for pattern in group.modules):
            continue
        for name, code in json.loads(path.read_text())["exit_code_by_key"].items():
            yield module, name, LEFT.get(code, "noticed")


def _report(group: str, mutants: list[Mutant]) -> None:
    counts: dict[str, Counter[str]] = {}
    for module, _, became in mutants:
        counts.setdefault(module, Counter())[became] += 1
    print(f"{group}: {', '.join(COUNTED)}")
    for module, found in [*counts.items(), ("all", sum(counts.values(), Counter()))]:
        print(f"  {module}: {', '.join(str(found[name]) for name in COUNTED)}")


def _show(home: Path, group: MutantGroup) -> None:
    from mutmut.mutation.diff_apply import get_diff_for_mutant  # noqa: PLC0415 - it looks for its settings at once

    with chdir(home):
        for module, name, became in _mutants(home, group):
            if became in {"survived", "no test runs it"}:
                print(f"{name}: {became}\n{get_diff_for_mutant(name, path=module)}")


main()
