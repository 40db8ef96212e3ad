"""Where the rows of a selection are counted: in the rollup of the read model if it can tell them apart, else one by one.

Both give the same numbers. A rollup answers where a selection names nothing but columns of its key, and whole months; for other
spans it answers for the whole months, and rows are counted at both ends.
"""

from typing import NamedTuple

from msgspec import structs
from sqlalchemy import ColumnElement, Connection, Table, func, literal, select

from domain import times
from domain.months import Month
from projections.queries.conditions import conditions, on_source
from projections.queries.narrowest_filter import Wanted, narrowed_selection
from projections.queries.pattern_values import with_known_values
from projections.queries.selection import Selection, read_model
from projections.queries.time_points import read_month
from projections.schema.rollups import MONTH, ROLLUPS, ROWS, Rollup

ALWAYS = ("line_rule",)  # It says how numbers are compared.


class CountedRows(NamedTuple):
    """A table whose rows each stand for one row or more, the conditions of those that count, and how many they stand for.

    ``sought`` are those conditions that an index looks up, where that is known.
    """

    table: Table
    conditions: list[ColumnElement[bool]]
    rows: ColumnElement[int]
    sought: list[ColumnElement[bool]] | None = None

    def has_more(self, connection: Connection, rows: int) -> bool:
        """Whether it has more rows than that, of which no more are read; none are looked up where the index has no more."""
        return all(
            connection.execute(select(literal(1)).select_from(self.table).where(*wanted).offset(rows).limit(1)).first()
            is not None
            for wanted in (self.sought, self.conditions)
            if wanted is not None
        )


def counted_rows(model: str, selection: Selection, timezone: str) -> CountedRows:
    """Return where the rows of a selection are counted; raises SelectionError for a filter that the read model does not have."""
    wanted = conditions(model, selection, timezone)
    rollup = ROLLUPS.get(model)
    if rollup and (covered := _covered(rollup, selection, timezone)) is not None:
        return CountedRows(rollup.table, covered, func.coalesce(func.sum(rollup.table.c[ROWS]), 0))
    return CountedRows(read_model(model).table, wanted, func.count())


def counted_quickly(connection: Connection, model: str, selection: Selection, timezone: str) -> CountedRows:
    """Return the same as ``counted_rows``; where a rollup cannot tell them apart, by the filter that the fewest rows pass."""
    source = counted_rows(model, selection, timezone)
    if source.table is not read_model(model).table or model not in ROLLUPS:
        return source
    known = with_known_values(connection, model, selection)
    if connection.dialect.name != "sqlite":
        return counted_rows(model, known, timezone)
    narrowed = narrowed_selection(connection, model, known, timezone, Wanted.EACH)
    return source._replace(conditions=narrowed.conditions, sought=narrowed.sought if narrowed.others else None)


class CountedPart(NamedTuple):
    """A part of a selection: where its rows are counted, and whether they are added (1) or taken away (-1)."""

    sign: int
    source: CountedRows


def counted_in_parts(connection: Connection, model: str, selection: Selection, timezone: str) -> list[CountedPart]:
    """Return the parts that a selection's counts and sums are made of, so that few rows are counted one by one.

    A span that begins or ends within a month is the whole months of a rollup, and half a month's rows or less at each end: added, or
    taken away where most of the month is selected.
    """
    source, rollup = counted_quickly(connection, model, selection, timezone), ROLLUPS.get(model)
    if rollup is None or source.table is rollup.table:
        return [CountedPart(1, source)]
    first, after = (None if at is None else _nearest_month(at, timezone) for at in (selection.since, selection.until))
    whole = counted_rows(model, structs.replace(selection, since=first, until=after), timezone)
    if whole.table is not rollup.table or (first is not None and after is not None and first >= after):
        return [CountedPart(1, source)]
    edges = []
    for sign, begin, end in ((1, selection.since, first), (-1, selection.until, after)):
        if begin is not None and end is not None and begin != end:
            # Before the whole months begin, or after they end, rows are added; within them they are taken away.
            edges.append((sign if begin < end else -sign, min(begin, end), max(begin, end)))
    cut_off = sum(end - begin for _, begin, end in edges)
    if None not in {first, after} and cut_off >= (selection.until or 0) - (selection.since or 0):
        return [CountedPart(1, source)]
    cut = (
        CountedPart(
            sign, counted_quickly(connection, model, structs.replace(selection, since=begin, until=end), timezone)
        )
        for sign, begin, end in edges
    )
    return [CountedPart(1, whole), *cut]


def _nearest_month(at: int, timezone: str) -> int:
    """Return when the month begins that begins nearest to a time (microseconds, UTC)."""
    month = Month.of_day(times.day(at, timezone))
    begun, following = (times.start_of_day(each.first_day, timezone) for each in (month, month.next))
    return begun if at - begun <= following - at else following


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
    return [
        *wanted,
        *(on_source(each, rollup.model.table, rollup.table) for each in conditions(rollup.model.name, rest, timezone)),
    ]


def _month_at(at: int, timezone: str) -> Month | None:
    """Return the month that begins at a time (microseconds, UTC), or None if none does."""
    month = Month.of_day(times.day(at, timezone))
    return month if times.start_of_day(month.first_day, timezone) == at else None
