"""Matches our records with theirs, for one tag and number: one to one, within a time window.

The goals, in order: as many exact pairs as possible, as many pairs as possible, the least total difference, and the
nearest times. The distance between a call and a time is measured from the call's span, since a statement may name the
beginning or the end of a call.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple

from api.application.reconciliation.assignment import assign
from api.application.reconciliation.record_spool import OURS, THEIRS, MatchRecord

ASSIGNED_MAX = 200


class MatchPair(NamedTuple):
    """A record of ours and the matching one of theirs; None if one is missing."""

    here: MatchRecord | None
    there: MatchRecord | None


class DistanceMeasure(NamedTuple):
    """The maximum distance in time (``window``, microseconds), and the weights of the units."""

    window: int
    weights: tuple[int, ...]

    def apart(self, here: MatchRecord, there: MatchRecord) -> int:
        """Return the distance between a time and a call's span, in microseconds."""
        return max(0, here.first_at - there.at, there.at - here.at)

    def difference(self, here: MatchRecord, there: MatchRecord) -> int:
        """Return the weighted difference of two records."""
        pairs = zip(here.numbers, there.numbers, self.weights, strict=True)
        return sum(abs(ours - theirs) * weight for ours, theirs, weight in pairs)


def match_records(group: Iterable[MatchRecord], measure: DistanceMeasure) -> Iterator[MatchPair]:
    """Match the records of one tag and number, which come in order of time."""
    rest = iter(group)
    first = list(islice(rest, 2 * ASSIGNED_MAX + 1))
    ours = [record for record in first if record.side == OURS]
    theirs = [record for record in first if record.side == THEIRS]
    if max(len(ours), len(theirs)) > ASSIGNED_MAX:
        return _in_order_of_time(chain(first, rest), measure)
    return _assigned(ours, theirs, measure)


def _assigned(ours: list[MatchRecord], theirs: list[MatchRecord], measure: DistanceMeasure) -> Iterator[MatchPair]:
    columns = assign(*_costs(ours, theirs, measure))
    for here, column in zip(ours, columns, strict=True):
        yield MatchPair(here, None if column is None else theirs[column])
    for column in sorted({*range(len(theirs))} - {*columns}):
        yield MatchPair(None, theirs[column])


def _costs(
    ours: list[MatchRecord], theirs: list[MatchRecord], measure: DistanceMeasure
) -> tuple[list[dict[int, int]], int]:
    """Return the costs of pairs, and the cost of a record of ours without one.

    The goals are digits of one number, so that lesser goals never outweigh a greater one.
    """
    count = min(len(ours), len(theirs))
    times = (measure.window + 1) * count
    costs = [
        {
            column: measure.difference(here, there) * times + measure.apart(here, there)
            for column, there in enumerate(theirs)
            if measure.apart(here, there) <= measure.window
        }
        for here in ours
    ]
    alone = max((cost for row in costs for cost in row.values()), default=0) * count + 1
    inexact = alone * (count + 1)
    for row in costs:
        for column, cost in row.items():
            row[column] = cost + (inexact if cost >= times else 0)
    return costs, inexact + alone


def _in_order_of_time(group: Iterable[MatchRecord], measure: DistanceMeasure) -> Iterator[MatchPair]:
    """Match each record with the earliest unmatched record of the other side within the window."""
    waiting: deque[MatchRecord] = deque()
    for record in group:
        while waiting and waiting[0].side != record.side and not _near(waiting[0], record, measure):
            yield _pair(waiting.popleft(), None)
        if waiting and waiting[0].side != record.side:
            yield _pair(waiting.popleft(), record)
        else:
            waiting.append(record)
    yield from (_pair(record, None) for record in waiting)


def _near(earlier: MatchRecord, later: MatchRecord, measure: DistanceMeasure) -> bool:
    here, there = (earlier, later) if earlier.side == OURS else (later, earlier)
    return measure.apart(here, there) <= measure.window


def _pair(one: MatchRecord, other: MatchRecord | None) -> MatchPair:
    return MatchPair(one, other) if one.side == OURS else MatchPair(other, one)
