"""A month can be closed once it has ended in every time zone in which months are billed."""

import pytest

from domain import times
from domain.billing.billing_context import BillingContext, Closing
from domain.billing.closing_rule import billing_zones, check_closable, check_not_closed
from domain.billing.rating import PublishedTariff
from domain.billing.tariff import parse_tariff
from domain.errors import CommandRejected
from domain.months import Month
from domain.notices.line_number import LINE_RULE_2

OCTOBER = Month("2026-10")
FARTHEST_WEST = "Pacific/Pago_Pago"
TARIFF = '[accounts.acme]\ntimezone = "Pacific/Pago_Pago"\n[[rules]]\ntag = "*"\n'
OVER_IN_UTC = times.start_of_day(Month("2026-11").first_day, "UTC")
OVER_THERE = OVER_IN_UTC + 11 * 3600 * times.SECOND


def books(*texts: str, closed: tuple[str, ...] = (), timezone: str = "UTC") -> BillingContext:
    published = [
        PublishedTariff(
            position, parse_tariff(text, position, timezone=timezone, line_rule=LINE_RULE_2), falls_back=True
        )
        for position, text in enumerate(texts, 1)
    ]
    return BillingContext(
        timezone, LINE_RULE_2, published, [Closing(10 + number, month) for number, month in enumerate(closed)]
    )


@pytest.mark.parametrize("now", [OVER_IN_UTC, OVER_THERE - 1])
def test_one_that_is_over_in_the_ledgers_zone_but_not_in_an_accounts_is_refused_and_that_zone_named(now: int) -> None:
    with pytest.raises(CommandRejected) as refused:
        check_closable(books(TARIFF), OCTOBER, now)
    assert str(refused.value) == f"2026-10 is not over yet in {FARTHEST_WEST}; expected a month that has ended"


def test_a_month_can_be_closed_from_the_very_moment_at_which_it_is_over_there() -> None:
    check_closable(books(TARIFF), OCTOBER, OVER_THERE)
    check_closable(books(), OCTOBER, OVER_IN_UTC)


def test_one_that_is_not_over_in_the_ledgers_own_zone_is_refused() -> None:
    with pytest.raises(CommandRejected, match="2026-10 is not over yet in UTC"):
        check_closable(books(), OCTOBER, OVER_IN_UTC - 1)


def test_the_zones_are_the_ledgers_and_those_of_the_latest_tariff_alone() -> None:
    other = f'timezone = "Asia/Tokyo"\n{TARIFF}'
    assert billing_zones(books()) == {"UTC"}
    assert billing_zones(books(other)) == {"UTC", "Asia/Tokyo", FARTHEST_WEST}
    assert billing_zones(books(other, '[[rules]]\ntag = "*"\n', timezone="Europe/Berlin")) == {"Europe/Berlin"}


@pytest.mark.parametrize("month", ["2026-08", "2026-09"])
def test_one_that_is_closed_already_is_refused_and_the_next_open_one_named(month: str) -> None:
    with pytest.raises(CommandRejected) as refused:
        check_not_closed(books(closed=("2026-08", "2026-09")), month)
    assert str(refused.value) == f"{month} is closed already; expected a month from 2026-10 on"
    check_not_closed(books(closed=("2026-08", "2026-09")), "2026-10")
    with pytest.raises(CommandRejected, match="is closed already"):
        check_closable(books(closed=("2026-08", "2026-09")), Month(month), OVER_THERE)
