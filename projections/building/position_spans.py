"""Fold spans of the log into rows: the calls that begin in a span, and its other events, read in the order of positions.

The events of a call lie far apart in the order of calls' ids, and near each other in the log: so a span is read at once, with
the few events after it that belong to its calls. A call whose events are spread over more than that is read by itself.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

from domain.events.log_row import LogRow
from domain.events.streams_of_calls import is_of_call
from domain.ledger import Ledger
from projections.rows.projector import Projector

SPAN_EVENTS = 8_192
# A call is near when its events are within so many positions at most: memory holds those of a span and so many more.
NEAR_POSITIONS_MAX = 16_384
# Where more calls than one of so many events are far, reading by streams takes less.
EVENTS_PER_FAR_CALL = 16
FAR_CALLS_MAX = 100_000
LAST_SPANS, PIECES = 4, 4


class PositionSpan(NamedTuple):
    """What begins after a position, up to another: calls with their events up to ``reach``, and events of no call.

    ``far`` are the positions of the first events of those calls that are read by themselves. They take little room: a worker must be
    able to get a span while it still sends the rows of another one, and nobody reads.
    """

    after: int
    until: int
    reach: int
    far: frozenset[int] = frozenset()


class SpanPlan(NamedTuple):
    """Spans that cover a log up to a position, and the number of events in them."""

    spans: list[PositionSpan]
    events: int


def plan_spans(ledger: Ledger, cut: int, at_least: int = 1) -> SpanPlan | None:
    """Divide the log up to a position into spans, at least so many if there are events for them.

    None where reading by streams takes less: the store does not tell where calls begin, or too many of them are far.
    """
    far_max = min(cut // EVENTS_PER_FAR_CALL, FAR_CALLS_MAX)
    extents = ledger.store.find_stream_extents(cut, NEAR_POSITIONS_MAX, far_max)
    if extents is None:
        return None
    ends = _ends(cut, at_least)
    far: dict[int, list[int]] = {}
    for position in extents.far:
        far.setdefault(ends[bisect_left(ends, position)], []).append(position)
    spans = [
        PositionSpan(after, until, min(until + extents.near, cut), frozenset(far.get(until, ())))
        for after, until in pairwise([0, *ends])
    ]
    return SpanPlan(spans, extents.events)


def _ends(cut: int, at_least: int) -> list[int]:
    """Return the last position of each span; where there are to be several, the last ones are smaller, so that nobody waits at the end."""
    size = max(min(SPAN_EVENTS, -(-cut // at_least)), 1)
    ends, end = [], 0
    while end < cut:
        is_last = at_least > 1 and cut - end <= LAST_SPANS * size
        end = min(end + (max(size // PIECES, 1) if is_last else size), cut)
        ends.append(end)
    return ends


def fold_span(projector: Projector, ledger: Ledger, cut: int, span: PositionSpan) -> Iterator[list[LogRow]]:
    """Add what begins in a span to a projector; yield the events of each call, and each other event.

    An event of a call that is not folded here is so where its call begins. Raises ProjectionStopped, StoreUnavailable.
    """
    calls: dict[str, list[LogRow]] = {}
    far: list[str] = []
    find = calls.get
    for row in ledger.store.page(span.after, span.reach - span.after, span.reach):
        position, stream, version, _, _ = row
        events = find(stream)
        if events is not None:
            events.append(row)
        elif position > span.until:
            continue
        elif not is_of_call(row):
            projector.add(row)
            yield [row]
        elif position in span.far:
            far.append(stream)
        elif version == 1:
            calls[stream] = [row]
    for events in calls.values():
        projector.add_stream(events)
        yield events
    for stream in far:
        events = ledger.store.stream(UUID(stream), cut)
        projector.add_stream(events)
        yield events
