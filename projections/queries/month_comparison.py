"""A month beside another: what each account, or each tag, came to in both, as billing has it.

Accounts come from the billing table. Tags come from the rollup of CDRs and from the postings, which together are the entries
of the books: so both ways have the same total.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, case, func, select

from domain.months import Month, period_of_day
from projections.queries.billing_overview import NOTHING, BillingTotals, together
from projections.queries.time_points import read_month
from projections.rows.entry import ANSWERED
from projections.schema.tables import BILLING, CDRS_ROLLUP, POSTINGS, TOTALS

ACCOUNT, TAG = "account", "tag"
COMPARED_BY = (ACCOUNT, TAG)
# What is compared.
MEASURES = ("calls", "dest_seconds", "cost", "price", "margin")
TENTHS = 10
_r = CDRS_ROLLUP.c
# The totals of billing as the rollup of CDRs has them.
_OF_THE_ROLLUP: dict[str, ColumnElement[int]] = {
    "calls": _r.rows,
    "answered": case((_r.disposition == ANSWERED, _r.rows), else_=0),
    "src_seconds": _r.src_duration,
    "dest_seconds": _r.dest_duration,
} | {name: _r[name] for name in ("cost", "sip_credits", "billed_seconds", "price", "margin")}


class ComparedMonths(NamedTuple):
    """An account or a tag (``name``) in two months: the totals of the earlier one and of the later one."""

    name: str
    before: BillingTotals
    after: BillingTotals

    def change(self, measure: str) -> int:
        """Return by how much a total is more in the later month: a count, seconds, or millionths of a US cent."""
        more: int = getattr(self.after, measure) - getattr(self.before, measure)
        return more

    def earlier(self, measure: str) -> int:
        """Return a total of the earlier month."""
        total: int = getattr(self.before, measure)
        return total

    def percent(self, measure: str) -> str | None:
        """Return that change in per cent of the earlier month."""
        return percent_of(self.change(measure), self.earlier(measure))

    @property
    def is_new(self) -> bool:
        """Whether the earlier month has nothing of it."""
        return self.before == NOTHING

    @property
    def is_gone(self) -> bool:
        """Whether the later month has nothing of it."""
        return self.after == NOTHING


def percent_of(more: int, before: int) -> str | None:
    """Return a difference in per cent of what was before, with one decimal, rounded half away from zero; None for a before of 0.

    The sign is that of the difference, also where what was before is negative.
    """
    if not before:
        return None
    tenths = (abs(more) * 200 * TENTHS + abs(before)) // (2 * abs(before))
    whole, tenth = divmod(tenths, TENTHS)
    return f"{'-' if more < 0 and tenths else ''}{whole}.{tenth}"


def months_to_compare(latest: str, period: str | None = None, against: str | None = None) -> tuple[str, str]:
    """Return a month (default: the latest that was billed) and the one to compare it with (default: the one before).

    Raises SelectionError for what is not a month.
    """
    month = read_month(period or latest)
    return str(month), str(read_month(against) if against else month_before(month))


def month_before(month: Month) -> Month:
    """Return the month before one; raises SelectionError for one before 1970."""
    return read_month(period_of_day((month.first_day - timedelta(days=1)).isoformat()))


def compare_months(
    connection: Connection, before: str, after: str, by: str, account: str | None = None
) -> list[ComparedMonths]:
    """Return each account or tag (``by``) that two months ``YYYY-MM`` have, in code-point order; of one account only, if given."""
    earlier, later = (_by_account if by == ACCOUNT else _by_tag)(connection, before, after, account)
    return [
        ComparedMonths(name, earlier.get(name, NOTHING), later.get(name, NOTHING))
        for name in sorted(earlier.keys() | later.keys())
    ]


def total_of(compared: Sequence[ComparedMonths]) -> ComparedMonths:
    """Return all of them together."""
    return ComparedMonths("", together(each.before for each in compared), together(each.after for each in compared))


def largest_change_first(compared: Sequence[ComparedMonths], measure: str) -> list[ComparedMonths]:
    """Return them in the order of the largest change of a total, up or down."""
    return sorted(compared, key=lambda each: (-abs(each.change(measure)), each.name))


_Totals = dict[str, BillingTotals]


def _by_account(connection: Connection, before: str, after: str, account: str | None) -> tuple[_Totals, _Totals]:
    """Return the totals of two months by account."""
    wanted = [BILLING.c.period.in_([before, after]), *_of_account(BILLING, account)]
    columns = [BILLING.c.period, BILLING.c.account, *(BILLING.c[name] for name in TOTALS)]
    found: dict[str, _Totals] = {before: {}, after: {}}
    for month, name, *totals in connection.execute(select(*columns).where(*wanted)).all():
        found[month][name] = BillingTotals._make(map(int, totals))
    return found[before], found[after]


def _by_tag(connection: Connection, before: str, after: str, account: str | None) -> tuple[_Totals, _Totals]:
    """Return the totals of two months by tag, read at once: the rollup is in the order of other months, so all of it is read."""
    found: dict[str, _Totals] = {before: {}, after: {}}
    posted = {name: POSTINGS.c[name] for name in TOTALS}
    for table, columns in ((CDRS_ROLLUP, _OF_THE_ROLLUP), (POSTINGS, posted)):
        totals = [func.coalesce(func.sum(columns[name]), 0) for name in TOTALS]
        wanted = [table.c.period.in_([before, after]), *_of_account(table, account)]
        keys = (table.c.period, table.c.tag)
        for month, tag, *values in connection.execute(select(*keys, *totals).where(*wanted).group_by(*keys)).all():
            totals_of_tag, known = BillingTotals._make(map(int, values)), found[month]
            known[tag] = known[tag].plus(totals_of_tag) if tag in known else totals_of_tag
    return found[before], found[after]


def _of_account(table: Table, account: str | None) -> list[ColumnElement[bool]]:
    return [] if account is None else [table.c.account == account]
