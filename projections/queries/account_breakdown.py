"""The parts of an account's bill of a month: how much each version and rule of the tariff priced, and what was posted.

All of it comes from the entries of the books, whose sum is the billing table.
"""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from domain.billing.billing_context import BillingContext
from projections.queries.account_charges import draft_charges
from projections.rows.entry import CDR, Entry
from projections.schema.tables import CLOSINGS, ENTRIES

SUMMED = ("calls", "answered", "billed_seconds", "cost", "sip_credits", "rounding", "price", "margin")
ENTRIES_AT_ONCE = 1000


class RuleGroup(NamedTuple):
    """The CDRs that one rule of one version priced (rule 0: none); amounts in millionths, as in ``entries``."""

    tariff: str
    rule: int
    calls: int
    answered: int
    billed_seconds: int
    cost: int
    sip_credits: int
    rounding: int
    price: int
    margin: int


class AccountMonth(NamedTuple):
    """An account's month: its CDRs by rule, its postings one by one, and the position of its closing (0: open).

    ``drafts`` are the entries that the closing of an open month would post; they are not among the sums.
    """

    account: str
    period: str
    groups: list[RuleGroup]
    postings: list[Entry]
    closed: int
    drafts: list[Entry]

    @property
    def total(self) -> dict[str, int]:
        """The sums of all entries, equal to the billing table's."""
        return {name: sum(getattr(each, name) for each in (*self.groups, *self.postings)) for name in SUMMED}


def account_breakdown(connection: Connection, account: str, period: str, books: BillingContext) -> AccountMonth | None:
    """Return the parts of an account's month ``YYYY-MM``, or None if it has no entries and no drafts.

    ``books`` are those of the read models' position.
    """
    c = ENTRIES.c
    here = (c.account == account, c.period == period)
    by = c.tariff, c.rule
    sums = [func.sum(c[name]) for name in SUMMED]
    grouped = select(*by, *sums).where(*here, c.kind == CDR).group_by(*by).order_by(*by)
    groups = [RuleGroup(*row[:2], *map(int, row[2:])) for row in connection.execute(grouped)]
    others = select(ENTRIES).where(*here, c.kind != CDR).order_by(c.position, c.number)
    postings = [Entry(*row) for row in connection.execute(others)]
    closing = select(CLOSINGS.c.position).where(CLOSINGS.c.period >= period).order_by(CLOSINGS.c.period).limit(1)
    closed = connection.execute(closing).scalar()
    drafts = draft_charges(connection, books, account, period)
    found = AccountMonth(account, period, groups, postings, closed or 0, drafts)
    return found if groups or postings or drafts else None


def cdrs_of_account(connection: Connection, account: str, period: str) -> Iterator[Entry]:
    """Yield the entries of an account's CDRs in a month, in the order of the log."""
    c = ENTRIES.c
    wanted = select(ENTRIES).where(c.account == account, c.period == period, c.kind == CDR)
    ordered = wanted.order_by(c.position, c.call_id).execution_options(yield_per=ENTRIES_AT_ONCE)
    with connection.execute(ordered) as result:
        for row in result:
            yield Entry(*row)
