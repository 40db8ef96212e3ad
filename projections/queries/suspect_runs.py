"""Runs among suspects (SPEC 9.7): three or more, consecutive in time, whose twins lie earlier by the same shift.

The calls come as parallel lists of times and keys, so this knows no table. Equal keys mean equal calls. A call may have several
equal calls before it; in a run, the one at the run's shift is its twin, so that a stretch is found even where calls of one
price are frequent. A few suspects with other shifts may lie in between: live calls go on while a stretch is sent again. The
twins of a run all lie before its first suspect: else calls at even intervals would be runs.

Where suspects are frequent, some three of them have the same shift by chance. So a run counts only if chance alone would hardly give
one of its length among so many suspects.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

RUN_LEAST = 3
BETWEEN_MAX = 10  # So many suspects with other shifts may lie between two of a run.
TWINS_TRIED = 50
CHANCE_OF = 10  # Fewer than one in ten searches may show a run that is chance.


class TwinPair(NamedTuple):
    """A suspect and its twin, as places in the lists."""

    suspect: int
    twin: int


class RunFinder:
    """Finds suspects and runs among calls in order of time; times, ``window`` and ``grace`` are microseconds."""

    def __init__(self, times: Sequence[int], keys: Sequence[Hashable], window: int, grace: int) -> None:
        """Take the calls; ``window`` is how far back a twin can be, ``grace`` how much the shifts of a run may differ."""
        self._times = times
        self._keys = keys
        self._window = window
        self._grace = grace
        self._places: dict[Hashable, list[int]] = {}
        self._number: list[int] = []  # The number of each call among its equals.
        for place, key in enumerate(keys):
            equals = self._places.setdefault(key, [])
            self._number.append(len(equals))
            equals.append(place)

    def suspects(self, wanted: Sequence[bool]) -> list[TwinPair]:
        """Return those of the wanted calls that have an equal one within the window, with the nearest one as twin."""
        return [
            TwinPair(place, twins[0])
            for place, is_wanted in enumerate(wanted)
            if is_wanted and (twins := self._twins(place, 1))
        ]

    def runs(self, suspects: Sequence[TwinPair]) -> list[list[TwinPair]]:
        """Return the runs among suspects that are in order of time; no suspect is in two of them."""
        used: set[int] = set()
        found = []
        places = [pair.suspect for pair in suspects]
        waiting = sorted(self._stretches(suspects), key=len)
        while waiting:
            stretch = [place for place in waiting.pop() if place not in used]
            run = self._best_run(stretch)
            if len(run) < RUN_LEAST or self._may_be_chance(run, places):
                continue
            found.append(run)
            used.update(pair.suspect for pair in run)
            rest = [place for place in stretch if place not in used]
            if len(rest) >= RUN_LEAST:
                waiting.append(rest)
        return sorted(found)

    def _twins(self, place: int, most: int) -> list[int]:
        """Return equal calls within the window before a call, the nearest first."""
        number = self._number[place]
        if not number:
            return []
        equals = self._places[self._keys[place]][max(0, number - most) : number]
        earliest = self._times[place] - self._window
        if self._times[equals[0]] < earliest:
            equals = [each for each in equals if self._times[each] >= earliest]
        return equals[::-1]

    def _stretches(self, suspects: Sequence[TwinPair]) -> Iterator[list[int]]:
        """Yield stretches of suspects with about the same shift: candidates for runs.

        Shifts are put into buckets twice as wide as those of a run can differ; a second set of them overlaps the first, so that
        no run is cut.
        """
        half = 2 * self._grace + 1
        # Numbered by halves of a bucket, each bucket begins at one of them: even numbers are one set, odd ones the other.
        buckets: defaultdict[int, list[int]] = defaultdict(list)
        times = self._times
        for order, (place, _) in enumerate(suspects):
            halves = {(times[place] - times[twin]) // half for twin in self._twins(place, TWINS_TRIED)}
            for bucket in halves | {number - 1 for number in halves}:
                buckets[bucket].append(order)
        for orders in buckets.values():
            if len(orders) >= RUN_LEAST:
                yield from ([suspects[order].suspect for order in part] for part in _dense_parts(orders))

    def _best_run(self, stretch: Sequence[int]) -> list[TwinPair]:
        """Return the longest run that begins with the first suspect of a stretch from which one begins."""
        for start in range(len(stretch) - RUN_LEAST + 1):
            first = stretch[start]
            shifts = [self._times[first] - self._times[twin] for twin in self._twins(first, TWINS_TRIED)]
            runs = (self._run(stretch[start:], shift) for shift in shifts)
            best = max(runs, key=len, default=[])
            if len(best) >= RUN_LEAST:
                return best
        return []

    def _run(self, stretch: Sequence[int], shift: int) -> list[TwinPair]:
        """Return the suspects of a stretch with a twin at a shift, each with that twin."""
        run = []
        for place in stretch:
            twin = self._twin_at(place, shift, self._times[stretch[0]])
            if twin is not None:
                run.append(TwinPair(place, twin))
            elif not run or self._times[place] - shift >= self._times[stretch[0]]:
                break
        return run

    def _twin_at(self, place: int, shift: int, before: int) -> int | None:
        """Return the equal call that lies earlier by about a shift, nearest to it, and before a time; else None."""
        equals, at = self._places[self._keys[place]], self._times[place] - shift
        number = bisect_left(equals, at, hi=self._number[place], key=self._times.__getitem__)
        near = [each for each in equals[max(0, number - 1) : number + 1] if self._times[each] < before and each < place]
        best = min(near, key=lambda each: abs(self._times[each] - at), default=None)
        return None if best is None or abs(self._times[best] - at) > self._grace else best

    def _may_be_chance(self, run: Sequence[TwinPair], places: Sequence[int]) -> bool:
        """Whether chance alone would give such a run among suspects at these places.

        The first suspect's twins are so many shifts; each later suspect has one of them by chance about as often as its equal
        calls cover the time before it, and the more so the more suspects lie in between.
        """
        many, of = len(places) * max(1, len(self._twins(run[0].suspect, TWINS_TRIED))), 1
        for earlier, later in pairwise(run):
            if many * CHANCE_OF < of:
                return False
            between = bisect_left(places, later.suspect) - bisect_left(places, earlier.suspect)
            known = min(self._window, self._times[later.suspect] - self._times[0])
            covered = between * len(self._twins(later.suspect, TWINS_TRIED)) * (2 * self._grace + 1)
            if covered < known:
                many, of = many * covered, of * known
        return many * CHANCE_OF >= of


def _dense_parts(orders: Sequence[int]) -> Iterator[list[int]]:
    """Split ascending numbers where more than a few are missing between two; leave out short parts."""
    part = [orders[0]]
    for order in orders[1:]:
        if order - part[-1] > BETWEEN_MAX + 1:
            if len(part) >= RUN_LEAST:
                yield part
            part = []
        part.append(order)
    if len(part) >= RUN_LEAST:
        yield part
