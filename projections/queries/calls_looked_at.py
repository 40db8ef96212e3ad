"""How many calls a page about traffic has to look at: it looks at very many on request alone."""

from sqlalchemy import Connection, func

from projections.queries.conditions import conditions
from projections.queries.counted_rows import CountedRows
from projections.queries.selection import Selection
from projections.queries.time_steps import TimeSpan
from projections.schema.tables import CALLS

# The filters whose indexes are in the order of time, that of the fewest calls first.
_INDEXED = ("number", "account", "tag", "disposition")
_FILTERS = (*_INDEXED, "flag", "state", "waiting", "fits")


# What is looked at unasked takes a quarter of a second: in the heat map, in ASR and ACD, where an index has all that is counted; and else.
OF_WEEK, OF_QUALITY, FILTERED = 2_500_000, 1_000_000, 250_000


def calls_looked_at(selection: Selection, plain: int, counted_by: tuple[str, ...]) -> int:
    """Return how many calls may be looked at unasked: ``plain`` without filters, or with one of those whose index has all that is counted."""
    given = [name for name in _FILTERS if getattr(selection, name) is not None]
    return plain if not given or (len(given) == 1 and given[0] in counted_by) else FILTERED


def are_more_calls(connection: Connection, selection: Selection, span: TimeSpan, calls: int, timezone: str) -> bool:
    """Whether a span has more calls than that, of those that an index leaves to be looked at for a selection."""
    name = next((name for name in _INDEXED if getattr(selection, name) is not None), None)
    by_index = {} if name is None else {name: getattr(selection, name), "line_rule": selection.line_rule}
    within = Selection(since=span.since, until=span.until, **by_index)
    return CountedRows(CALLS, conditions("calls", within, timezone), func.count()).has_more(connection, calls)
