"""The rollups of calls and CDRs (schema/rollups.py), kept up by the difference between old and new rows, and filled at once.

A rebuild fills them from all rows, so its comparison checks what was kept up by differences.
"""

from collections.abc import Callable, Iterable
from operator import add, attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, case, func, insert, literal, literal_column, select

from domain import times
from domain.months import Month
from projections.schema.rollups import ROLLUPS, ROWS, Rollup
from projections.stores.upsert import delete_rows, put_rows

Key = tuple[str, ...]


def apply_rollup_differences(
    connection: Connection, model: str, old: Iterable[Any], new: Iterable[Any], timezone: str
) -> None:
    """Subtract old rows of a read model from its rollup, and add new ones; ``timezone`` is the ledger's.

    Raises StoreUnavailable for a sum that does not fit into 64 bits.
    """
    rollup = ROLLUPS[model]
    changes: dict[Key, list[int]] = {}
    lessened = _add_rows(changes, rollup, old, -1, timezone)
    _add_rows(changes, rollup, new, 1, timezone)
    changed = [(*key, *totals) for key, totals in changes.items() if any(totals)]
    put_rows(connection, rollup.table, changed, adding=True)
    # A call that goes on has the same key as before as a rule: then no row can have become empty.
    gone = [(*key, 0) for key in lessened if changes[key][0] < 0]
    delete_rows(connection, rollup.table, [*rollup.table.primary_key, rollup.table.c[ROWS]], gone)


def _add_rows(changes: dict[Key, list[int]], rollup: Rollup, rows: Iterable[Any], sign: int, timezone: str) -> set[Key]:
    """Add the rows to the changes by their keys, times ``sign``, and return the keys."""
    at, values, amounts = attrgetter(rollup.model.time_column), _getter(rollup.keys), _getter(rollup.summed)
    found: set[Key] = set()
    for row in rows:
        key = (times.day(at(row), timezone)[:7], *values(row))
        added = (sign, *[sign * (amount or 0) for amount in amounts(row)])
        found.add(key)
        changes[key] = [*map(add, changes[key], added)] if key in changes else [*added]
    return found


def _getter(names: Iterable[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that returns the attributes of these names, in a tuple also where it is one."""
    getters = [attrgetter(name) for name in names]
    if len(getters) == 1:
        first = getters[0]
        return lambda row: (first(row),)
    return attrgetter(*names)


def fill_rollups(connection: Connection, timezone: str) -> None:
    """Fill the empty rollups from all rows; ``timezone`` is the ledger's. Raises StoreUnavailable as above."""
    for rollup in ROLLUPS.values():
        source = rollup.model.table
        at = source.c[rollup.model.time_column]
        first, last = connection.execute(select(func.min(at), func.max(at))).one()
        if first is None:
            continue
        keys = [_month(at, _months(first, last, timezone)), *(source.c[name] for name in rollup.keys)]
        sums = [func.sum(func.coalesce(source.c[name], 0)) for name in rollup.summed]
        places: list[ColumnElement[Any]] = [literal_column(str(number)) for number in range(1, len(keys) + 1)]
        grouped = select(*keys, func.count(), *sums).group_by(*places)
        connection.execute(insert(rollup.table).from_select(list(rollup.table.columns.keys()), grouped))


def _months(first: int, last: int, timezone: str) -> list[tuple[int, Month]]:
    """Return the months from one time to another, each with the time at which it begins."""
    month = Month.of_day(times.day(first, timezone))
    found: list[tuple[int, Month]] = []
    while not found or found[-1][0] <= last:
        found.append((times.start_of_day(month.first_day, timezone), month))
        month = month.next
    return found


def _month(at: ColumnElement[int], months: list[tuple[int, Month]]) -> ColumnElement[str]:
    """Return the month of a time in SQL: by halves, so that it costs as little in a log of many years."""
    if len(months) == 1:
        return literal(str(months[0][1]), Text)
    middle = len(months) // 2
    return case((at < months[middle][0], _month(at, months[:middle])), else_=_month(at, months[middle:]))
