"""Filters as a mapping of texts, such as a URL's query: read in one way for pages, API and commands.

All bad filters are named, not only the first, so that a request can be corrected at once.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from domain.calls.correlation import CorrelationWindow
from projections.queries.call_health import MISSING_CDR, STALE
from projections.queries.conditions import NUMBER, build_selection
from projections.queries.selection import OverdueFilter, Selection, table_of
from projections.queries.text_patterns import read_pattern
from projections.queries.time_points import SelectionError

# The filters by the names of their parameters, and the fields of a Selection that they fill.
FIELDS = {
    "from": "since",
    "to": "until",
    "through": "through",
    "period": "period",
    "day": "day",
    "tag": "tag",
    "account": "account",
    "number": "number",
    "disposition": "disposition",
    "flag": "flag",
    "state": "state",
    "kind": "kind",
    "about": "about",
    "reason": "reason",
    "who": "who",
    "why": "why",
    "waiting": "waiting",
    "without": "without",
}
NAMES = tuple(FIELDS)
ALWAYS = ("from", "to", "through", "period", "without")
WITHOUT = ("tag", "account", "number", "disposition", "flag")
WAITING = (STALE, MISSING_CDR)


class BadFilter(NamedTuple):
    """An invalid filter: the parameter, its value, and the problem."""

    name: str
    value: str
    problem: str


class WrongFilters(SelectionError):
    """Some filters are invalid; ``bad`` has an entry for each."""

    def __init__(self, bad: list[BadFilter]) -> None:
        """List the invalid filters."""
        super().__init__("; ".join(f"{each.name}: {each.problem}" for each in bad))
        self.bad = bad


class FilterContext(NamedTuple):
    """The context of reading filters: the billing time zone, the line rule, the correlation window, and the time (microseconds, UTC).

    ``sees_pii`` tells whether the user may see what is masked otherwise.
    """

    timezone: str
    line_rule: int
    window: CorrelationWindow
    now: int
    sees_pii: bool = True


def read_filters(model: str, given: Mapping[str, str], terms: FilterContext) -> Selection:
    """Read the filters among some parameters; others are ignored, and so are empty ones, which forms send.

    ``without`` lists, separated by commas, columns that must be empty. Raises WrongFilters.
    """
    fields: dict[str, Any] = {}
    bad: list[BadFilter] = []
    for name, value in given.items():
        if name in FIELDS and value:
            try:
                more = _fields(name, value, terms)
                build_selection(model, timezone=terms.timezone, now=terms.now, line_rule=terms.line_rule, **more)
            except SelectionError as error:
                bad.append(BadFilter(name, value, str(error)))
            else:
                fields |= more
    if not bad:
        try:
            return build_selection(model, timezone=terms.timezone, now=terms.now, line_rule=terms.line_rule, **fields)
        except SelectionError as error:
            end = "through" if given.get("through") else "to"
            bad.append(BadFilter(end, given.get(end, ""), str(error)))
    raise WrongFilters(bad)


def _fields(name: str, value: str, terms: FilterContext) -> dict[str, Any]:
    if name == "without":
        names = value.split(",")
        if unknown := [each for each in names if each not in WITHOUT]:
            msg = f"unknown column {unknown[0]!r}: expected some of {', '.join(WITHOUT)}"
            raise SelectionError(msg)
        return dict.fromkeys(names, "")
    if name == "why" and not terms.sees_pii:
        # A number that is masked could be found digit by digit.
        msg = "searching reasons needs the role pii: what is masked in them could be found by it"
        raise SelectionError(msg)
    if name == NUMBER and not terms.sees_pii and not isinstance(read_pattern(value), str):
        msg = "a part of a number needs the role pii: masked digits could be found by it"
        raise SelectionError(msg)
    if name == "waiting":
        if value not in WAITING:
            msg = f"unknown kind of overdue calls {value!r}: expected one of {', '.join(WAITING)}"
            raise SelectionError(msg)
        return {name: OverdueFilter(value, terms.window, terms.now)}
    return {FIELDS[name]: value}


def filter_names(model: str) -> tuple[str, ...]:
    """Return the filters of a read model."""
    columns = table_of(model).c
    having = {"number": "src" in columns, "flag": "flag" in columns or "flags" in columns, "waiting": model == "calls"}
    having |= {"who": "done_by" in columns, "why": "reason" in columns}
    return tuple(name for name in NAMES if having.get(name, name in columns or name in ALWAYS))
