"""Monthly prices of an account, as a tariff file has them: a fee and a minimum, each from a month on (SPEC 9.15)."""

from itertools import pairwise
from typing import Any

import msgspec

from domain.billing import tariff_values
from domain.months import Month

# A year of the dearest account stays far below what sums of the read models can hold.
CENTS_A_MONTH_MAX = 99_999_999
REQUIRED, TEXT = {"from", "price"}, "text"


class MonthlyPrice(msgspec.Struct, frozen=True):
    """A price in millionths of a cent from a month ``YYYY-MM`` on, and the text for the customer, which may be empty."""

    month: str
    price: int
    text: str = ""


NOTHING = MonthlyPrice("", 0)


class MonthlyPrices(msgspec.Struct, frozen=True):
    """The fees and the minimums of an account, each in the order of their months."""

    fees: tuple[MonthlyPrice, ...] = ()
    minimums: tuple[MonthlyPrice, ...] = ()

    @property
    def first(self) -> str:
        """The first month that has a price."""
        return min(each.month for each in (*self.fees[:1], *self.minimums[:1]))

    def fee_of(self, month: str) -> MonthlyPrice:
        """Return the fee of a month; its price is 0 where there is none."""
        return _latest(self.fees, month)

    def minimum_of(self, month: str) -> MonthlyPrice:
        """Return the minimum of a month; its price is 0 where there is none."""
        return _latest(self.minimums, month)

    def charges(self, month: str) -> bool:
        """Return whether the month has a fee or a minimum."""
        return bool(self.fee_of(month).price or self.minimum_of(month).price)


def read_fees(value: Any) -> tuple[MonthlyPrice, ...]:
    """Read a list of ``{ from = "2026-10", price = 500 }``, each with a text or without; raises ValueError with what was expected."""
    return _read_prices(value, {TEXT}, 'a list of { from = "2026-10", price = CENTS }, with a text if you like')


def read_minimums(value: Any) -> tuple[MonthlyPrice, ...]:
    """Read a list of ``{ from = "2026-10", price = 2000 }``; raises ValueError with what was expected."""
    return _read_prices(value, set(), 'a list of { from = "2026-10", price = CENTS }')


def _read_prices(value: Any, optional: set[str], expected: str) -> tuple[MonthlyPrice, ...]:
    if not isinstance(value, list) or not value or not all(_is_price(item, optional) for item in value):
        raise ValueError(expected)
    read_cents = tariff_values.amount_reader(0, CENTS_A_MONTH_MAX)
    prices = tuple(
        MonthlyPrice(
            str(_read_month(item["from"])),
            read_cents(item["price"]),
            tariff_values.read_text(item[TEXT]) if TEXT in item else "",
        )
        for item in value
    )
    if any(later.month <= earlier.month for earlier, later in pairwise(prices)):
        raise ValueError("each price from a later month than the one before it")
    return prices


def _is_price(item: Any, optional: set[str]) -> bool:
    return isinstance(item, dict) and item.keys() >= REQUIRED and item.keys() <= REQUIRED | optional


def _read_month(value: Any) -> Month:
    try:
        month = Month.parse(value)
    except (TypeError, ValueError):
        month = Month("")
    if not Month("1970-01") <= month <= Month("9998-12"):
        raise ValueError('a month such as "2026-10", from 1970 to 9998')
    return month


def _latest(prices: tuple[MonthlyPrice, ...], month: str) -> MonthlyPrice:
    return next((each for each in reversed(prices) if each.month <= month), NOTHING)
