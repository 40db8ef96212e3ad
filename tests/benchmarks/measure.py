"""What a benchmark is: ours and its yardstick, measured in turns, and the medians and ratios of the pairs.

The yardstick goes first in each pair and the two take turns, so that whatever else the machine does meets both.
"""

import gc
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Pair(NamedTuple):
    """One measurement of the yardstick and the one of ours that came right after it."""

    yardstick: float
    ours: float

    @property
    def ratio(self) -> float:
        """How many times the yardstick's figure ours is."""
        return self.ours / self.yardstick


@dataclass(slots=True)
class Row:
    """One line of the table; ``at_most`` is for figures that should be low, times and memory.

    A row that no mark was set for, ``must_reach`` None, tells what is so.
    """

    what: str
    against: str
    unit: str
    must_reach: float | None
    aim: float | None
    pairs: list[Pair]
    at_most: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """The ratio of each pair, lowest first."""
        return sorted(pair.ratio for pair in self.pairs)

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios."""
        return median(self.ratios)

    @property
    def ours(self) -> float:
        """The median of our figures."""
        return median(pair.ours for pair in self.pairs)

    @property
    def yardstick(self) -> float:
        """The median of the yardstick's figures."""
        return median(pair.yardstick for pair in self.pairs)

    @property
    def reached(self) -> str:
        """``no``, ``yes``, or ``aim`` where even the aim is reached; empty without marks."""
        if self.must_reach is None:
            return ""
        if self.aim is not None and self._is_within(self.aim):
            return "aim"
        return "yes" if self._is_within(self.must_reach) else "no"

    def _is_within(self, mark: float) -> bool:
        return self.ratio <= mark if self.at_most else self.ratio >= mark


class Limit(NamedTuple):
    """The seconds that were set for ``of`` things, and how many there are here."""

    seconds: float
    of: int
    here: int


class Sizes(NamedTuple):
    """How much is measured, how often, and in which directory the files are made."""

    directory: Path
    runs: int
    events: int
    library_events: int
    requests: int
    connections: int


def in_turns(runs: int, yardstick: Callable[[int], float], ours: Callable[[int], float]) -> list[Pair]:
    """Measure so many pairs; each side is given the number of its run."""
    pairs = []
    for run in range(runs):
        pairs.append(Pair(yardstick(run), ours(run)))
        print(f"  {run + 1}/{runs}: {pairs[-1].ratio:.3f}", file=sys.stderr, flush=True)
    return pairs


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds that the work took."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the seconds of processor time that the work took, that of the processes included which it started and which ended."""
    gc.collect()
    begun = _cpu()
    work()
    return _cpu() - begun


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def within(what: str, limit: Limit, runs: int, ours: Callable[[int], float]) -> Row:
    """Measure seconds against a limit that was set for so many things of a kind, of which there are so many here."""
    there = limit.seconds * limit.here / limit.of
    pairs = in_turns(runs, lambda _: there, ours)
    return Row(what, f"{limit.seconds:g} s for {limit.of:,}", " s", 1, None, pairs, at_most=True)


def per_second(count: int, work: Callable[[], object]) -> float:
    """Return how many of ``count`` things a second the work did, after what others left behind is cleared away."""
    gc.collect()
    begun = time.perf_counter()
    work()
    return count / (time.perf_counter() - begun)
