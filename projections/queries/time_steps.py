"""A span of time cut into hours, days or months of a time zone; and the span that is meant where none is named."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

from domain import times
from domain.months import Month
from projections.queries.selection import Selection
from projections.queries.time_points import SelectionError, read_month

HOUR, DAY, MONTH = "hour", "day", "month"
CUTS = (HOUR, DAY, MONTH)
STEPS_MAX = {HOUR: 31 * 24, DAY: 366, MONTH: 120}
# How much is shown where no span is named: so many days, or months, that end with the latest call.
DAYS_OF_HOURS, MONTHS_USUAL = 7, 12
HOUR_MICROS = 3600 * times.SECOND
_ONE_DAY = timedelta(days=1)


class TimeSpan(NamedTuple):
    """A span from ``since`` up to but not including ``until``, in microseconds, UTC."""

    since: int
    until: int


class TimeStep(NamedTuple):
    """An hour, a day or a month, or the part of it that lies in a span: microseconds, UTC, ``after`` itself excluded."""

    name: str
    first: int
    after: int


def selected_ends(selection: Selection, timezone: str) -> tuple[int | None, int | None]:
    """Return the ends that a selection has, by its times and by its month; raises SelectionError if nothing lies between them."""
    since, until = selection.since, selection.until
    if selection.period is not None:
        month = read_month(selection.period)
        first, after = (times.start_of_day(each.first_day, timezone) for each in (month, month.next))
        since, until = max(first, since or 0), after if until is None else min(after, until)
    if since is not None and until is not None and since >= until:
        msg = "these filters select no time: expected a beginning, an end or a month that have some in common"
        raise SelectionError(msg)
    return since, until


def meant_span(
    by: str, ends: tuple[int | None, int | None], find_latest: Callable[[], int | None], now: int, timezone: str
) -> TimeSpan:
    """Return the span that is meant by its ends, as ``usual_span`` does; ``now`` stands for the latest call if there is none.

    ``find_latest`` returns the time of the latest call, and is asked only where the end is missing.
    """
    since, until = ends
    latest = find_latest() if until is None else None
    return usual_span(by, since, until, now if latest is None else latest, timezone)


def usual_span(by: str, since: int | None, until: int | None, latest: int, timezone: str) -> TimeSpan:
    """Return the span that is meant by its ends, of which one or both may be missing; ``latest`` is the time of the latest call.

    Without an end it ends with the day of the latest call, or its month if it is cut into days or months. Without a beginning it
    has seven days, a month, or twelve months, cut into hours, days or months.
    """
    if until is None:
        last = date.fromisoformat(times.day(max(latest, since or 0), timezone))
        after = last + _ONE_DAY if by == HOUR else Month.of_day(last.isoformat()).next.first_day
        until = times.start_of_day(after, timezone)
    if since is None:
        last = date.fromisoformat(times.day(max(until - 1, 0), timezone))
        first = last - timedelta(days=DAYS_OF_HOURS - 1) if by == HOUR else last.replace(day=1)
        for _ in range(MONTHS_USUAL - 1 if by == MONTH else 0):
            first = (first - _ONE_DAY).replace(day=1)
        since = max(times.start_of_day(first, timezone), 0)
    return TimeSpan(since, until)


def time_steps(by: str, span: TimeSpan, timezone: str) -> list[TimeStep]:
    """Return the hours, days or months of a span in a time zone; the first and the last are cut where the span is.

    Raises SelectionError if there are too many.
    """
    steps: list[TimeStep] = []
    for step in _steps(by, span, timezone):
        if len(steps) == STEPS_MAX[by]:
            msg = f"this span has more than {STEPS_MAX[by]} {by}s: expected a shorter one, or longer steps"
            raise SelectionError(msg)
        steps.append(step)
    return steps


def _steps(by: str, span: TimeSpan, timezone: str) -> Iterator[TimeStep]:
    at = span.since
    while at < span.until:
        name, following = _step_at(by, at, timezone)
        yield TimeStep(name, at, min(following, span.until))
        at = following


def _step_at(by: str, at: int, timezone: str) -> tuple[str, int]:
    """Return the name of the step that a time lies in, and when the next one begins."""
    day = times.day(at, timezone)
    if by == MONTH:
        month = Month.of_day(day)
        return str(month), times.start_of_day(month.next.first_day, timezone)
    if by == DAY:
        return day, times.start_of_day(date.fromisoformat(day) + _ONE_DAY, timezone)
    local = times.to_datetime(at).astimezone(times.zone(timezone))
    offset = local.utcoffset() or timedelta()
    shift = int(offset.total_seconds()) * times.SECOND
    comes_twice = local.replace(fold=1 - local.fold).utcoffset() != offset
    name = f"{local:%Y-%m-%d %H}:00"
    return name + (f" UTC{local:%z}" if comes_twice else ""), at + HOUR_MICROS - (at + shift) % HOUR_MICROS
