"""Spans of a log: how its events are read and hashed, some thousand at a time, to be compared with the leaves of a tree."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from domain.events.log_row import LogRow
from domain.proofs.entry import hash_events
from domain.proofs.tiles import WIDTH

TILES_AT_ONCE = 16
EVENTS_AT_ONCE = TILES_AT_ONCE * WIDTH
# No event hashes to these: they stand for an event that is missing, and for one that is not stored as bytes.
NO_EVENT = b""
NO_BYTES = b"not bytes"


class LogFinding(NamedTuple):
    """A problem: of the event at a position, or, with position 0, of no single event."""

    position: int
    what: str


class Span(NamedTuple):
    """The ``length`` events behind the position ``first``."""

    first: int
    length: int


def cut_spans(size: int) -> Iterator[Span]:
    """Return the spans, EVENTS_AT_ONCE long but for the last, of the first ``size`` events."""
    for first in range(0, size, EVENTS_AT_ONCE):
        yield Span(first, min(EVENTS_AT_ONCE, size - first))


def hash_span(span: Span, events: Sequence[LogRow]) -> list[bytes]:
    """Return the leaf hash of each position of a span, of which the log has ``events``; NO_EVENT or NO_BYTES where there is none."""
    first, count = span
    try:
        if len(events) == count and events[0].position == first + 1 and events[-1].position == first + count:
            return hash_events(events)
    except TypeError:
        pass  # An event that is not stored as bytes: found below.
    leaves = [NO_EVENT] * count
    for event in events:
        is_hashable = isinstance(event.state, bytes)
        leaves[event.position - first - 1] = hash_events([event])[0] if is_hashable else NO_BYTES
    return leaves
