"""Runs among suspects (SPEC 9.7): three or more, consecutive in time, whose twins lie earlier by the same shift.

A call may have several equal calls before it; in a run, the one at the run's shift is its twin, so that a stretch is found even
where calls of one price are frequent. A few suspects with other shifts may lie in between: live calls go on while a stretch
is sent again. The twins of a run all lie before its first suspect: else calls at even intervals would be runs.

Where suspects are frequent, some of them have the same shift by chance. So a run counts only if chance alone would hardly make one
like it among so many suspects: each suspect is evidence, the more, the fewer equal calls it has. A call so frequent that there is a
twin at a quarter of all shifts tells nothing. It makes no run and breaks none; a run has it if it lies within.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Container, Hashable, Iterator, Sequence
from functools import lru_cache
from math import log2
from typing import TYPE_CHECKING, NamedTuple

from domain import times as units
from projections.queries.equal_calls import EqualCalls

if TYPE_CHECKING:
    from projections.queries.shift_votes import Stretch

RUN_LEAST = 3
BETWEEN_MAX = 10  # So many suspects with other shifts may lie between two of a run.
CHANCE_OF = 20  # Fewer than one in ten searches may show a run that is chance, and there are two ways to weigh one.
CROWDED = 4  # Equal calls crowd in a quarter of the time, the hours and days of work; but not so within a day.
BIT = 64  # Evidence is in 64ths of a bit: that of a suspect says how unlikely its twin is by chance.
# In a run with others in between, a suspect is taken to have the shift with a chance of a quarter: by so much less it tells.
QUARTER = 4
TAX = 2 * BIT
MISS = 27  # And one with another shift tells against the run by log2(4/3) bits.


class TwinPair(NamedTuple):
    """A suspect and its twin, as places in the lists."""

    suspect: int
    twin: int


class RunFinder:
    """Finds suspects and runs among calls in order of time; times, ``window`` and ``grace`` are microseconds."""

    def __init__(self, times: Sequence[int], keys: Sequence[Hashable], window: int, grace: int) -> None:
        """Take the calls; ``window`` is how far back a twin can be, ``grace`` how much the shifts of a run may differ."""
        self._calls = EqualCalls(times, keys, window, grace)
        # Most calls have no twin, or as many as others, and lie a whole window after the first call.
        weigh = lru_cache(maxsize=None)(self._weigh)
        known = (min(window, at - times[0]) for at in times)
        self._evidence = [
            weigh(twins, before) if twins else 0 for twins, before in zip(self._calls.twins, known, strict=True)
        ]

    def suspects(self, wanted: Sequence[bool]) -> list[TwinPair]:
        """Return those of the wanted calls that have an equal one within the window, with the nearest one as twin."""
        calls = self._calls
        return [
            TwinPair(place, calls.nearest_twin(place))
            for place, is_wanted in enumerate(wanted)
            if is_wanted and calls.twins[place]
        ]

    def runs(self, suspects: Sequence[TwinPair]) -> list[list[TwinPair]]:
        """Return the runs among suspects that are in order of time; no suspect is in two of them."""
        places = [pair.suspect for pair in suspects]
        telling = [place for place in places if self._evidence[place]]
        used: set[int] = set()
        found = [
            self._filled(*run, places, used)
            for stretch in self._stretches(telling)
            for run in self._runs_of(stretch, telling, used)
        ]
        return sorted(found)

    def _runs_of(
        self, stretch: "Stretch", telling: Sequence[int], used: Container[int]
    ) -> Iterator[tuple[list[TwinPair], int]]:
        """Yield the runs of a stretch, each with its shift, before those used in others come to be known."""
        # What may be chance is not begun anew from its middle.
        passed: set[int] = set()
        for first in stretch.orders:
            if telling[first] in used or telling[first] in passed:
                continue
            shifts = self._calls.shifts(telling[first], stretch.least, stretch.below)
            tried = [(*self.run(telling, first, shift, used), shift) for shift in shifts]
            pairs, length, shift = max(tried, key=lambda each: (each[1], len(each[0])), default=([], 0, 0))
            if length:
                yield pairs[:length], shift
            else:
                passed.update(pair.suspect for pair in pairs)

    def run(self, telling: Sequence[int], first: int, shift: int, used: Container[int]) -> tuple[list[TwinPair], int]:
        """Return those from one of the suspects on that have a shift, and how many are a run: none, if it may be chance.

        A run ends where the evidence is greatest. Those used in other runs are not in it.
        """
        calls, before = self._calls, self._calls.times[telling[first]]
        run: list[TwinPair] = []
        most, length = _needed(len(telling), calls.twins[telling[first]]), 0
        gapless, loose, between, is_gapless = 0, 0, 0, True
        for order in range(first, len(telling)):
            place = telling[order]
            twin = None if place in used else calls.twin_at(place, shift, before)
            if twin is None:
                between += 1
                if between > BETWEEN_MAX or calls.times[place] - shift - calls.grace >= before:
                    break
                continue
            run.append(TwinPair(place, twin))
            if order == first:
                continue
            is_gapless = is_gapless and not between
            gapless += self._evidence[place]
            loose += self._evidence[place] - TAX - MISS * between
            between = 0
            evidence = max(loose, gapless if is_gapless else 0)
            if evidence >= most and len(run) >= RUN_LEAST:
                most, length = evidence, len(run)
        return run, length

    def _weigh(self, twins: int, known: int) -> int:
        """Return how much it tells that a call with so many twins has one at the shift of a run, 0 where it has one at most shifts.

        The calls of so long before it are known, in microseconds.
        """
        spread = max(known // CROWDED, min(known, units.DAY))
        covered = twins * (2 * self._calls.grace + 1)
        return int(BIT * (log2(spread) - log2(covered))) if 0 < QUARTER * covered < spread else 0

    def _stretches(self, telling: Sequence[int]) -> "list[Stretch]":
        """Return where runs can be among suspects that tell something."""
        if len(telling) < RUN_LEAST:
            return []
        from projections.queries.shift_votes import Scale, find_stretches  # noqa: PLC0415 - numpy takes a while

        scale = Scale(BIT, TAX, MISS, _needed(len(telling), 1), BETWEEN_MAX)
        return find_stretches(self._calls, telling, [self._evidence[place] for place in telling], scale)

    def _filled(self, run: Sequence[TwinPair], shift: int, places: Sequence[int], used: set[int]) -> list[TwinPair]:
        """Return a run with all suspects that lie within it and have a twin at its shift, however little they tell.

        All of them are used then.
        """
        begin, end = bisect_left(places, run[0].suspect), bisect_right(places, run[-1].suspect)
        before = self._calls.times[run[0].suspect]
        twins = ((place, self._calls.twin_at(place, shift, before)) for place in places[begin:end] if place not in used)
        whole = [TwinPair(place, twin) for place, twin in twins if twin is not None]
        used.update(pair.suspect for pair in whole)
        return whole


def _needed(suspects: int, twins: int) -> int:
    """Return the evidence that a run needs among so many suspects, whose first has so many twins: so many runs may begin."""
    return int(BIT * log2(CHANCE_OF * max(1, suspects + 1 - RUN_LEAST) * twins))
