"""The model of corrections says what the specification's examples say, before anything is compared with it."""

from datetime import UTC, datetime

import pytest

from tests.support.model.call import Event, Notice
from tests.support.model.corrections import (
    Adjusted,
    Books,
    Closed,
    Fact,
    Moved,
    Published,
    Recorded,
    Rerated,
    Undone,
    Voided,
)

CENT = 1_000_000
OCTOBER, AUGUST = "october", "august"  # Two calls, named after the months of their CDRs.
NOVEMBER_BEGINS = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp()) * 1_000_000


def cdr(position: int, call: str, day: str, cents: str, tag: str = "x") -> Recorded:
    at = int(datetime.fromisoformat(f"{day}T12:00:00Z").timestamp()) * 1_000_000
    pairs = (("f", "tm"), ("type", "cdr"), ("tag", tag), ("destduration", "60"), ("destcharge", cents))
    return Recorded(Event(position, Notice(at, pairs), 4), call, (tag, call))


def prices(*log: Fact) -> dict[str, int]:
    """The cents of each month, of all accounts."""
    sums: dict[str, int] = {}
    for (_, month), amounts in Books(log).billing().items():
        sums[month] = sums.get(month, 0) + amounts.price
    return {month: price // CENT for month, price in sums.items() if price}


class TestGivenACallOfOctoberAndOneOfAugustWhichIsClosed:
    """The example of SPEC 9.9."""

    log = (cdr(1, OCTOBER, "2026-10-05", "10"), cdr(2, AUGUST, "2026-08-05", "70"), Closed(3, "2026-08"))
    merge = Moved(5, frozenset({1}), OCTOBER, AUGUST)

    def test_a_merge_takes_the_closed_amount_from_the_first_open_month(self) -> None:
        assert prices(*self.log, self.merge) == {"2026-08": 70, "2026-09": -70, "2026-10": 10}

    def test_the_merge_undone_leaves_each_month_what_it_had(self) -> None:
        assert prices(*self.log, self.merge, Undone(6, 5)) == {"2026-08": 70, "2026-10": 10}

    def test_the_merge_undone_after_another_closing_is_posted_to_the_first_open_month(self) -> None:
        log = (*self.log, self.merge, Closed(6, "2026-09"), Undone(7, 5))
        assert prices(*log) == {"2026-08": 70, "2026-09": -70, "2026-10": 80}
        original = {entry[3:]: sums.price for entry, sums in Books(log).entries().items() if entry[0] == "difference"}
        assert original == {("2026-09", "2026-08"): -70 * CENT, ("2026-10", "2026-08"): 70 * CENT}

    def test_in_shape_1_the_difference_of_two_months_was_posted_to_one(self) -> None:
        merge, undone = Moved(5, frozenset({1}), OCTOBER, AUGUST, shape=1), Undone(6, 5, shape=1)
        assert prices(*self.log, merge) == {"2026-08": 70, "2026-10": -60}
        assert prices(*self.log, merge, undone) == {"2026-08": 70, "2026-09": 60, "2026-10": -50}

    def test_a_void_in_the_closed_month_and_its_reversal_are_posted_with_that_month(self) -> None:
        log = (*self.log, Voided(4, AUGUST), Closed(5, "2026-09"), Undone(6, 4))
        assert prices(*log) == {"2026-08": 70, "2026-09": -70, "2026-10": 80}

    def test_an_adjustment_of_the_closed_month_goes_to_the_first_open_one_and_back(self) -> None:
        charge = Adjusted(4, "x", 5 * CENT, "2026-08")
        assert prices(*self.log, charge) == {"2026-08": 70, "2026-09": 5, "2026-10": 10}
        assert prices(*self.log, charge, Undone(5, 4)) == {"2026-08": 70, "2026-10": 10}

    def test_a_closed_month_is_frozen_as_it_was(self) -> None:
        books = Books((*self.log, self.merge, Voided(6, AUGUST)))
        assert {account: sums.price for account, sums in books.frozen["2026-08"].items()} == {"x": 70 * CENT}


class TestGivenAVersionOfWhichARuleHasNotBegun:
    """The example of SPEC 9.8 and issue: version 2 has a rule for acme, and one for all tags from November on."""

    first = Published(1, 1, [{"tag": "*", "per_minute": 15}], shape=1)
    rules = ({"tag": "acme", "per_minute": 1}, {"tag": "*", "per_minute": 16, "begins": NOVEMBER_BEGINS})
    call = cdr(4, OCTOBER, "2026-10-05", "10")

    @pytest.mark.parametrize(("shape", "price"), [(1, 10), (2, 15)])
    def test_the_version_before_decides_from_shape_2_on(self, shape: int, price: int) -> None:
        assert prices(self.first, Published(2, 2, self.rules, shape=shape), self.call) == {"2026-10": price}

    def test_a_rerating_falls_back_as_well(self) -> None:
        second = Published(5, 2, self.rules)
        assert prices(self.first, self.call, second, Rerated(6, OCTOBER, 2)) == {"2026-10": 15}

    def test_a_version_of_shape_1_decides_finally(self) -> None:
        middle = Published(2, 2, self.rules, shape=1)
        assert prices(self.first, middle, Published(3, 3, self.rules), self.call) == {"2026-10": 10}

    def test_where_none_prices_it_is_cost_in_the_time_zone_of_the_version_first_asked(self) -> None:
        first = Published(1, 1, [{"tag": "acme", "per_minute": 15}], zone="Pacific/Kiritimati")
        second = Published(2, 2, self.rules, zone="Pacific/Pago_Pago")
        call = cdr(4, OCTOBER, "2026-10-31", "10")  # November on Kiritimati, October on Pago Pago.
        assert prices(first, second, call) == {"2026-10": 10}
