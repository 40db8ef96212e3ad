"""Points in time as people write them: a time, a day, a month, or how long ago; all become microseconds, UTC.

Days and months begin in the billing time zone. A time must have its offset: without one it could mean any of 24 hours.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from domain import times
from domain.errors import WrongUsage
from domain.months import Month

EXPECTED = (
    "expected a day (2026-10-01), a month (2026-10), a time with its offset (2026-10-01T12:00:00Z), or how long ago"
    " (30m, 24h, 7d)"
)

Moment = str | date | None

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AGO = re.compile(r"([0-9]{1,6})([mhd])")
_ONE_DAY = timedelta(days=1)
# Of these, each day has one before it and one after it in every time zone; times (SPEC 1) are of the same years.
_YEARS = range(1970, 9999)
_DAY_LENGTH = len("2026-10-01T")
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS = {"m": 60 * times.SECOND, "h": 3600 * times.SECOND, "d": 86_400 * times.SECOND}


class SelectionError(WrongUsage):
    """A filter is invalid, or invalid for this read model; the message names the value and what was expected."""


def read_time_point(value: Moment, timezone: str, now: int | None = None) -> int | None:
    """Return a point in time in microseconds, UTC, or None for None; "ago" counts from ``now``, by default the clock.

    Raises SelectionError.
    """
    if value is None:
        return None
    try:
        if isinstance(value, str):
            return _read(value, timezone, now)
        if not isinstance(value, datetime):
            return times.start_of_day(_within_years(value), timezone)
        if value.tzinfo is not None:
            return times.to_micros(value)
    except (ValueError, OverflowError):
        pass
    msg = f"{str(value)!r} is not a moment: {EXPECTED}"
    raise SelectionError(msg)


def _read(text: str, timezone: str, now: int | None) -> int:
    if _DAY.fullmatch(text):
        return times.start_of_day(read_day(text), timezone)
    if ago := _AGO.fullmatch(text):
        return max((times.now() if now is None else now) - int(ago[1]) * _UNITS[ago[2]], 0)
    if len(text) == len("YYYY-MM"):
        return times.start_of_day(_within_years(Month.parse(text).first_day), timezone)
    return times.parse(text)


def read_last(value: Moment, timezone: str, now: int | None = None) -> int | None:
    """Return the end of a span that takes in a day, a month or a time: the first microsecond, UTC, after it.

    None gives None. Raises SelectionError.
    """
    if value is None:
        return None
    try:
        if isinstance(value, str):
            if _DAY.fullmatch(value):
                return times.start_of_day(read_day(value) + _ONE_DAY, timezone)
            if len(value) == len("YYYY-MM"):
                return times.start_of_day(read_month(value).next.first_day, timezone)
        elif not isinstance(value, datetime):
            return times.start_of_day(_within_years(value) + _ONE_DAY, timezone)
    except (ValueError, OverflowError):
        msg = f"{str(value)!r} is not a moment: {EXPECTED}"
        raise SelectionError(msg) from None
    at = read_time_point(value, timezone, now)
    return None if at is None else at + 1


def read_ends(given: Mapping[str, str], timezone: str, now: int | None = None) -> tuple[int | None, int | None]:
    """Return the ends of the span that ``from``, ``to`` and ``through`` name (microseconds, UTC, the last one excluded).

    Raises SelectionError.
    """
    until, through = given.get("to") or None, given.get("through") or None
    if until and through:
        msg = f"got to={until}, which is excluded, and through={through}, which is taken in: expected one of them"
        raise SelectionError(msg)
    end = read_last(through, timezone, now) if through else read_time_point(until, timezone, now)
    return read_time_point(given.get("from") or None, timezone, now), end


def describe_span(since: int | None, until: int | None, timezone: str) -> str:
    """Return the span from ``since`` up to ``until`` (excluded; microseconds, UTC) in words; empty if it has no ends.

    A day is said to end at 24:00, as in ``1 Oct 2026 00:00 to 31 Oct 2026 24:00, Europe/Berlin``.
    """
    if since is None and until is None:
        return ""
    first = "" if since is None else describe_time(since, timezone)
    last = "" if until is None else describe_time(until, timezone, ends=True)
    ends = f"{first} to {last}" if first and last else f"from {first} on" if first else f"up to {last}"
    return f"{ends}, {timezone}"


def describe_time(at: int, timezone: str, *, ends: bool = False) -> str:
    """Return a time (microseconds, UTC) in a time zone; with its offset, unless a day begins or ``ends`` there or the zone is UTC."""
    day = date.fromisoformat(times.day(at, timezone))
    if times.start_of_day(day, timezone) == at:
        return f"{_day_in_words(day - _ONE_DAY)} 24:00" if ends and at else f"{_day_in_words(day)} 00:00"
    local = times.to_datetime(at).astimezone(times.zone(timezone))
    if timezone == "UTC":
        local = local.replace(tzinfo=None)
    exactness = "microseconds" if local.microsecond else "seconds" if local.second else "minutes"
    return f"{_day_in_words(day)} {local.isoformat(timespec=exactness)[_DAY_LENGTH:]}"


def _day_in_words(day: date) -> str:
    return f"{day.day} {_MONTH_NAMES[day.month - 1]} {day.year}"


def read_month(period: str) -> Month:
    """Read a month ``YYYY-MM`` from 1970 to 9998; raises SelectionError."""
    try:
        month = Month.parse(period)
        _within_years(month.first_day)
    except ValueError as error:
        raise SelectionError(str(error)) from None
    return month


def read_day(text: str) -> date:
    """Read a day such as ``2026-10-01``, from 1970 to 9998; raises ValueError for any other text, SelectionError for other years."""
    if not _DAY.fullmatch(text):
        msg = f"{text!r} is not a day: expected one such as 2026-10-01"
        raise ValueError(msg)
    return _within_years(date.fromisoformat(text))


def _within_years(day: date) -> date:
    if day.year not in _YEARS:
        msg = f"{day.isoformat()} is out of range: expected a day from 1970 to 9998"
        raise SelectionError(msg)
    return day
