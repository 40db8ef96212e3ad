"""Entries of the books: their sums, and what rounding a statement's total adds (SPEC 7)."""

from projections.rows.entry import NO_AMOUNTS, Entry, EntryAmounts, level_totals, statement_roundings

ENTRY = Entry(
    7, 0, "cdr", "acme", "2026-10", "2026-10", "2026-10-03", "c1", "acme-1", "1858", "ANSWERED",
    1, 1, 60, 50, 1_500_000, 2_000_000, 60, 2_000_000, 500_000, 4_321, "", "2", 1, "", "",
)  # fmt: skip


def test_amounts_are_added_and_taken_off_field_by_field() -> None:
    one, other = EntryAmounts(*range(1, 11)), EntryAmounts(*range(10, 110, 10))
    assert one.plus(other) == EntryAmounts(*(11 * number for number in range(1, 11)))
    assert other.minus(one) == EntryAmounts(*(9 * number for number in range(1, 11)))
    assert one.minus(one) == NO_AMOUNTS == EntryAmounts(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def test_prices_are_summed_by_the_way_in_which_the_total_is_rounded() -> None:
    entries = [
        ENTRY._replace(price=price, level=level) for price, level in ((5, ""), (7, "up:2"), (1, ""), (2, "up:2"))
    ]
    assert level_totals(entries) == {"": 6, "up:2": 9}


def test_rounding_adds_to_each_total_that_is_rounded_in_the_order_of_the_ways() -> None:
    found = statement_roundings({"up:0": 1_200_000, "": 1_234_567, "half-up:2": 1_004_999, "down:1": 1_290_000})
    assert found == {"down:1": -90_000, "half-up:2": -4_999, "up:0": 800_000}
    assert list(found) == ["down:1", "half-up:2", "up:0"]
