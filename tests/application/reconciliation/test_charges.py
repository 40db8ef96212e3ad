"""What the charges of matched records come to by class, and the one factor that may lie between all of theirs and ours."""

from fractions import Fraction

import pytest

from api.application.reconciliation.charge_factor import ChargeFactor
from api.application.reconciliation.classes import NOTHING, ChargedAmounts, ClassTotal, NumberSums, charged_amounts
from api.application.reconciliation.matching import MatchPair
from api.application.reconciliation.record_spool import OURS, THEIRS, MatchRecord

COMPARED = ("src_duration", "src_charge", "dest_charge", "src_sip_charge")


def record(side: int, *numbers: int) -> MatchRecord:
    return MatchRecord(side, "acme", "1", 0, 0, wanted=True, ref="", numbers=numbers)


def pair(ours: tuple[int, ...] | None, theirs: tuple[int, ...] | None) -> MatchPair:
    return MatchPair(record(OURS, *ours) if ours else None, record(THEIRS, *theirs) if theirs else None)


def factor(*pairs: MatchPair) -> Fraction | None:
    found = ChargeFactor()
    for each in pairs:
        found.add(each, COMPARED)
    return found.factor


def test_charges_are_added_up_by_their_unit_without_durations() -> None:
    assert charged_amounts((60, 1, 20, 300), COMPARED) == ChargedAmounts(21, 300)
    sums = NumberSums(COMPARED)
    assert sums.total(COMPARED) == ClassTotal(0, NOTHING, NOTHING)
    for each in (pair((60, 1, 20, 300), (61, 2, 40, 301)), pair(None, (0, 0, 5, 0)), pair((9, 1, 0, 9), None)):
        sums.add(each)
    total = ClassTotal(3, ChargedAmounts(22, 309), ChargedAmounts(47, 301))
    assert sums.total(COMPARED) == total
    assert total + ClassTotal(1, NOTHING, ChargedAmounts(3, 4)) == ClassTotal(4, total.here, ChargedAmounts(50, 305))


def test_an_exact_factor_is_any_but_1_and_needs_three_charges_that_are_not_0() -> None:
    dearer = pair((60, 100, 50, 0), (9, 120, 60, 0))
    assert factor(dearer, dearer) == Fraction(6, 5)
    assert factor(dearer) is None
    assert factor(dearer, pair((1, 10, 0, 0), (1, 12, 0, 0))) == Fraction(6, 5)
    assert factor(*[pair((1, 5, 5, 5), (2, 5, 5, 5))] * 3) is None
    assert factor(dearer, pair(None, (1, 1, 1, 1)), dearer, pair((1, 1, 1, 1), None)) == Fraction(6, 5)


@pytest.mark.parametrize("numbers", [((1, 5, 1, 1), (1, 0, 1, 1)), ((1, 0, 1, 1), (1, 5, 1, 1))])
def test_no_factor_makes_something_of_nothing(numbers: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    hundredfold = pair((1, 100, 100, 100), (1, 1, 1, 1))
    assert factor(hundredfold, hundredfold) == Fraction(1, 100)
    assert factor(hundredfold, pair(*numbers), hundredfold) is None
    assert factor(pair(*numbers), hundredfold, hundredfold) is None


@pytest.mark.parametrize(
    ("charges", "found"),
    [
        ((98, 100, 102), Fraction(1, 10)),
        ((97, 100, 102), None),
        ((98, 100, 103), None),
        ((100, 102, 98), Fraction(1, 10)),
        ((100, 101, 200), None),
        ((999_999, 1_000_000, 1_000_000), Fraction(1000)),
        ((5, 6, 5), None),
    ],
)
def test_charges_that_were_rounded_have_a_usual_factor_within_a_fiftieth(
    charges: tuple[int, ...], found: Fraction | None
) -> None:
    ours = 1000
    assert factor(pair((0, ours, ours, ours), (0, *charges))) == found
