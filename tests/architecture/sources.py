"""The source files as the rules read them: each file is read and parsed once, however many rules look at it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOP_FOLDERS = ("domain", "projections", "api")


@dataclass(frozen=True)
class Import:
    """One imported name, in full, the line it stands on, and whether it is imported as the module is loaded."""

    name: str
    line: int
    at_load: bool

    @property
    def package(self) -> str:
        """The first part of the name."""
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class Source:
    """One source file, by its path from the root."""

    path: str

    @cached_property
    def text(self) -> str:
        """The file's text."""
        return (ROOT / self.path).read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """The file's syntax."""
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All nodes of the syntax."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """What the file imports, wherever in it."""
        return tuple(self._imports())

    def _imports(self) -> Iterator[Import]:
        at_load = set(self.tree.body)
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (Import(alias.name, node.lineno, node in at_load) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                module = "." * node.level + (node.module or "")
                yield from (Import(f"{module}.{alias.name}", node.lineno, node in at_load) for alias in node.names)

    @property
    def top_folder(self) -> str:
        """The first folder of the path."""
        return self.path.partition("/")[0]

    @property
    def module_name(self) -> str:
        """The file's own name, without its folders."""
        return Path(self.path).stem

    def is_in(self, *places: str) -> bool:
        """Return whether the file is one of these, or lies in one of these folders."""
        return any(self.path == place or self.path.startswith(place.rstrip("/") + "/") for place in places)


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Return the source files of these folders, or of the three top folders."""
    return tuple(source for folder in folders or TOP_FOLDERS for source in _in_folder(folder))


@cache
def _in_folder(folder: str) -> tuple[Source, ...]:
    paths = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py"))
    return tuple(_source(path) for path in paths)


@cache
def _source(path: str) -> Source:
    return Source(path)


@cache
def imported_sources(source: Source) -> frozenset[Source]:
    """Return the files of ours that a file imports, wherever in it."""
    found = (_owner(imported.name) for imported in source.imports)
    return frozenset(owner for owner in found if owner is not None and owner is not source)


@cache
def _owner(name: str) -> Source | None:
    """Return the file that is, or that holds, what goes by this full name."""
    while name:
        stem = name.replace(".", "/")
        for path in (f"{stem}.py", f"{stem}/__init__.py"):
            if (ROOT / path).is_file():
                return _source(path)
        name = name.rpartition(".")[0]
    return None


def assert_only(offenders: dict[str, str] | list[str], allowed: frozenset[str] | set[str] = frozenset()) -> None:
    """Compare all offenders of a rule with those allowed until they are mended; an allowance no longer needed fails too."""
    texts = offenders if isinstance(offenders, dict) else {offender: offender for offender in offenders}
    new = [text for key, text in sorted(texts.items()) if key not in allowed]
    mended = sorted(allowed - texts.keys())
    report = [*(f"breaks the rule: {text}" for text in new), *(f"delete from the allow list: {key}" for key in mended)]
    assert not report, "\n".join(report)
