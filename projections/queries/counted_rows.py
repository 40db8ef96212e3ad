"""Where the rows of a selection are counted: in the rollup of the read model if it can tell them apart, else one by one.

Both give the same numbers. A rollup answers where a selection names nothing but columns of its key, and whole months.
"""

from typing import Any, NamedTuple

from msgspec import structs
from sqlalchemy import Column, ColumnElement, Connection, Table, func
from sqlalchemy.sql.visitors import replacement_traverse

from domain import times
from domain.months import Month
from projections.queries.conditions import conditions
from projections.queries.pattern_values import with_known_values
from projections.queries.selection import Selection, read_model
from projections.queries.time_points import read_month
from projections.schema.rollups import MONTH, ROLLUPS, ROWS, Rollup

ALWAYS = ("line_rule",)  # It says how numbers are compared.


class CountedRows(NamedTuple):
    """A table whose rows each stand for one row or more, the conditions of those that count, and how many they stand for."""

    table: Table
    conditions: list[ColumnElement[bool]]
    rows: ColumnElement[int]


def counted_rows(model: str, selection: Selection, timezone: str) -> CountedRows:
    """Return where the rows of a selection are counted; raises SelectionError for a filter that the read model does not have."""
    wanted = conditions(model, selection, timezone)
    rollup = ROLLUPS.get(model)
    if rollup and (covered := _covered(rollup, selection, timezone)) is not None:
        return CountedRows(rollup.table, covered, func.coalesce(func.sum(rollup.table.c[ROWS]), 0))
    return CountedRows(read_model(model).table, wanted, func.count())


def counted_quickly(connection: Connection, model: str, selection: Selection, timezone: str) -> CountedRows:
    """Return the same as ``counted_rows``, by the texts that fit a pattern where a rollup cannot tell them apart."""
    source = counted_rows(model, selection, timezone)
    if source.table is not read_model(model).table:
        return source
    return counted_rows(model, with_known_values(connection, model, selection), timezone)


def _covered(rollup: Rollup, selection: Selection, timezone: str) -> list[ColumnElement[bool]] | None:
    """Return the conditions of a selection on a rollup, or None where the rollup cannot tell its rows apart."""
    if any(each.name not in rollup.keys for each in selection.fits or ()):
        return None
    keys = {"fits", *rollup.keys, *ALWAYS, "since", "until", "period"} | ({"flag"} if "flags" in rollup.keys else set())
    if any(value is not None for name, value in structs.asdict(selection).items() if name not in keys):
        return None
    month, wanted = rollup.table.c[MONTH], []
    for at, condition in ((selection.since, month.__ge__), (selection.until, month.__lt__)):
        if at is not None:
            begun = _month_at(at, timezone)
            if begun is None:
                return None
            wanted.append(condition(str(begun)))
    rest = structs.replace(selection, since=None, until=None)
    if selection.period is not None and "period" not in rollup.keys:
        wanted.append(month == str(read_month(selection.period)))
        rest = structs.replace(rest, period=None)
    return [*wanted, *(_moved(condition, rollup) for condition in conditions(rollup.model.name, rest, timezone))]


def _month_at(at: int, timezone: str) -> Month | None:
    """Return the month that begins at a time (microseconds, UTC), or None if none does."""
    month = Month.of_day(times.day(at, timezone))
    return month if times.start_of_day(month.first_day, timezone) == at else None


def _moved(condition: ColumnElement[bool], rollup: Rollup) -> ColumnElement[bool]:
    """Return a condition on the read model as one on its rollup."""

    def replace(element: Any, **_: Any) -> Column[Any] | None:
        ours = isinstance(element, Column) and element.table is rollup.model.table
        return rollup.table.c[element.name] if ours else None

    return replacement_traverse(condition, {}, replace)
