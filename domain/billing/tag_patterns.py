"""The patterns of a tariff's rules for tags: globs and bounded regular expressions.

A pattern looks at each CDR of a rebuild. Python's expressions try every way to read a text before they give up, and one such
as ``(a+)+b`` has more of them on a tag of 256 characters than there are atoms, so the ways are counted before it is taken.
"""

import re
from collections.abc import Iterable
from fnmatch import translate
from typing import Any

from domain.notices.notification import TEXT_LENGTH_MAX

LENGTH_MAX = 256
WAYS_MAX = 20_000_000
ACCOUNT = "account"

# The standard library's parser of regular expressions has no public name; without it nothing is counted.
_parser: Any = getattr(re, "_parser", None)


def parse_glob(text: str) -> re.Pattern[str]:
    """Return the pattern of a glob such as ``acme-*``: case matters, and the whole tag must fit."""
    _check_length(text)
    return re.compile(translate(text))


def parse_regex(text: str) -> re.Pattern[str]:
    """Return a regular expression for whole tags; raises ValueError saying what was expected instead."""
    _check_length(text)
    try:
        pattern = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        msg = f"a regular expression as in Python ({error})"
        raise ValueError(msg) from error
    if _parser is not None and _ways(_parser.parse(text)) > WAYS_MAX:
        raise ValueError(
            "a regular expression with few ways to read a tag: no repetition or choice within a repetition, at most three open ones"
        )
    return pattern


def _check_length(text: str) -> None:
    if len(text) > LENGTH_MAX:
        msg = f"at most {LENGTH_MAX} characters"
        raise ValueError(msg)


def _ways(parsed: Iterable[tuple[Any, Any]]) -> int:
    """Return an upper bound on the ways in which an expression can read the longest tag; over the maximum, any such number."""
    ways = 1
    for operator, argument in parsed:
        ways = min(ways * _ways_of(str(operator), argument), WAYS_MAX + 1)
    return ways


def _ways_of(operator: str, argument: Any) -> int:
    if operator in {"MAX_REPEAT", "MIN_REPEAT"}:
        least, most, body = int(argument[0]), min(int(argument[1]), TEXT_LENGTH_MAX), argument[2]
        each = _ways(body)
        return (max(most - least, 0) + 1) * (each**most if each > 1 else 1)
    if operator == "BRANCH":
        return sum(_ways(branch) for branch in argument[1])
    parts = argument if isinstance(argument, tuple) else (argument,)
    return max((_ways(part) for part in parts if _parser and isinstance(part, _parser.SubPattern)), default=1)
