"""What an account is charged for a month besides its calls: a fee, and a minimum that it spends at least (SPEC 9.15)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from domain.billing.billing_context import BillingContext
from domain.billing.monthly_prices import MonthlyPrices
from domain.events.log_row import POSITION_MAX
from domain.events.operator_events import AccountCharge
from domain.months import Month

DEFAULT_FEE_TEXT = "monthly fee"


class ChargedMonth(NamedTuple):
    """An account, and a month ``YYYY-MM`` for which it is charged."""

    account: str
    month: str


def monthly_prices(books: BillingContext) -> tuple[int, dict[str, MonthlyPrices]]:
    """Return the latest version of the tariff (0 for none), and the accounts that it charges, with their prices."""
    if not books.tariffs:
        return 0, {}
    latest = books.tariffs[-1].tariff
    return latest.version, latest.charges


def charged_months(books: BillingContext, period: str) -> list[ChargedMonth]:
    """Return what a closing of a month ``YYYY-MM`` charges: each month that it closes, for each account with a price then."""
    closed = books.closed_through(POSITION_MAX)
    _, accounts = monthly_prices(books)
    return [
        ChargedMonth(account, month)
        for account, prices in sorted(accounts.items())
        for month in _months(max(prices.first, str(Month(closed).next) if closed else ""), period)
        if prices.charges(month)
    ]


def is_charged(books: BillingContext, account: str, period: str) -> bool:
    """Return whether an account has a fee or a minimum for a month that is not closed."""
    prices = monthly_prices(books)[1].get(account)
    return prices is not None and period > books.closed_through(POSITION_MAX) and prices.charges(period)


def charge_of(books: BillingContext, charged: ChargedMonth, calls: int) -> AccountCharge:
    """Return the charge of an account for a month.

    ``calls`` is the sum of the prices of the calls whose own month it is, in millionths of a cent.
    """
    version, accounts = monthly_prices(books)
    prices = accounts[charged.account]
    fee, minimum = prices.fee_of(charged.month), prices.minimum_of(charged.month)
    return AccountCharge(
        account=charged.account,
        month=charged.month,
        tariff=version,
        fee=fee.price,
        fee_text=fee.text or DEFAULT_FEE_TEXT if fee.price else "",
        calls=calls,
        minimum=minimum.price,
        # Without a minimum, calls that come to less than nothing are no reason to charge anything.
        top_up=max(0, minimum.price - fee.price - calls) if minimum.price else 0,
    )


def charges_of(
    books: BillingContext, charged: Iterable[ChargedMonth], calls: Mapping[tuple[str, str], int]
) -> list[AccountCharge]:
    """Return the charges that post anything; ``calls`` has the prices of calls by account and month."""
    found = (charge_of(books, each, calls.get(each, 0)) for each in charged)
    return [charge for charge in found if charge.fee or charge.top_up]


def _months(first: str, last: str) -> Iterator[str]:
    month = Month(first)
    while month <= last:
        yield str(month)
        month = month.next
