"""Finds one factor between all charges of a statement and ours: the statement is then in another unit."""

from collections.abc import Sequence
from fractions import Fraction

from api.application.reconciliation.columns import DURATIONS
from api.application.reconciliation.matching import MatchPair

CHARGES_LEAST = 3
# Rounding of a statement in another unit moves its charges by so much at most: a part in fifty.
ROUNDING = Fraction(1, 50)
USUAL = [Fraction(10) ** power for power in (-6, -4, -3, -2, -1, 1, 2, 3, 4, 6)]


class ChargeFactor:
    """The range of theirs divided by ours, over all charges of pairs that are not 0 on both sides."""

    def __init__(self) -> None:
        """Start without charges."""
        self._count = 0
        self._least: Fraction | None = None
        self._most: Fraction | None = None
        self._differs = False
        self._holds_one = False

    def add(self, pair: MatchPair, compared: Sequence[str]) -> None:
        """Add the charges of a pair."""
        if pair.here is None or pair.there is None or self._differs:
            return
        if self._holds_one and self._count >= CHARGES_LEAST and pair.here.numbers == pair.there.numbers:
            return  # Equal charges change nothing any more.
        for name, ours, theirs in zip(compared, pair.here.numbers, pair.there.numbers, strict=True):
            if name in DURATIONS or not (ours or theirs):
                continue
            if not ours or not theirs:
                self._differs = True  # No factor makes something of nothing.
                return
            self._count += 1
            if ours != theirs or not self._holds_one:
                self._widen(Fraction(theirs, ours))

    def _widen(self, ratio: Fraction) -> None:
        self._least = ratio if self._least is None else min(self._least, ratio)
        self._most = ratio if self._most is None else max(self._most, ratio)
        # Most charges are equal: their ratio is worked out once.
        self._holds_one = self._least <= 1 <= self._most

    @property
    def factor(self) -> Fraction | None:
        """By what each of our charges must be multiplied to be theirs, or None if no one factor does that, or it is 1."""
        least, most = self._least, self._most
        if self._differs or self._count < CHARGES_LEAST or least is None or most is None:
            return None
        if least == most:
            return None if least == 1 else least
        usual = (each for each in USUAL if abs(least - each) <= each * ROUNDING and abs(most - each) <= each * ROUNDING)
        return next(usual, None)
