"""The read models ``billing`` and ``billing_days``: what each account's calls cost, by month and by day (SPEC 7).

They change by the difference between a call's old and new CDR row, and by postings, in the transaction that writes those
rows. Python adds up the sums: its whole numbers do not overflow into floats as SQLite's do.
"""

from collections.abc import Iterable, Sequence
from operator import add, attrgetter
from typing import Any, cast

from sqlalchemy import Connection, FromClause, Select, Table, func, insert, select, union_all
from sqlalchemy.exc import DBAPIError

from domain.months import Month
from projections.building.sum_limits import check_sums, find_large_sum
from projections.rows.cdrs import CdrRow, amounts_of_cdr
from projections.rows.entry import Entry
from projections.schema.indexes_and_views import entries_of_cdrs
from projections.schema.tables import BILLING, BILLING_DAYS, ENTRIES, POSTINGS, TOTALS
from projections.stores.upsert import delete_rows, find_rows, put_rows

ENTRIES_COUNT = -1  # The last of a table's totals: how many entries it sums. A row of no entries is deleted.
WIDTH = len(TOTALS) + 1
_amounts = attrgetter(*TOTALS)

Key = tuple[str, str]
Totals = list[int]


def apply_difference(
    connection: Connection, old: Iterable[CdrRow], new: Sequence[CdrRow], postings: Iterable[Entry]
) -> None:
    """Subtract old CDR rows from the totals, and add new ones and postings; raises SumTooLarge."""
    days, months = total_differences(old, new, postings)
    for table, changes in ((BILLING, months), (BILLING_DAYS, days)):
        _apply(connection, table, {key: totals for key, totals in changes.items() if any(totals)}, new)


def total_differences(
    old: Iterable[CdrRow], new: Iterable[CdrRow], postings: Iterable[Entry]
) -> tuple[dict[Key, Totals], dict[Key, Totals]]:
    """Return the changes to the totals of each account's days and months by old and new CDR rows and new postings."""
    days: dict[Key, Totals] = {}
    add_cdrs(days, old, -1)
    add_cdrs(days, new, 1)
    add_postings(days, postings)
    months: dict[Key, Totals] = {}
    for (account, day), totals in days.items():
        month = months.setdefault((account, str(Month.of_day(day))), [0] * WIDTH)
        month[:] = map(add, month, totals)
    return days, months


def add_cdrs(days: dict[Key, Totals], rows: Iterable[CdrRow], sign: int) -> None:
    """Add CDR rows to the totals of their accounts and days; with ``sign`` -1, subtract them."""
    for row in rows:
        totals = days.setdefault((row.account, row.day), [0] * WIDTH)
        amounts = (*amounts_of_cdr(row)[: len(TOTALS)], 1)
        totals[:] = [total + sign * amount for total, amount in zip(totals, amounts, strict=True)]


def add_postings(days: dict[Key, Totals], postings: Iterable[Entry]) -> None:
    """Add postings to the totals of their accounts and days."""
    for row in postings:
        totals = days.setdefault((row.account, row.day), [0] * WIDTH)
        totals[:] = map(add, totals, (*_amounts(row), 1))


def _apply(connection: Connection, table: Table, changes: dict[Key, Totals], new: Sequence[CdrRow]) -> None:
    """Add changes to the rows of their keys; a row whose last entry is gone is deleted."""
    key_columns = list(table.primary_key)
    for account, period, *before in find_rows(connection, table, key_columns, list(changes)):
        after = changes[cast("Key", (account, period))]
        after[:] = map(add, cast("Totals", before), after)
    check_sums(connection, changes, new)
    empty = [key for key, totals in changes.items() if not totals[ENTRIES_COUNT]]
    delete_rows(connection, table, key_columns, empty)
    put_rows(connection, table, [(*key, *totals) for key, totals in changes.items() if totals[ENTRIES_COUNT]])


def sums_of_cdrs() -> Select[Any]:
    """Select the sums of CDRs by account and day, in the columns of ``billing_days``."""
    return _sums(entries_of_cdrs().subquery().columns)


def fill_billing(connection: Connection, sums: FromClause | None = None) -> None:
    """Fill both empty tables from all entries, as a rebuild does: its comparison checks the sums made by differences.

    With a table of ``sums`` of all CDRs, in the columns of ``billing_days``, only postings are read besides. Raises SumTooLarge.
    """
    try:
        # On PostgreSQL before the exact sums: a sum that is too large ends the transaction there.
        if connection.dialect.name == "postgresql":
            _refuse_large_sums(connection)
        _fill_billing(connection, sums)
    except DBAPIError:
        # The database ends the statement, and does not say which sum it was.
        if connection.dialect.name == "sqlite":
            _refuse_large_sums(connection)
        raise


def _refuse_large_sums(connection: Connection) -> None:
    if (too_large := find_large_sum(connection)) is not None:
        raise too_large


def _sums(columns: Any) -> Select[Any]:
    by = columns.account, columns.day
    return select(*by, *(func.sum(columns[name]) for name in TOTALS), func.count().label("entries")).group_by(*by)


def _sums_of_both(sums: FromClause) -> Select[Any]:
    postings = _sums(POSTINGS.c).subquery()
    both = union_all(select(*sums.c), select(*postings.c)).subquery().c
    by = both.account, both.day
    return select(*by, *(func.sum(both[name]) for name in (*TOTALS, "entries"))).group_by(*by)


def _fill_billing(connection: Connection, sums: FromClause | None) -> None:
    days = _sums(ENTRIES.c) if sums is None else _sums_of_both(sums)
    connection.execute(insert(BILLING_DAYS).from_select(list(BILLING_DAYS.columns.keys()), days))
    period = func.substr(BILLING_DAYS.c.day, 1, len("YYYY-MM"))
    totals = [func.sum(BILLING_DAYS.c[name]) for name in (*TOTALS, "entries")]
    months = select(BILLING_DAYS.c.account, period, *totals).group_by(BILLING_DAYS.c.account, period)
    connection.execute(insert(BILLING).from_select(list(BILLING.columns.keys()), months))
