"""Reads what customers' statements are made of from the read models: months, lists of calls, and how credits are priced."""

from collections.abc import Iterator

from sqlalchemy import Connection

from api.application.invoices.document import call_documents
from domain import times
from domain.billing.billing_context import BillingContext
from domain.ledger import Ledger
from domain.months import Month
from projections.queries.account_charges import charged_accounts, draft_charges
from projections.queries.customer_lines import (
    CustomerMonth,
    PricesCredits,
    load_billed_calls,
    load_customer_months,
)
from projections.queries.statement import NoStatement

MonthCalls = list[dict[str, object]]


def load_months(ledger: Ledger, connection: Connection, period: str) -> Iterator[CustomerMonth]:
    """Yield the month of each account that has entries in it, in the order of accounts."""
    books = ledger.billing_context()
    drafts = [
        entry
        for account in charged_accounts(books, period)
        for entry in draft_charges(connection, books, account, period)
    ]
    return load_customer_months(connection, period, credit_pricing(books), drafts=drafts)


def load_month(ledger: Ledger, connection: Connection, account: str, period: str) -> CustomerMonth:
    """Return an account's month; raises NoStatement if the account has no entries in it."""
    books = ledger.billing_context()
    drafts = draft_charges(connection, books, account, period)
    found = list(load_customer_months(connection, period, credit_pricing(books), account, drafts))
    if not found:
        msg = f"account {account!r} has no entries in {period}: `tringledger export billing` lists those that have entries"
        raise NoStatement(msg)
    return found[0]


def load_calls(connection: Connection, account: str, period: str) -> MonthCalls:
    """Return the list of calls that an account's month bills."""
    return call_documents(load_billed_calls(connection, account, period))


def credit_pricing(books: BillingContext) -> PricesCredits:
    """Return a function that tells whether a rule of a tariff's version has a price for SIP credits on a day."""
    known: dict[tuple[str, int, str], bool] = {}

    def prices_credits(version: str, rule: int, day: str) -> bool:
        asked = (version, rule, day)
        if asked not in known:
            known[asked] = _prices_credits(books, *asked)
        return known[asked]

    return prices_credits


def _prices_credits(books: BillingContext, version: str, rule: int, day: str) -> bool:
    tariff = books.tariff_version(int(version)) if version.isdigit() else None
    if tariff is None or not 0 < rule <= len(tariff.rules):
        return False
    end = times.start_of_day(Month.of_day(day).next.first_day, tariff.timezone)
    return any(price and since < end for since, price in tariff.rules[rule - 1].sip_prices)
