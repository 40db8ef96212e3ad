"""Billing at a glance: what each account came to on each day or in each month of a span, from the totals that are kept.

Nothing is summed up from calls here, so it takes as long as there are accounts and days, however many calls there were.
"""

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from projections.tables import BILLING, BILLING_DAYS, TOTALS

DAY, MONTH = "day", "month"
STEPS = {DAY: (BILLING_DAYS, BILLING_DAYS.c.day), MONTH: (BILLING, BILLING.c.period)}
MONTH_LENGTH = len("2026-10")


class Totals(NamedTuple):
    """What billing sums up (see tables.TOTALS): counts, seconds, and amounts in millionths."""

    calls: int = 0
    answered: int = 0
    src_seconds: int = 0
    dest_seconds: int = 0
    cost: int = 0
    sip_credits: int = 0
    billed_seconds: int = 0
    price: int = 0
    margin: int = 0

    def plus(self, other: "Totals") -> "Totals":
        """Return both together."""
        return Totals(*(one + another for one, another in zip(self, other, strict=True)))


NOTHING = Totals()


def by_step(
    connection: Connection, by: str, first: str, last: str, account: str | None = None
) -> dict[tuple[str, str], Totals]:
    """Return the totals by account and day (``by`` ``day``) or month, of a span of days ``first`` to ``last``, both included."""
    table, step = STEPS[by]
    length = MONTH_LENGTH if by == MONTH else None
    wanted = [step >= first[:length], step <= last[:length]]
    if account is not None:
        wanted.append(table.c.account == account)
    statement = select(table.c.account, step, *(table.c[name] for name in TOTALS)).where(*wanted)
    return {(row[0], row[1]): Totals(*row[2:]) for row in connection.execute(statement)}


def by_account(connection: Connection, first: str, last: str, account: str | None = None) -> dict[str, Totals]:
    """Return the totals by account of a span of days, both included."""
    table = BILLING_DAYS
    wanted = [table.c.day >= first, table.c.day <= last]
    if account is not None:
        wanted.append(table.c.account == account)
    summed = [func.coalesce(func.sum(table.c[name]), 0) for name in TOTALS]
    statement = select(table.c.account, *summed).where(*wanted).group_by(table.c.account)
    return {row[0]: Totals(*(int(value) for value in row[1:])) for row in connection.execute(statement)}


def latest_month(connection: Connection, account: str | None = None) -> str | None:
    """Return the last month in which anything is billed, to an account or at all."""
    statement = select(func.max(BILLING.c.period))
    if account is not None:
        statement = statement.where(BILLING.c.account == account)
    latest: str | None = connection.execute(statement).scalar_one()
    return latest


def knows(connection: Connection, account: str) -> bool:
    """Whether anything was ever billed to an account."""
    return (
        connection.execute(select(BILLING.c.account).where(BILLING.c.account == account).limit(1)).first() is not None
    )
