"""The read models ``billing`` and ``billing_days``: what each account's calls cost, by month and by day (SPEC 7).

They change by the difference between a call's old and new CDR row, and by what is posted beside the CDRs, in the transaction that writes those rows. The sums are
made in Python, whose whole numbers do not overflow into floats as SQLite's do.
"""

from collections.abc import Iterable, Sequence
from operator import add, itemgetter
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, tuple_

from domain.months import Month
from projections.schema.tables import BILLING, BILLING_DAYS, CDRS, ENTRIES, POSTINGS, TOTALS
from projections.stores.upsert import delete_rows, put_rows

_COLUMN = {column.name: number for number, column in enumerate(CDRS.columns)}
_ACCOUNT, _DAY, _DISPOSITION = (_COLUMN[name] for name in ("account", "day", "disposition"))
_SUMMED = ("src_duration", "dest_duration", "cost", "sip_credits", "billed_seconds", "price", "margin")
_POSTING = {column.name: number for number, column in enumerate(POSTINGS.columns)}
_POSTED_TO, _POSTED_ON = _POSTING["account"], _POSTING["day"]
_POSTED = slice(_POSTING[TOTALS[0]], _POSTING[TOTALS[-1]] + 1)
WIDTH = len(TOTALS) + 1  # And how many entries they sum up: a row of which none is left goes.
_summed = itemgetter(*(_COLUMN[name] for name in _SUMMED))

KEYS_AT_ONCE = 300

BillingRow = Sequence[Any]
Key = tuple[str, str]
Totals = list[int]


def apply_difference(
    connection: Connection, old: Iterable[BillingRow], new: Iterable[BillingRow], postings: Iterable[BillingRow]
) -> None:
    """Take old CDR rows out of the totals and new ones in, and new postings."""
    days, months = total_differences(old, new, postings)
    for table, changes in ((BILLING, months), (BILLING_DAYS, days)):
        _apply(connection, table, {key: totals for key, totals in changes.items() if any(totals)})


def total_differences(
    old: Iterable[BillingRow], new: Iterable[BillingRow], postings: Iterable[BillingRow]
) -> tuple[dict[Key, Totals], dict[Key, Totals]]:
    """Return by how much the totals of each account's days and months change where CDR rows go, and others and postings come."""
    days: dict[Key, Totals] = {}
    add_cdrs(days, old, -1)
    add_cdrs(days, new, 1)
    add_postings(days, postings)
    months: dict[Key, Totals] = {}
    for (account, day), totals in days.items():
        month = months.setdefault((account, str(Month.of_day(day))), [0] * WIDTH)
        month[:] = map(add, month, totals)
    return days, months


def add_cdrs(days: dict[Key, Totals], rows: Iterable[BillingRow], sign: int) -> None:
    """Add CDR rows to the totals of their accounts and days, or with -1 take them out."""
    for row in rows:
        totals = days.setdefault((row[_ACCOUNT], row[_DAY]), [0] * WIDTH)
        totals[0] += sign
        totals[-1] += sign
        if row[_DISPOSITION] == "ANSWERED":
            totals[1] += sign
        for number, value in enumerate(_summed(row), start=2):
            if value:
                totals[number] += sign * value


def add_postings(days: dict[Key, Totals], postings: Iterable[BillingRow]) -> None:
    """Add postings to the totals of their accounts and days."""
    for row in postings:
        totals = days.setdefault((row[_POSTED_TO], row[_POSTED_ON]), [0] * WIDTH)
        totals[:] = map(add, totals, (*row[_POSTED], 1))


def _apply(connection: Connection, table: Table, changes: dict[Key, Totals]) -> None:
    """Read the touched rows, add, and write them back; a row whose last call left it goes."""
    key_columns = list(table.primary_key)
    for start in range(0, len(changes), KEYS_AT_ONCE):
        keys = list(changes)[start : start + KEYS_AT_ONCE]
        for account, period, *before in connection.execute(select(table).where(tuple_(*key_columns).in_(keys))):
            after = changes[account, period]
            after[:] = map(add, before, after)
    empty = [key for key, totals in changes.items() if not totals[-1]]
    delete_rows(connection, table, key_columns, empty)
    put_rows(connection, table, [(*key, *totals) for key, totals in changes.items() if totals[-1]])


def fill_billing(connection: Connection) -> None:
    """Fill both tables, empty so far, from all entries: a rebuild's way, which also checks the differences' way."""
    summed = [func.sum(ENTRIES.c[name]) for name in TOTALS]
    by = ENTRIES.c.account, ENTRIES.c.day
    days = select(*by, *summed, func.count()).group_by(*by)
    connection.execute(insert(BILLING_DAYS).from_select(list(BILLING_DAYS.columns.keys()), days))
    period = func.substr(BILLING_DAYS.c.day, 1, len("YYYY-MM"))
    totals = [func.sum(BILLING_DAYS.c[name]) for name in (*TOTALS, "entries")]
    months = select(BILLING_DAYS.c.account, period, *totals).group_by(BILLING_DAYS.c.account, period)
    connection.execute(insert(BILLING).from_select(list(BILLING.columns.keys()), months))
