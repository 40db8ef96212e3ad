"""Calls in order of time, and which of them equal an earlier one: what suspects and their runs are found by (SPEC 9.7)."""

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Sequence


class EqualCalls:
    """Calls as parallel lists of times and keys; equal keys mean equal calls. Times, window and grace are microseconds.

    ``slots`` has the place of each call in ``equals``, which has the times of equal calls together and in order. ``twins`` has
    how many equal calls lie before each call, no further back than the window.
    """

    def __init__(self, times: Sequence[int], keys: Sequence[Hashable], window: int, grace: int) -> None:
        """Take the calls; ``window`` is how far back a twin can be, ``grace`` how much shifts that count as one may differ."""
        self.times, self.window, self.grace = times, window, grace
        self.slots, self.twins = [0] * len(times), [0] * len(times)
        places_of: dict[Hashable, list[int]] = {}
        for place, key in enumerate(keys):
            places_of.setdefault(key, []).append(place)
        self._places = [place for places in places_of.values() for place in places]
        self.equals = [times[place] for place in self._places]
        begin = 0
        for places in places_of.values():
            self._count_twins(places, begin)
            begin += len(places)

    def _count_twins(self, places: Sequence[int], begin: int) -> None:
        earliest = begin
        for slot, place in enumerate(places, begin):
            while self.equals[earliest] < self.times[place] - self.window:
                earliest += 1
            self.slots[place] = slot
            self.twins[place] = slot - earliest

    def nearest_twin(self, place: int) -> int:
        """Return the last call before one that has twins which equals it."""
        return self._places[self.slots[place] - 1]

    def twin_at(self, place: int, shift: int, before: int) -> int | None:
        """Return the twin that lies earlier by about a shift, nearest to it, and before a time; else None."""
        equals, last, at = self.equals, self.slots[place], self.times[place] - shift
        earliest = last - self.twins[place]
        slot = bisect_left(equals, at, earliest, last)
        if slot == last or (slot > earliest and (equals[slot] >= before or at - equals[slot - 1] <= equals[slot] - at)):
            slot -= 1
        is_twin = slot >= earliest and equals[slot] < before and abs(equals[slot] - at) <= self.grace
        return self._places[slot] if is_twin else None

    def shifts(self, place: int, least: int, below: int) -> list[int]:
        """Return the shifts to a call's twins, from the least on and below another, in ascending order."""
        last, at = self.slots[place], self.times[place]
        begin = bisect_right(self.equals, at - below, last - self.twins[place], last)
        end = bisect_right(self.equals, at - least, begin, last)
        return [at - twin_at for twin_at in reversed(self.equals[begin:end])]
