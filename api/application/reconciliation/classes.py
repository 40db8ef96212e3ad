"""What became of a record: the class it is in, and the money of each class and tag."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from api.application.reconciliation.columns import CENTS, CREDITS, DURATIONS
from api.application.reconciliation.matching import Pair
from api.application.reconciliation.record_spool import Record


class Verdict(StrEnum):
    """The classes; each record of either side is in exactly one of them."""

    EXACT = "exact"
    WITHIN_TOLERANCE = "within-tolerance"
    DURATION_DIFFERS = "duration-differs"
    PRICE_DIFFERS = "price-differs"
    MISSING_HERE = "missing-here"
    MISSING_THERE = "missing-there"


AGREED = (Verdict.EXACT, Verdict.WITHIN_TOLERANCE)


def judge(pair: Pair, compared: Sequence[str], tolerance: int) -> Verdict:
    """Return the class of a pair; durations may differ by ``tolerance`` seconds on each leg, charges by nothing.

    Where a duration differs by more, the charges differ because of it, if they do: that is one finding, not two.
    """
    if pair.here is None:
        return Verdict.MISSING_HERE
    if pair.there is None:
        return Verdict.MISSING_THERE
    if pair.here.numbers == pair.there.numbers:
        return Verdict.EXACT
    triples = list(zip(compared, pair.here.numbers, pair.there.numbers, strict=True))
    if any(abs(ours - theirs) > tolerance for name, ours, theirs in triples if name in DURATIONS):
        return Verdict.DURATION_DIFFERS
    if any(ours != theirs for name, ours, theirs in triples if name not in DURATIONS):
        return Verdict.PRICE_DIFFERS
    return Verdict.WITHIN_TOLERANCE


class Money(NamedTuple):
    """Millionths of a US cent and of a SIP credit, of the charges that are compared."""

    cents: int
    credits: int

    def __add__(self, other: object) -> "Money":
        assert isinstance(other, Money)
        return Money(self.cents + other.cents, self.credits + other.credits)


NOTHING = Money(0, 0)


def money(record: Record | None, compared: Sequence[str]) -> Money:
    """Return what a record charges."""
    if record is None:
        return NOTHING
    named = list(zip(compared, record.numbers, strict=True))
    return Money(
        sum(value for name, value in named if name in CENTS), sum(value for name, value in named if name in CREDITS)
    )


class Total(NamedTuple):
    """How many pairs (or lone records) are in a class, and what they charge here and there."""

    records: int = 0
    here: Money = NOTHING
    there: Money = NOTHING

    def plus(self, here: Money, there: Money, records: int = 1) -> "Total":
        """Return the total with some more."""
        return Total(self.records + records, self.here + here, self.there + there)
