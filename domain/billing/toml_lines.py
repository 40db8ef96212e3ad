"""The line numbers of the keys in a TOML text: tomllib returns values without their lines, and findings need them.

This only finds lines; tomllib has parsed the text before. A value inside an inline table or an
array is found at the line of the key that holds it.
"""

import re
from collections.abc import Iterator

Path = tuple[str | int, ...]

_NAME = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_NAMES = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_NAMES})\s*\]")
_KEY = re.compile(rf"\s*({_NAMES})\s*=")
_ONE_NAME = re.compile(_NAME)


class TomlLines:
    """The lines of a text's keys and tables, counted from 1."""

    def __init__(self, text: str) -> None:
        """Scan the text once."""
        self._lines: dict[Path, int] = {}
        for path, line in _paths(text):
            self._lines.setdefault(path, line)

    def line_of(self, path: Path) -> int:
        """Return the line of a key, or of the nearest enclosing key or table with a line; 1 for the whole text."""
        return next((self._lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self._lines), 1)


def _paths(text: str) -> Iterator[tuple[Path, int]]:
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            table = _inside(_names(header[2]), counts)
            if header[1] == "[[":
                yield table, number
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            yield table, number
        elif key := _KEY.match(line):
            names = _names(key[1])
            for end in range(1, len(names) + 1):
                yield (*table, *names[:end]), number


def _inside(names: list[str], counts: dict[Path, int]) -> Path:
    """Return a table's path; within an array of tables it is in the latest table."""
    path: Path = ()
    for name in names:
        path = (*path, counts[path], name) if path in counts else (*path, name)
    return path


def _names(text: str) -> list[str]:
    return [name.strip("\"'") for name in _ONE_NAME.findall(text)]
