"""Filters changed by one: what a facet, or a cell of a table, links to."""

from collections.abc import Mapping
from typing import Any


def chosen(now: Mapping[str, str], name: str, value: str) -> dict[str, Any]:
    """Return filters with one more, or without it where it is chosen already; an empty value selects rows without any.

    What cannot stand in an address as an empty value is named in ``without``.
    """
    without = [each for each in now.get("without", "").split(",") if each and each != name]
    others = {each: text for each, text in now.items() if each not in (name, "without")}
    if is_chosen(now, name, value):
        return _with(others, without)
    return _with(others | {name: value}, without) if value else _with(others, [*without, name])


def is_chosen(now: Mapping[str, str], name: str, value: str) -> bool:
    """Whether filters select just this value."""
    return now.get(name) == value if value else name in now.get("without", "").split(",")


def _with(others: dict[str, str], without: list[str]) -> dict[str, str]:
    return others | ({"without": ",".join(without)} if without else {})
