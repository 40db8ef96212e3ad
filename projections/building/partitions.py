"""Fold ranges of streams into rows: the work of a rebuild, cut into parts that any process on any host can do.

A stream's id is a hash, so equal ranges of ids hold about equally many calls. Only streams of notices without a call can be
long: a part that is full ends within such a stream, and says what is left. So no part grows with the log.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from itertools import chain, groupby, pairwise
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from domain.events.log_row import LogRow
from domain.events.streams_of_calls import is_of_call
from domain.ledger import Ledger
from projections.building.position_spans import PositionSpan, fold_span
from projections.proofs.leaf_product import NOTHING, LeafPoint, multiply_events
from projections.rows.projector import Kinds, Projector, RowBatch

FIRST, LAST = "", "g"  # Stream ids are hexadecimal digits: all of them lie between these two.
RANGE_EVENTS = 4_000
PART_EVENTS_MAX = 2 * RANGE_EVENTS
LAST_RANGES, PIECES = 4, 4  # So many ranges at the end are divided into so many.
PREFIX_BITS = 32

_stream = itemgetter(LogRow._fields.index("stream"))


class StreamRange(NamedTuple):
    """The streams from ``first`` to before ``last``; of ``first`` itself only the events after a version."""

    first: str
    last: str
    after: int = 0


Range = StreamRange | PositionSpan


class SharedBuild(NamedTuple):
    """A build into which other processes write: its generation, and the token of this attempt, which a later one does not share."""

    generation: int
    token: str


class FoldedPart(NamedTuple):
    """A folded range: its rows, the number of its events, the rest of the range, if it was cut, and the product of its leaves."""

    batch: RowBatch
    events: int
    rest: Range | None
    leaves: int = NOTHING


class FoldStrategy(Protocol):
    """A way to fold ranges: in this process, in others, or on other hosts; the parts may be in any order.

    ``jobs`` is the number of workers.
    """

    jobs: int

    def __call__(
        self,
        ledger: Ledger,
        cut: int,
        ranges: Iterable[Range],
        at: LeafPoint | None = None,
        into: SharedBuild | None = None,
    ) -> Iterator[FoldedPart]:
        """Fold the log up to a position, and yield the parts of each range; closing it early stops all workers.

        With ``at`` each part has the product of its events' leaves. Other processes write their rows into the build ``into``, if there
        is one, and their parts have none.
        """


def stream_ranges(events: int, at_least: int = 1) -> list[StreamRange]:
    """Divide all streams into ranges of about ``RANGE_EVENTS`` events, but into ``at_least`` ranges.

    Where there are to be several, the last ones are divided once more: so whoever folds them ends at about the same time.
    """
    count = max(-(-events // RANGE_EVENTS), at_least)
    divided = min(count, LAST_RANGES) if at_least > 1 else 0
    pieces, whole = count * PIECES, (count - divided) * PIECES
    starts = [*range(0, whole, PIECES), *range(whole, pieces)]
    prefixes = [f"{(start << PREFIX_BITS) // pieces:0{PREFIX_BITS // 4}x}" for start in starts[1:]]
    bounds = [FIRST, *prefixes, LAST]
    return [StreamRange(first, last) for first, last in pairwise(bounds)]


def fold_range(ledger: Ledger, cut: int, wanted: Range, at: LeafPoint | None = None, kinds: Kinds = None) -> FoldedPart:
    """Fold the streams of a range as they are at a position, until the part is full; with ``at`` hash their events, too.

    A span of positions is one part.
    With ``kinds``, only rows of these classes are made. Raises ProjectionStopped, StoreUnavailable.
    """
    with closing(fold_in_parts(ledger, cut, wanted, at, kinds)) as parts:
        part = next(parts)
    assert part
    return part


def fold_in_parts(
    ledger: Ledger,
    cut: int,
    wanted: Range,
    at: LeafPoint | None = None,
    kinds: Kinds = None,
    *,
    pause_after: int | None = None,
) -> Generator[FoldedPart | None]:
    """Fold a range as ``fold_range`` does, and yield all its parts, and None after each ``pause_after`` events in between."""
    projector, done, leaves = Projector(ledger.billing_context(cut), ledger.events_at, kinds), 0, NOTHING
    pause = pause_after or PART_EVENTS_MAX
    with closing(_pieces(projector, ledger, cut, wanted)) as pieces:
        for events in pieces:
            done += len(events)
            if at:
                leaves = multiply_events(leaves, at, events)
            if done >= PART_EVENTS_MAX and isinstance(wanted, StreamRange):
                last = events[-1]
                yield FoldedPart(projector.batch, done, StreamRange(last.stream, wanted.last, last.version), leaves)
                projector.batch, done, leaves = RowBatch(kinds), 0, NOTHING
                pause = pause_after or PART_EVENTS_MAX
            elif pause_after and done >= pause:
                yield None
                pause = done + pause_after
    yield FoldedPart(projector.batch, done, None, leaves)


def _pieces(projector: Projector, ledger: Ledger, cut: int, wanted: Range) -> Generator[list[LogRow]]:
    """Add the rows of each call and each other event; yield the events of each."""
    if isinstance(wanted, PositionSpan):
        yield from fold_span(projector, ledger, cut, wanted)
        return
    rows: Any = ledger.store.read_by_stream(cut, *wanted)
    with closing(rows):
        yield from _pieces_by_stream(projector, rows)


def _pieces_by_stream(projector: Projector, rows: Iterator[LogRow]) -> Iterator[list[LogRow]]:
    for _, stream in groupby(rows, key=_stream):
        first = next(stream)
        if is_of_call(first):
            events = [first, *stream]  # noqa: B031 - the rest of what has begun
            projector.add_stream(events)
            yield events
        else:
            for row in chain((first,), stream):
                projector.add(row)
                yield [row]


class SequentialFolding:
    """Folds in this process, one range after the other."""

    jobs = 1

    def __init__(self, kinds: Kinds = None) -> None:
        """Make rows of all classes, or of some."""
        self._kinds = kinds

    def __call__(  # noqa: D102
        self,
        ledger: Ledger,
        cut: int,
        ranges: Iterable[Range],
        at: LeafPoint | None = None,
        into: SharedBuild | None = None,  # noqa: ARG002 - whoever calls writes what is folded here
    ) -> Iterator[FoldedPart]:
        for each in ranges:
            left: Range | None = each
            while left:
                part = fold_range(ledger, cut, left, at, self._kinds)
                yield part
                left = part.rest


SEQUENTIAL = SequentialFolding()
