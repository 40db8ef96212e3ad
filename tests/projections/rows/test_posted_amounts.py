"""What is posted of a call that changes after its month was closed, by the shape of the operator's event (SPEC 9.9)."""

from domain.billing.rating import RatedCdr
from domain.events.operator_events import CallVoided, CorrectionReversed, OperatorEvent
from domain.notices.call_notice import NO_CHARGES
from projections.rows.entry import NO_AMOUNTS, EntryAmounts
from projections.rows.posted_amounts import AmountChange, BilledAmount, PostedAmounts

OLD: OperatorEvent = CallVoided(v=1, recorded_at=1, by="ann", reason="why")
NEW: OperatorEvent = CallVoided(v=2, recorded_at=1, by="ann", reason="why")
UNDO: OperatorEvent = CorrectionReversed(v=2, recorded_at=1, by="ann", reason="why", reversed_position=7)


CHARGES = NO_CHARGES._replace(src_charge=1, dest_charge=2)


def amounts(price: int) -> EntryAmounts:
    return NO_AMOUNTS._replace(calls=1, answered=1, billed_seconds=60, price=price, margin=price - 3, cost=3)


def bill(price: int, account: str = "acme", day: str = "2026-10-15") -> BilledAmount:
    return BilledAmount(RatedCdr(account, "UTC", "1", 1, 60, price, 0, ""), day, "ANSWERED", CHARGES)


def posted(first: BilledAmount | None) -> PostedAmounts:
    found = PostedAmounts()
    found.replace(first)
    return found


def test_the_key_is_the_account_and_the_month_of_the_cdr() -> None:
    assert bill(1, day="2026-08-31").key == ("acme", "2026-08")


def test_what_does_not_change_posts_nothing() -> None:
    for act in (None, OLD, NEW):
        assert posted(bill(10)).change(bill(10), act, None, "2026-10") == []


def test_a_new_price_posts_its_difference_to_the_calls_own_month() -> None:
    for act in (None, OLD, NEW):
        found = posted(bill(10)).change(bill(12), act, None, "2026-07")
        difference = NO_AMOUNTS._replace(price=2, margin=2)
        assert found == [AmountChange("acme", "2026-10", difference, bill(12))]


def test_another_account_takes_all_from_one_and_gives_it_to_the_other() -> None:
    now = bill(12, "other")
    assert posted(bill(10)).change(now, None, None, "2026-10") == [
        AmountChange("acme", "2026-10", NO_AMOUNTS.minus(amounts(10)), now),
        AmountChange("other", "2026-10", amounts(12), now),
    ]


def test_a_call_that_moves_to_another_month_by_an_event_of_shape_2_leaves_the_one_and_enters_the_other() -> None:
    before, now = bill(70, day="2026-08-05"), bill(10)
    assert posted(before).change(now, NEW, None, "2026-08") == [
        AmountChange("acme", "2026-08", NO_AMOUNTS.minus(amounts(70)), before),
        AmountChange("acme", "2026-10", amounts(10), now),
    ]


def test_by_an_event_of_shape_1_it_posts_all_of_it_to_the_month_that_it_has_now() -> None:
    before, now = bill(70, day="2026-08-05"), bill(10)
    difference = amounts(10).minus(amounts(70))
    for act in (None, OLD):
        assert posted(before).change(now, act, None, "2026-08") == [AmountChange("acme", "2026-10", difference, now)]


def test_a_call_without_a_cdr_any_more_gives_back_what_was_posted() -> None:
    before = bill(70, day="2026-08-05")
    taken = NO_AMOUNTS.minus(amounts(70))
    assert posted(before).change(None, NEW, None, "2026-08") == [AmountChange("acme", "2026-08", taken, before)]
    assert posted(before).change(None, OLD, None, "2026-09") == [AmountChange("acme", "2026-09", taken, None)]


def test_undoing_an_event_of_shape_1_gives_back_what_it_actually_posted() -> None:
    before, now = bill(70, day="2026-08-05"), bill(10)
    found = posted(before)
    found.change(now, OLD, None, "2026-08")
    assert found.change(before, UNDO, OLD, "2026-08") == [
        AmountChange("acme", "2026-10", amounts(70).minus(amounts(10)), now)
    ]


def test_undoing_an_event_of_shape_2_gives_back_what_the_call_came_to() -> None:
    before, now = bill(70, day="2026-08-05"), bill(10)
    found = posted(before)
    found.change(now, NEW, None, "2026-08")
    assert found.change(before, UNDO, NEW, "2026-08") == [
        AmountChange("acme", "2026-10", NO_AMOUNTS.minus(amounts(10)), now),
        AmountChange("acme", "2026-08", amounts(70), before),
    ]


def test_a_row_that_is_made_anew_forgets_what_was_posted_before() -> None:
    found = posted(bill(10))
    found.change(bill(12), NEW, None, "2026-10")
    found.replace(bill(20))
    assert found.change(bill(21), UNDO, OLD, "2026-10") == [
        AmountChange("acme", "2026-10", NO_AMOUNTS._replace(price=1, margin=1), bill(21))
    ]
    found.replace(None)
    assert found.change(bill(5), None, None, "2026-10") == [AmountChange("acme", "2026-10", amounts(5), bill(5))]
    assert posted(None).change(None, NEW, None, "2026-10") == []


def test_what_was_posted_in_several_steps_is_given_back_whole() -> None:
    found = posted(bill(10))
    found.change(bill(12), OLD, None, "2026-10")
    found.change(bill(15), OLD, None, "2026-10")
    (back,) = found.change(bill(10), UNDO, OLD, "2026-10")
    assert (back.month, back.totals) == ("2026-10", NO_AMOUNTS._replace(price=-5, margin=-5))


def test_without_a_row_before_all_of_the_bill_is_posted() -> None:
    assert PostedAmounts().change(bill(5), NEW, None, "2026-10") == [
        AmountChange("acme", "2026-10", amounts(5), bill(5))
    ]
    assert PostedAmounts().change(bill(5), UNDO, OLD, "2026-10") == [
        AmountChange("acme", "2026-10", amounts(5), bill(5))
    ]
