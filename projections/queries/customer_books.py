"""The books as customers' statements need them: months, also while they are open, and lists of calls (SPEC 9.13)."""

from collections.abc import Iterator

from sqlalchemy import Connection

from domain import times
from domain.billing.billing_context import BillingContext
from domain.months import Month
from projections.queries.account_charges import charged_accounts, draft_charges
from projections.queries.customer_lines import (
    BilledCall,
    CustomerMonth,
    is_month_closed,
    load_billed_calls,
    load_customer_months,
    load_usual_dues,
)
from projections.queries.statement import NoStatement


class CustomerBooks:
    """Reads what customers' statements are made of, as of one moment; an open month has what closing it would charge."""

    def __init__(self, connection: Connection, books: BillingContext) -> None:
        """Read in a snapshot of the read models, with the tariffs and closings of the log."""
        self._connection = connection
        self._books = books
        self._priced: dict[tuple[str, int, str], bool] = {}

    def months(self, period: str) -> Iterator[CustomerMonth]:
        """Yield the month of each account that has entries in it, in the order of accounts."""
        drafts = [
            entry
            for account in charged_accounts(self._books, period)
            for entry in draft_charges(self._connection, self._books, account, period)
        ]
        return load_customer_months(self._connection, period, self._prices_credits, drafts=drafts)

    def month(self, account: str, period: str) -> CustomerMonth:
        """Return an account's month; raises NoStatement if the account has no entries in it."""
        drafts = draft_charges(self._connection, self._books, account, period)
        found = list(load_customer_months(self._connection, period, self._prices_credits, account, drafts))
        if not found:
            msg = f"account {account!r} has no entries in {period}: `tringledger export billing` lists those that have entries"
            raise NoStatement(msg)
        return found[0]

    def calls(self, account: str, period: str) -> Iterator[BilledCall]:
        """Yield the calls that an account's month bills."""
        return load_billed_calls(self._connection, account, period)

    def usual_dues(self, months: list[str]) -> dict[str, list[int]]:
        """Return what each account had in these months, where it had entries (millionths of a cent)."""
        return load_usual_dues(self._connection, months)

    def is_closed(self, period: str) -> bool:
        """Whether a month is closed."""
        return is_month_closed(self._connection, period)

    def _prices_credits(self, version: str, rule: int, day: str) -> bool:
        asked = (version, rule, day)
        if asked not in self._priced:
            self._priced[asked] = _prices_credits(self._books, *asked)
        return self._priced[asked]


def _prices_credits(books: BillingContext, version: str, rule: int, day: str) -> bool:
    """Whether a rule of a tariff's version has a price for SIP credits in the month of a day."""
    tariff = books.tariff_version(int(version)) if version.isdigit() else None
    if tariff is None or not 0 < rule <= len(tariff.rules):
        return False
    end = times.start_of_day(Month.of_day(day).next.first_day, tariff.timezone)
    return any(price and since < end for since, price in tariff.rules[rule - 1].sip_prices)
