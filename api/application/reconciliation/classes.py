"""The classes of matched records, and the money of each class and tag."""

from collections.abc import Sequence
from enum import StrEnum
from operator import add
from typing import NamedTuple

from api.application.reconciliation.columns import CENTS, CREDITS, DURATIONS
from api.application.reconciliation.matching import MatchPair


class MatchClass(StrEnum):
    """The classes; each record of either side is in exactly one of them."""

    EXACT = "exact"
    WITHIN_TOLERANCE = "within-tolerance"
    DURATION_DIFFERS = "duration-differs"
    PRICE_DIFFERS = "price-differs"
    MISSING_HERE = "missing-here"
    MISSING_THERE = "missing-there"


AGREED = (MatchClass.EXACT, MatchClass.WITHIN_TOLERANCE)


def classify(pair: MatchPair, compared: Sequence[str], tolerance: int) -> MatchClass:
    """Return the class of a pair; durations may differ by ``tolerance`` seconds per leg, charges must be equal.

    If a duration differs by more, a difference of the charges follows from it: that is one finding, not two.
    """
    if pair.here is None:
        return MatchClass.MISSING_HERE
    if pair.there is None:
        return MatchClass.MISSING_THERE
    if pair.here.numbers == pair.there.numbers:
        return MatchClass.EXACT
    triples = list(zip(compared, pair.here.numbers, pair.there.numbers, strict=True))
    if any(abs(ours - theirs) > tolerance for name, ours, theirs in triples if name in DURATIONS):
        return MatchClass.DURATION_DIFFERS
    if any(ours != theirs for name, ours, theirs in triples if name not in DURATIONS):
        return MatchClass.PRICE_DIFFERS
    return MatchClass.WITHIN_TOLERANCE


class ChargedAmounts(NamedTuple):
    """Millionths of a US cent and of a SIP credit, of the charges that are compared."""

    cents: int
    credits: int

    def __add__(self, other: object) -> "ChargedAmounts":
        assert isinstance(other, ChargedAmounts)
        return ChargedAmounts(self.cents + other.cents, self.credits + other.credits)


NOTHING = ChargedAmounts(0, 0)


def charged_amounts(numbers: Sequence[int], compared: Sequence[str]) -> ChargedAmounts:
    """Return the charges among compared numbers."""
    named = list(zip(compared, numbers, strict=True))
    return ChargedAmounts(*(sum(number for name, number in named if name in unit) for unit in (CENTS, CREDITS)))


class ClassTotal(NamedTuple):
    """The number of pairs (or unmatched records) in a class, and their charges here and there."""

    records: int = 0
    here: ChargedAmounts = NOTHING
    there: ChargedAmounts = NOTHING

    def __add__(self, other: object) -> "ClassTotal":
        assert isinstance(other, ClassTotal)
        return ClassTotal(self.records + other.records, self.here + other.here, self.there + other.there)


class NumberSums:
    """The pairs (or unmatched records) of a class so far: how many, and the sum of each compared number here and there."""

    __slots__ = ("_here", "_there", "records")

    def __init__(self, compared: Sequence[str]) -> None:
        """Start with no pairs."""
        self.records = 0
        self._here = self._there = [0] * len(compared)

    def add(self, pair: MatchPair) -> None:
        """Add a pair."""
        here, there = pair
        self.records += 1
        if here:
            self._here = list(map(add, self._here, here.numbers))
        if there:
            self._there = list(map(add, self._there, there.numbers))

    def total(self, compared: Sequence[str]) -> ClassTotal:
        """Return what they charge."""
        here, there = (charged_amounts(numbers, compared) for numbers in (self._here, self._there))
        return ClassTotal(self.records, here, there)
