r"""Filters by a part of a text: ``dept-*`` is what begins so, ``*4567`` what ends so, ``*north*`` what has it anywhere.

``*`` stands for any text, also for none; ``\*`` is an asterisk. A filter without ``*`` selects the exact text.
"""

import re
from typing import Any, NamedTuple

from sqlalchemy import Boolean, ColumnElement, Text, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

ANY = "*"
# What people write between the digits of a number; the hyphen first, as a set of characters in a pattern has to have it.
WRITTEN_BETWEEN = "- .()"
_ESCAPED = r"\*"
_SPLIT = re.compile(r"(\\\*|\*)")


class TextPattern(NamedTuple):
    """The parts of a text, with any text between them; the first and the last are where it begins and ends."""

    parts: tuple[str, ...]

    @property
    def beginning(self) -> str:
        """What the text begins with; may be empty."""
        return self.parts[0]

    @property
    def ending(self) -> str:
        """What the text ends with; may be empty."""
        return self.parts[-1]

    def fits(self, text: str) -> bool:
        """Whether a text fits, in upper and lower case as written."""
        return re.fullmatch(".*".join(map(re.escape, self.parts)), text, re.DOTALL) is not None

    def condition(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the condition that a column fits, in upper and lower case as written."""
        glob = ANY.join(re.sub(r"([*?\[])", r"[\1]", part) for part in self.parts)
        like = "%".join(re.sub(r"([\\%_])", r"\\\1", part) for part in self.parts)
        return FitsPattern(column, literal(glob), literal(like))


def read_pattern(text: str) -> TextPattern | str:
    """Return the pattern that a filter means, or the exact text if it has no ``*`` that stands for any text."""
    parts = [""]
    for piece in _SPLIT.split(text):
        if piece == ANY:
            parts.append("")
        else:
            parts[-1] += ANY if piece == _ESCAPED else piece
    return TextPattern(tuple(parts)) if len(parts) > 1 else parts[0]


def write_exactly(text: str) -> str:
    """Return the filter that selects exactly this text."""
    return text.replace(ANY, _ESCAPED)


class FitsPattern(FunctionElement[bool]):
    """Whether a column fits a pattern: of SQLite's GLOB or PostgreSQL's LIKE, which both tell upper from lower case."""

    type = Boolean()
    name = "fits_pattern"
    inherit_cache = True


@compiles(FitsPattern, "sqlite")
def _glob(element: FitsPattern, compiler: Any, **options: Any) -> str:
    column, glob, _ = element.clauses
    return f"({compiler.process(column, **options)} GLOB {compiler.process(glob, **options)})"


@compiles(FitsPattern, "postgresql")
def _like(element: FitsPattern, compiler: Any, **options: Any) -> str:
    column, _, like = element.clauses
    return f"({compiler.process(column, **options)} LIKE {compiler.process(like, **options)})"


class HasSeparators(FunctionElement[bool]):
    """Whether a column has what people write between the digits of a number, or the plus before them."""

    type = Boolean()
    name = "has_separators"
    inherit_cache = True


@compiles(HasSeparators, "sqlite")
def _glob_any(element: HasSeparators, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)} GLOB '*[{WRITTEN_BETWEEN}+]*')"


@compiles(HasSeparators, "postgresql")
def _match_any(element: HasSeparators, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)} ~ '[{WRITTEN_BETWEEN}+]')"


class LastCharacters(FunctionElement[str]):
    """The last four characters of a column, as indexes have them; of a shorter text all."""

    type = Text()
    name = "last_characters"
    inherit_cache = True


LAST = 4


@compiles(LastCharacters, "sqlite")
def _substr(element: LastCharacters, compiler: Any, **options: Any) -> str:
    return f"substr({compiler.process(element.clauses, **options)}, -{LAST})"


@compiles(LastCharacters, "postgresql")
def _right(element: LastCharacters, compiler: Any, **options: Any) -> str:
    return f"right({compiler.process(element.clauses, **options)}, {LAST})"
