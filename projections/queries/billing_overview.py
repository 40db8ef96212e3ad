"""Billing at a glance: the totals of each account on each day or in each month of a span, from the billing tables.

Nothing is summed from calls, so the time depends on the number of accounts and days, not of calls.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Table, func, literal, select

from domain.months import Month
from projections.schema.tables import BILLING, BILLING_DAYS, TOTALS

DAY, MONTH = "day", "month"


class BillingTotals(NamedTuple):
    """The totals of billing (see tables.TOTALS): counts, seconds, and amounts in millionths."""

    calls: int = 0
    answered: int = 0
    src_seconds: int = 0
    dest_seconds: int = 0
    cost: int = 0
    sip_credits: int = 0
    billed_seconds: int = 0
    price: int = 0
    margin: int = 0

    def plus(self, other: "BillingTotals") -> "BillingTotals":
        """Return the sum of both."""
        return BillingTotals(*(one + another for one, another in zip(self, other, strict=True)))


NOTHING = BillingTotals()


def together(totals: Iterable[BillingTotals]) -> BillingTotals:
    """Return the sum of several totals."""
    return BillingTotals(*map(sum, zip(NOTHING, *totals, strict=True)))


def totals_by_account(
    connection: Connection, first: str, last: str, account: str | None = None
) -> dict[str, BillingTotals]:
    """Return the totals by account of the days ``first`` to ``last``, both included; of one account only, if given."""
    of_months = Month.of_day(first).begins_on(first) and last == Month.of_day(last).last_day.isoformat()
    table, column, first, last = _cut(MONTH if of_months else DAY, first, last)
    wanted = [column >= first, column <= last]
    if account is not None:
        wanted.append(table.c.account == account)
    statement = select(table.c.account, *_summed(table)).where(*wanted).group_by(table.c.account)
    return {row[0]: _totals(row[1:]) for row in connection.execute(statement).all()}


def totals_by_period(  # noqa: PLR0917 - what, and of which span
    connection: Connection,
    by: str,
    first: str,
    last: str,
    account: str | None = None,
    names: Sequence[str] = TOTALS,
) -> dict[str, BillingTotals]:
    """Return the totals by day or month (``by``) of a span of days, of all accounts or of one; only those with some names, or all."""
    table, column, first, last = _cut(by, first, last)
    wanted = [column >= first, column <= last]
    if account is not None:
        wanted.append(table.c.account == account)
    statement = select(column, *_summed(table, names)).where(*wanted).group_by(column)
    return {
        row[0]: NOTHING._replace(**dict(zip(names, map(int, row[1:]), strict=True)))
        for row in connection.execute(statement).all()
    }


def totals_of_accounts(
    connection: Connection, by: str, first: str, last: str, accounts: Sequence[str]
) -> dict[tuple[str, str], BillingTotals]:
    """Return the totals by account and day or month of a span of days, of some accounts."""
    table, column, first, last = _cut(by, first, last)
    wanted = [table.c.account.in_(accounts), column >= first, column <= last]
    statement = select(table.c.account, column, *(table.c[name] for name in TOTALS)).where(*wanted)
    return {(row[0], row[1]): _totals(row[2:]) for row in connection.execute(statement)}


def _cut(by: str, first: str, last: str) -> tuple[Table, Column[str], str, str]:
    """Return the table and its column of days or months, and the first and last of a span in it."""
    if by == MONTH:
        return BILLING, BILLING.c.period, str(Month.of_day(first)), str(Month.of_day(last))
    return BILLING_DAYS, BILLING_DAYS.c.day, first, last


def _summed(table: Table, names: Sequence[str] = TOTALS) -> list[ColumnElement[int]]:
    return [func.coalesce(func.sum(table.c[name]), 0) for name in names]


def _totals(values: Sequence[int]) -> BillingTotals:
    return BillingTotals(*map(int, values))


def are_more_account_months(connection: Connection, most: int, first: str = "", last: str = "") -> bool:
    """Whether more accounts than ``most`` are billed, each counted in every month of a span of days, or of all time."""
    one_more = select(literal(1)).select_from(BILLING)
    if first:
        table, column, first, last = _cut(MONTH, first, last)
        one_more = select(literal(1)).select_from(table).where(column >= first, column <= last)
    return connection.execute(one_more.offset(most).limit(1)).first() is not None


def latest_month(connection: Connection, account: str | None = None) -> str | None:
    """Return the last month in which anything is billed, to one account or to any; None if there is none."""
    statement = select(func.max(BILLING.c.period))
    if account is not None:
        statement = statement.where(BILLING.c.account == account)
    latest: str | None = connection.execute(statement).scalar_one()
    return latest


def months_to_close(connection: Connection, closed: str, through: str | None = None) -> list[tuple[str, BillingTotals]]:
    """Return the months with entries after ``closed`` and up to ``through`` (None: all), each with its totals."""
    statement = select(BILLING.c.period, *_summed(BILLING)).where(BILLING.c.period > closed)
    if through is not None:
        statement = statement.where(BILLING.c.period <= through)
    rows = connection.execute(statement.group_by(BILLING.c.period).order_by(BILLING.c.period))
    return [(row[0], _totals(row[1:])) for row in rows]
