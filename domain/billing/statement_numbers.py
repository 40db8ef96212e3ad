"""The numbers of statements: patterns such as ``{year}-{number:4}``, and what comes next in a series (SPEC 9.13)."""

import re
from typing import NamedTuple

from domain.months import Month

WIDTH_MAX = 9
PATTERN_LENGTH_MAX = 40
DEFAULT_SERIES, DEFAULT_PATTERN = "main", "{year}-{number:4}"

# Numbers are names of files, too.
_PARTS = re.compile(r"(?P<text>[A-Za-z0-9._-]+)|\{(?P<date>year|month)\}|\{number(?::(?P<width>[1-9]))?\}")
_EXPECTED = (
    'a pattern such as "{year}-{number:4}": letters, digits and .-_ with {number} once, {year} and {month} at most once each,'
    " {month} only with {year}, and no digit, {year} or {month} next to {number}"
)


class Series(NamedTuple):
    """A series of numbers: its name and its pattern."""

    name: str
    pattern: str


class StatementNumber(NamedTuple):
    """A number: its text, the text around the counted part (``scope``), and how many the scope has with this one."""

    text: str
    scope: str
    ordinal: int


def check_pattern(text: str) -> str:
    """Return a pattern; raises ValueError that says what was expected instead."""
    found = _parts(text)
    kinds = [part.group("date") or ("text" if part.group("text") else "number") for part in found]
    place = kinds.index("number") if kinds.count("number") == 1 else -1
    is_whole = "".join(part.group() for part in found) == text and 0 < len(text) <= PATTERN_LENGTH_MAX
    is_dated_once = max(kinds.count("year"), kinds.count("month")) <= 1 and ("month" not in kinds or "year" in kinds)
    if not is_whole or place < 0 or not is_dated_once or text[0] in ".-":
        raise ValueError(_EXPECTED)
    before = found[place - 1].group() if place else "-"
    after = found[place + 1].group() if place + 1 < len(found) else "-"
    if before[-1] in "}0123456789" or after[0] in "{0123456789":
        raise ValueError(_EXPECTED)
    return text


def scope_of(pattern: str, period: str) -> str:
    """Return a pattern with the year and month of a month ``YYYY-MM``, and without its number's width."""
    year, month = period.split("-")
    texts = {"year": year, "month": month}
    return "".join(part.group("text") or texts.get(part.group("date"), "{number}") for part in _parts(pattern))


def next_number(pattern: str, period: str, ordinal: int) -> StatementNumber:
    """Return the number that is ``ordinal`` in its scope."""
    scope = scope_of(pattern, Month(period))
    width = next((part.group("width") for part in _parts(pattern) if part.group().startswith("{number")), None)
    return StatementNumber(scope.replace("{number}", f"{ordinal:0{int(width or 1)}d}"), scope, ordinal)


def scope_without_dates(pattern: str) -> str:
    """Return what two series must not share, since they would give the same numbers."""
    return "".join("{number}" if part.group().startswith("{number") else part.group() for part in _parts(pattern))


def _parts(pattern: str) -> list[re.Match[str]]:
    return list(_PARTS.finditer(pattern))
