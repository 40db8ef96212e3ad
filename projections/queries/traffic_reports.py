"""What pages and the JSON API say of traffic: the span that is meant where none is named, and the calls of its hours or steps."""

from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection

from projections.queries.call_quality import QualityStep, quality_steps
from projections.queries.latest_time import latest_counted, latest_time
from projections.queries.selection import Selection
from projections.queries.time_steps import DAY, TimeSpan, meant_span, selected_ends, time_steps
from projections.queries.weekly_traffic import WeekHour, check_span, weekly_traffic


class WeekReport(NamedTuple):
    """A span, and the 168 hours of the week in it."""

    span: TimeSpan
    hours: list[WeekHour]


class QualityReport(NamedTuple):
    """A span, and its hours, days or months."""

    span: TimeSpan
    steps: list[QualityStep]


def span_of_week(connection: Connection, selection: Selection, now: int, timezone: str) -> TimeSpan:
    """Return the span that the hours of the week are counted in; raises SelectionError if it is too long.

    ``now`` (microseconds, UTC) stands for the latest call where there is none.
    """
    ends, latest = selected_ends(selection, timezone), partial(latest_time, connection, "calls", selection, timezone)
    span = meant_span(DAY, ends, latest, now, timezone)
    check_span(span)
    return span


def span_of_quality(connection: Connection, selection: Selection, by: str, now: int, timezone: str) -> TimeSpan:
    """Return the span of ASR and ACD by hour, day or month; ``now`` stands for the latest call where there is none."""
    ends, latest = selected_ends(selection, timezone), partial(latest_counted, connection, selection, timezone)
    return meant_span(by, ends, latest, now, timezone)


def report_week(connection: Connection, selection: Selection, now: int, timezone: str) -> WeekReport:
    """Return how many of the selected calls began in each hour of the week; raises SelectionError as ``weekly_traffic`` does."""
    span = span_of_week(connection, selection, now, timezone)
    return WeekReport(span, weekly_traffic(connection, selection, span, timezone))


def report_quality(connection: Connection, selection: Selection, by: str, now: int, timezone: str) -> QualityReport:
    """Return ASR and ACD of the selected calls by hour, day or month; raises SelectionError as ``time_steps`` does."""
    span = span_of_quality(connection, selection, by, now, timezone)
    steps = time_steps(by, span, timezone)
    return QualityReport(span, quality_steps(connection, selection, steps, by, timezone))
