"""Matches our records with theirs, for one tag and number: one to one, within a time window.

The goals, in order: as many exact pairs as possible, as many pairs as possible, the least total difference, and the
nearest times. The distance between a call and a time is measured from the call's span, since a statement may name the
beginning or the end of a call.

Records are first divided where nothing is near. A part that is small is assigned as a whole. In a larger one, exact pairs are
found first, the nearest ones, and what is left is divided again and assigned; where so many are left, they are matched in
order of time.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from api.application.reconciliation.assignment import assign
from api.application.reconciliation.record_spool import OURS, THEIRS, MatchRecord

ASSIGNED_MAX = 200
PART_MAX = 20_000  # More are not kept in memory at once.
NEAR_MAX = 100


class MatchPair(NamedTuple):
    """A record of ours and the matching one of theirs; None if one is missing."""

    here: MatchRecord | None
    there: MatchRecord | None


class DistanceMeasure(NamedTuple):
    """The maximum distance in time (``window``, microseconds), and the weights of the units."""

    window: int
    weights: tuple[int, ...]

    def apart(self, here: MatchRecord, there: MatchRecord) -> int:
        """Return the distance between a call's span and a time, in microseconds; of two readings of a time, the nearer counts."""
        first = max(0, here.first_at - there.first_at, there.first_at - here.at)
        return first if there.first_at == there.at else min(first, max(0, here.first_at - there.at, there.at - here.at))

    def difference(self, here: MatchRecord, there: MatchRecord) -> int:
        """Return the weighted difference of two records."""
        pairs = zip(here.numbers, there.numbers, self.weights, strict=True)
        return sum(abs(ours - theirs) * weight for ours, theirs, weight in pairs)


def match_records(group: Iterable[MatchRecord], measure: DistanceMeasure) -> Iterator[MatchPair]:
    """Match the records of one tag and number, which come in the order in which they begin.

    Of two readings of a time, a pair has the nearer one, and a record without a counterpart the first.
    """
    part: list[MatchRecord] = []
    reach, window = 0, measure.window
    for record in group:
        if record.first_at > reach and part:
            yield from _match_part(part, measure)
            part, reach = [], 0
        elif len(part) >= PART_MAX:
            pairs = _match_part(part, measure)
            open_pairs = [pair for pair in pairs if _waits(pair, record.first_at - measure.window)][-PART_MAX // 2 :]
            waiting = set(map(id, open_pairs))
            yield from (pair for pair in pairs if id(pair) not in waiting)
            part = sorted((each for pair in open_pairs for each in pair if each), key=_begin)
        part.append(record)
        reach = max(reach, record.at + window)
    if part:
        yield from _match_part(part, measure)


def _waits(pair: MatchPair, since: int) -> bool:
    """Whether a record is alone that may still find a counterpart among those that come later."""
    record = pair.here or pair.there
    return None in pair and record is not None and record.at >= since


def _match_part(part: Sequence[MatchRecord], measure: DistanceMeasure) -> list[MatchPair]:
    pairs = _match_few(part, measure) or (_assigned(part, measure) if _is_small(part) else _match_large(part, measure))
    return [_with_one_reading(pair, measure) for pair in pairs]


def _match_few(part: Sequence[MatchRecord], measure: DistanceMeasure) -> list[MatchPair]:
    """Match a part of one record, or of one on each side, as assigning it would; return nothing for any other."""
    first, last = part[0], part[-1]
    if len(part) == 1:
        return [_pair(first, None)]
    if len(part) == 2 and first.side != last.side:  # noqa: PLR2004
        pair = _pair(first, last)
        assert pair.here
        assert pair.there
        near = measure.apart(pair.here, pair.there) <= measure.window
        return [pair] if near else [MatchPair(pair.here, None), MatchPair(None, pair.there)]
    return []


def _with_one_reading(pair: MatchPair, measure: DistanceMeasure) -> MatchPair:
    here, there = pair
    if there is None or there.first_at == there.at:
        return pair
    first, second = (there._replace(first_at=at, at=at) for at in (there.first_at, there.at))
    is_second = here is not None and measure.apart(here, second) < measure.apart(here, first)
    best = second if is_second else first
    return MatchPair(here, best)


def _parts(records: Iterable[MatchRecord], window: int) -> Iterator[list[MatchRecord]]:
    """Divide records, in the order in which they begin, where nothing is near."""
    part: list[MatchRecord] = []
    reach = 0
    for record in records:
        if part and record.first_at > reach:
            yield part
            part, reach = [], 0
        part.append(record)
        reach = max(reach, record.at + window)
    if part:
        yield part


def _is_small(part: Sequence[MatchRecord]) -> bool:
    ours = sum(record.side == OURS for record in part)
    return max(ours, len(part) - ours) <= ASSIGNED_MAX


def _match_large(part: Sequence[MatchRecord], measure: DistanceMeasure) -> Iterator[MatchPair]:
    left: list[MatchRecord] = []
    alike: dict[tuple[int, ...], list[MatchRecord]] = {}
    for record in part:
        alike.setdefault(record.numbers, []).append(record)
    for records in alike.values():
        for near in _parts(records, measure.window):
            for pair in _assigned(near, measure) if _is_small(near) else _nearest(near, measure):
                if pair.here and pair.there:
                    yield pair
                else:
                    left += [record for record in pair if record]
    for rest in _parts(sorted(left, key=_begin), measure.window):
        yield from _assigned(rest, measure) if _is_small(rest) else _in_order_of_time(rest, measure)


def _begin(record: MatchRecord) -> tuple[int, int]:
    return record.first_at, record.at


def _nearest(part: Sequence[MatchRecord], measure: DistanceMeasure) -> Iterator[MatchPair]:
    """Match records that are all alike: of what is left, those that are nearest to each other come first."""
    ours = [record for record in part if record.side == OURS]
    theirs = sorted((record for record in part if record.side == THEIRS), key=_begin)
    near = sorted(
        (apart, row, column)
        for row, here in enumerate(ours)
        for column, there in _near_ones(here, theirs, measure)
        if (apart := measure.apart(here, there)) <= measure.window
    )
    rows: dict[int, int] = {}
    columns: set[int] = set()
    for _, row, column in near:
        if row not in rows and column not in columns:
            rows[row] = column
            columns.add(column)
    for row, here in enumerate(ours):
        yield MatchPair(here, theirs[rows[row]] if row in rows else None)
    yield from (MatchPair(None, there) for column, there in enumerate(theirs) if column not in columns)


def _near_ones(
    here: MatchRecord, theirs: Sequence[MatchRecord], measure: DistanceMeasure
) -> Iterator[tuple[int, MatchRecord]]:
    """Yield the records of theirs that may be near, with their places: NEAR_MAX on each side of the call's end."""
    middle = bisect_left(theirs, (here.at, 0), key=_begin)
    first = max(0, middle - NEAR_MAX)
    for column, there in enumerate(theirs[first : middle + NEAR_MAX], start=first):
        if there.at >= here.first_at - measure.window and there.first_at <= here.at + measure.window:
            yield column, there


def _assigned(part: Sequence[MatchRecord], measure: DistanceMeasure) -> Iterator[MatchPair]:
    ours = [record for record in part if record.side == OURS]
    theirs = [record for record in part if record.side == THEIRS]
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
    for record in sorted(group, key=lambda each: each.at):
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
