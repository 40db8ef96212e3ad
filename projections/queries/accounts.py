"""Accounts: which exist, the totals of all their months, and their latest postings."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, func, select

from projections.queries.billing_overview import BillingTotals
from projections.schema.tables import BILLING, POSTINGS, TOTALS


class AccountSummary(NamedTuple):
    """An account, the first and the last month (``YYYY-MM``) in which it was billed, and the totals of all its months."""

    account: str
    first_period: str
    last_period: str
    totals: BillingTotals


def account_summaries(connection: Connection, after: str | None, limit: int) -> list[AccountSummary]:
    """Return the accounts behind one (None: from the first on) in the order of their names, at most ``limit``."""
    statement = _summaries().order_by(BILLING.c.account).limit(limit)
    if after is not None:
        statement = statement.where(BILLING.c.account > after)
    return [_summary(row) for row in connection.execute(statement)]


def account_summary(connection: Connection, account: str) -> AccountSummary | None:
    """Return the summary of an account, or None where nothing was ever billed to it."""
    row = connection.execute(_summaries().where(BILLING.c.account == account)).first()
    return _summary(row) if row else None


def has_account(connection: Connection, account: str) -> bool:
    """Whether anything was ever billed to an account."""
    statement = select(BILLING.c.account).where(BILLING.c.account == account).limit(1)
    return connection.execute(statement).first() is not None


def latest_postings(connection: Connection, account: str, limit: int) -> Sequence[Row[Any]]:
    """Return the latest rows of ``postings`` of an account, the newest first."""
    statement = select(POSTINGS).where(POSTINGS.c.account == account)
    return connection.execute(statement.order_by(POSTINGS.c.position.desc(), POSTINGS.c.number).limit(limit)).all()


def _summaries() -> Select[Any]:
    periods = func.min(BILLING.c.period), func.max(BILLING.c.period)
    totals = [func.sum(BILLING.c[name]) for name in TOTALS]
    return select(BILLING.c.account, *periods, *totals).group_by(BILLING.c.account)


def _summary(row: Sequence[Any]) -> AccountSummary:
    account, first, last, *totals = row
    return AccountSummary(account, first, last, BillingTotals(*map(int, totals)))
