"""What accounts are to be charged for open months besides their calls: drafts, until a closing posts them (SPEC 9.15)."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, func, select

from domain.billing.billing_context import BillingContext
from domain.billing.monthly_charges import ChargedMonth, charged_months, charges_of, is_charged, monthly_prices
from domain.events.log_row import POSITION_MAX
from domain.events.operator_events import AccountCharge
from projections.rows.charge_entries import DRAFT, charge_entries
from projections.rows.entry import CDR, DIFFERENCE, Entry
from projections.schema.tables import ENTRIES


def closing_charges(connection: Connection, books: BillingContext, period: str) -> list[AccountCharge]:
    """Return what a closing of a month ``YYYY-MM`` charges, by read models that are up to date, in the order of accounts and months."""
    wanted = charged_months(books, period)
    if not wanted:
        return []
    closed = books.closed_through(POSITION_MAX)
    calls = _prices_of_calls(connection, ENTRIES.c.period > closed, ENTRIES.c.period <= period)
    return charges_of(books, wanted, calls)


def draft_charges(connection: Connection, books: BillingContext, account: str, period: str) -> list[Entry]:
    """Return the entries that closing an open month would post of an account's charges, as of now; none for a closed month."""
    if not is_charged(books, account, period):
        return []
    calls = _prices_of_calls(connection, ENTRIES.c.account == account, ENTRIES.c.period == period)
    return list(charge_entries(DRAFT, charges_of(books, [ChargedMonth(account, period)], calls), ""))


def charged_accounts(books: BillingContext, period: str) -> list[str]:
    """Return the accounts that have a fee or a minimum for a month that is not closed."""
    return [account for account in sorted(monthly_prices(books)[1]) if is_charged(books, account, period)]


def _prices_of_calls(connection: Connection, *here: ColumnElement[bool]) -> dict[tuple[str, str], int]:
    """Return the sums of prices of the calls whose own month it is, by account and month."""
    c = ENTRIES.c
    own: Sequence[ColumnElement[bool]] = (c.kind.in_((CDR, DIFFERENCE)), c.original_period == c.period)
    summed = select(c.account, c.period, func.sum(c.price)).where(*here, *own).group_by(c.account, c.period)
    return {(account, month): int(price) for account, month, price in connection.execute(summed)}
