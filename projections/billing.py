"""The read models ``billing`` and ``billing_days``: what each account's calls cost, by month and by day (SPEC 7).

They change by the difference between a call's old and new CDR row, in the transaction that writes that row. The sums are
made in Python, whose whole numbers do not overflow into floats as SQLite's do.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Table, case, func, insert, select, tuple_

from projections.rows import delete_rows, put_rows
from projections.tables import BILLING, BILLING_DAYS, CDRS, TOTALS

_COLUMN = {column.name: number for number, column in enumerate(CDRS.columns)}
_ACCOUNT, _PERIOD, _DAY, _DISPOSITION = (_COLUMN[name] for name in ("account", "period", "day", "disposition"))
_SUMMED = [
    _COLUMN[name]
    for name in ("src_duration", "dest_duration", "cost", "sip_credits", "billed_seconds", "price", "margin")
]

KEYS_AT_ONCE = 300

Row = Sequence[object]
Key = tuple[str, str]
Totals = list[int]


def change(connection: Connection, old: Iterable[Row], new: Iterable[Row]) -> None:
    """Take old CDR rows out of the totals and new ones in."""
    for table, period in ((BILLING, _PERIOD), (BILLING_DAYS, _DAY)):
        changes: dict[Key, Totals] = {}
        for rows, sign in ((old, -1), (new, 1)):
            for row in rows:
                _add(changes, (str(row[_ACCOUNT]), str(row[period])), row, sign)
        _apply(connection, table, {key: totals for key, totals in changes.items() if any(totals)})


def _add(changes: dict[Key, Totals], key: Key, row: Row, sign: int) -> None:
    totals = changes.setdefault(key, [0] * len(TOTALS))
    values = (1, int(row[_DISPOSITION] == "ANSWERED"), *(row[number] or 0 for number in _SUMMED))
    for number, value in enumerate(values):
        assert isinstance(value, int)
        totals[number] += sign * value


def _apply(connection: Connection, table: Table, changes: dict[Key, Totals]) -> None:
    """Read the touched rows, add, and write them back; a row whose last call left it goes."""
    key_columns = list(table.primary_key)
    for start in range(0, len(changes), KEYS_AT_ONCE):
        keys = list(changes)[start : start + KEYS_AT_ONCE]
        for account, period, *before in connection.execute(select(table).where(tuple_(*key_columns).in_(keys))):
            after = changes[account, period]
            after[:] = [a + b for a, b in zip(before, after, strict=True)]
    empty = [key for key, totals in changes.items() if not totals[0]]
    delete_rows(connection, table, key_columns, empty)
    put_rows(connection, table, [(*key, *totals) for key, totals in changes.items() if totals[0]])


def fill(connection: Connection) -> None:
    """Fill both tables, empty so far, from the CDRs: a rebuild's way, which also checks the differences' way."""
    summed = [func.coalesce(func.sum(column), 0) for number, column in enumerate(CDRS.columns) if number in _SUMMED]
    answered = func.sum(case((CDRS.c.disposition == "ANSWERED", 1), else_=0))
    for table, period in ((BILLING, CDRS.c.period), (BILLING_DAYS, CDRS.c.day)):
        totals = select(CDRS.c.account, period, func.count(), answered, *summed).group_by(CDRS.c.account, period)
        connection.execute(insert(table).from_select(list(table.columns.keys()), totals))
