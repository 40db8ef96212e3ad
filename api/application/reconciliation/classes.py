"""The classes of matched records, and the money of each class and tag."""

from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from api.application.reconciliation.columns import CENTS, CREDITS, DURATIONS
from api.application.reconciliation.matching import MatchPair
from api.application.reconciliation.record_spool import MatchRecord


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


def charged_amounts(record: MatchRecord | None, compared: Sequence[str]) -> ChargedAmounts:
    """Return the charges of a record."""
    if record is None:
        return NOTHING
    cents, credited = _places(tuple(compared))
    numbers = record.numbers
    return ChargedAmounts(sum([numbers[place] for place in cents]), sum([numbers[place] for place in credited]))


@cache
def _places(compared: tuple[str, ...]) -> tuple[list[int], list[int]]:
    """Return where the cents and the credits are among the compared numbers."""
    cents, credited = ([place for place, name in enumerate(compared) if name in unit] for unit in (CENTS, CREDITS))
    return cents, credited


class ClassTotal(NamedTuple):
    """The number of pairs (or unmatched records) in a class, and their charges here and there."""

    records: int = 0
    here: ChargedAmounts = NOTHING
    there: ChargedAmounts = NOTHING

    def plus(self, here: ChargedAmounts, there: ChargedAmounts, records: int = 1) -> "ClassTotal":
        """Return the sum of two totals."""
        return ClassTotal(self.records + records, self.here + here, self.there + there)
