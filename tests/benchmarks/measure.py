"""What a benchmark is: ours and its yardstick, measured in turns, and the medians and ratios of the pairs.

The yardstick goes first in each pair and the two take turns, so that whatever else the machine does meets both.
"""

import gc
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
        if self.must_reach is None or self.aim is None:
            return ""
        if self._is_within(self.aim):
            return "aim"
        return "yes" if self._is_within(self.must_reach) else "no"

    def _is_within(self, mark: float) -> bool:
        return self.ratio <= mark if self.at_most else self.ratio >= mark


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


def per_second(count: int, work: Callable[[], object]) -> float:
    """Return how many of ``count`` things a second the work did, after what others left behind is cleared away."""
    gc.collect()
    begun = time.perf_counter()
    work()
    return count / (time.perf_counter() - begun)
