"""Filters as a mapping of texts, such as an address's query: one way of reading them for pages, API and command alike.

Every bad one is named, not only the first: who corrects a request should have to do so once.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from domain.calls.correlation import CorrelationWindow
from projections.queries.call_health import MISSING_CDR, STALE
from projections.queries.conditions import build_selection
from projections.queries.selection import OverdueFilter, Selection, table_of
from projections.queries.time_points import SelectionError

# The parameters that are filters, and the fields of a Selection that they fill.
FIELDS = {
    "from": "since",
    "to": "until",
    "period": "period",
    "day": "day",
    "tag": "tag",
    "account": "account",
    "number": "number",
    "disposition": "disposition",
    "flag": "flag",
    "state": "state",
    "kind": "kind",
    "reason": "reason",
    "waiting": "waiting",
    "without": "without",
}
NAMES = tuple(FIELDS)
ALWAYS = ("from", "to", "period", "without")
WITHOUT = ("tag", "account", "number", "disposition", "flag")
WAITING = (STALE, MISSING_CDR)


class BadFilter(NamedTuple):
    """A filter that cannot be obeyed: the parameter, its value, and what is wrong with it."""

    name: str
    value: str
    problem: str


class WrongFilters(SelectionError):
    """Some filters cannot be obeyed; ``bad`` has one entry for each."""

    def __init__(self, bad: list[BadFilter]) -> None:
        """Take what is wrong."""
        super().__init__("; ".join(f"{each.name}: {each.problem}" for each in bad))
        self.bad = bad


class FilterContext(NamedTuple):
    """What filters are read with: the billing time zone, the reach of calls, and the moment (microseconds, UTC)."""

    timezone: str
    window: CorrelationWindow
    now: int


def read_filters(model: str, given: Mapping[str, str], terms: FilterContext) -> Selection:
    """Read the filters among the parameters given; others are passed over, empty ones (as forms send them) too.

    ``without`` names, separated by commas, the columns that must be empty. Raises WrongFilters.
    """
    fields: dict[str, Any] = {}
    bad: list[BadFilter] = []
    for name, value in given.items():
        if name in FIELDS and value:
            try:
                more = _fields(name, value, terms)
                build_selection(model, timezone=terms.timezone, now=terms.now, **more)
            except SelectionError as error:
                bad.append(BadFilter(name, value, str(error)))
            else:
                fields |= more
    if not bad:
        try:
            return build_selection(model, timezone=terms.timezone, now=terms.now, **fields)
        except SelectionError as error:
            bad.append(BadFilter("to", given.get("to", ""), str(error)))
    raise WrongFilters(bad)


def _fields(name: str, value: str, terms: FilterContext) -> dict[str, Any]:
    if name == "without":
        names = value.split(",")
        if unknown := [each for each in names if each not in WITHOUT]:
            msg = f"{unknown[0]!r} cannot be asked to be empty: expected some of {', '.join(WITHOUT)}"
            raise SelectionError(msg)
        return dict.fromkeys(names, "")
    if name == "waiting":
        if value not in WAITING:
            msg = f"{value!r} is nothing that calls wait for: expected one of {', '.join(WAITING)}"
            raise SelectionError(msg)
        return {name: OverdueFilter(value, terms.window, terms.now)}
    return {FIELDS[name]: value}


def filter_names(model: str) -> tuple[str, ...]:
    """Return the filters that a read model has."""
    columns = table_of(model).c
    having = {"number": "src" in columns, "flag": "flag" in columns or "flags" in columns, "waiting": model == "calls"}
    return tuple(name for name in NAMES if having.get(name, name in columns or name in ALWAYS))
