"""Traffic by hour and weekday: how many calls began in each hour of the week, and how many of them were answered.

An index counts the calls of each hour of the span, or of each quarter of an hour in a time zone that is off by less than an hour:
so it takes as long as counting the calls once.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, case, func, literal, select

from domain import times
from projections.queries.conditions import conditions
from projections.queries.metrics import RATIO_PLACES, quotient
from projections.queries.pattern_values import with_known_values
from projections.queries.selection import Selection
from projections.queries.time_points import SelectionError
from projections.queries.time_steps import HOUR_MICROS, TimeSpan
from projections.rows.entry import ANSWERED
from projections.schema.tables import CALLS

WEEKDAYS, HOURS = 7, 24
DAYS_MAX = 366
QUARTERS = 4
MEAN_PLACES = 2


class WeekHour(NamedTuple):
    """An hour of the week: ``weekday`` from 1 (Monday) to 7, ``hour`` from 0 to 23.

    ``hours`` is how often it begins in the span; ``calls`` began in it, and ``answered`` of them were answered.
    """

    weekday: int
    hour: int
    hours: int
    calls: int
    answered: int

    @property
    def mean(self) -> str | None:
        """The calls of one such hour on average, to two decimals; None if the span has none."""
        return quotient(self.calls, self.hours, MEAN_PLACES)

    @property
    def share_answered(self) -> str | None:
        """The share of calls that were answered, to four decimals; None if there are none."""
        return quotient(self.answered, self.calls, RATIO_PLACES)

    @property
    def percent_answered(self) -> str | None:
        """The share of calls that were answered, in per cent, to one decimal; None if there are none."""
        return quotient(self.answered * 100, self.calls, 1)


def weekly_traffic(connection: Connection, selection: Selection, span: TimeSpan, timezone: str) -> list[WeekHour]:
    """Return the 168 hours of the week in a time zone, Monday's first; raises SelectionError if the span is too long."""
    check_span(span)
    where = _conditions(connection, selection, timezone)
    totals = [[0, 0, 0] for _ in range(WEEKDAYS * HOURS)]
    for at, calls, answered in _counted(connection, where, span, _slot_micros(span, timezone)):
        local = times.to_datetime(at).astimezone(times.zone(timezone))
        total = totals[(local.isoweekday() - 1) * HOURS + local.hour]
        total[0] += _begins_hour(local, at, span)
        total[1] += calls
        total[2] += answered
    return [WeekHour(place // HOURS + 1, place % HOURS, *total) for place, total in enumerate(totals)]


def check_span(span: TimeSpan) -> None:
    """Raise SelectionError if a span is too long."""
    if span.until - span.since > DAYS_MAX * times.DAY + HOUR_MICROS:
        msg = f"this span has more than {DAYS_MAX} days: expected a shorter one"
        raise SelectionError(msg)


def _begins_hour(local: datetime, at: int, span: TimeSpan) -> int:
    """Return 1 if an hour begins with a slot, or is already under way where the span begins."""
    return int(local.minute == 0 or at <= span.since)


def _slot_micros(span: TimeSpan, timezone: str) -> int:
    """Return how long the slots are that calls are counted in, so that none lies in two hours of the week."""
    zone, at = times.zone(timezone), span.since
    while at < span.until + 180 * times.DAY:
        offset = times.to_datetime(at).astimezone(zone).utcoffset()
        if offset and offset % timedelta(hours=1):
            return HOUR_MICROS // QUARTERS
        at += 30 * times.DAY
    return HOUR_MICROS


def _counted(
    connection: Connection, where: list[ColumnElement[bool]], span: TimeSpan, size: int
) -> list[tuple[int, int, int]]:
    """Return the beginning of each slot of the span with its calls, and those of them that were answered."""
    first = literal(span.since - span.since % size, BigInteger)
    slot = select(first.label("at")).cte("slot", recursive=True)
    slot = slot.union_all(select(slot.c.at + size).where(slot.c.at + size < span.until))
    # One bound each, made from the slot: with two SQLite would take the wider one, and read all of the span for each slot.
    begin = case((slot.c.at < span.since, span.since), else_=slot.c.at)
    end = case((slot.c.at + size > span.until, span.until), else_=slot.c.at + size)
    inside = select(func.count()).select_from(CALLS).where(*where, CALLS.c.opened_at >= begin, CALLS.c.opened_at < end)
    answered = inside.where(CALLS.c.disposition == ANSWERED)
    rows = connection.execute(select(slot.c.at, inside.scalar_subquery(), answered.scalar_subquery()))
    return [(int(at), int(calls), int(of_them)) for at, calls, of_them in rows]


def _conditions(connection: Connection, selection: Selection, timezone: str) -> list[ColumnElement[bool]]:
    return conditions("calls", with_known_values(connection, "calls", selection.whenever), timezone)
