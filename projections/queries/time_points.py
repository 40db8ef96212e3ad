"""Points in time as people write them: a time, a day, a month, or how long ago; all become microseconds, UTC.

Days and months begin in the billing time zone. A time must have its offset: without one it could mean any of 24 hours.
"""

import re
from datetime import date, datetime

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
            return times.start_of_day(value, timezone)
        if value.tzinfo is not None:
            return times.to_micros(value)
    except (ValueError, OverflowError):
        pass
    msg = f"{str(value)!r} is not a moment: {EXPECTED}"
    raise SelectionError(msg)


def _read(text: str, timezone: str, now: int | None) -> int:
    if _DAY.fullmatch(text):
        return times.start_of_day(date.fromisoformat(text), timezone)
    if ago := _AGO.fullmatch(text):
        return max((times.now() if now is None else now) - int(ago[1]) * _UNITS[ago[2]], 0)
    if len(text) == len("YYYY-MM"):
        return times.start_of_day(Month.parse(text).first_day, timezone)
    return times.parse(text)


def read_month(period: str) -> Month:
    """Read a month ``YYYY-MM``; raises SelectionError."""
    try:
        return Month.parse(period)
    except ValueError as error:
        raise SelectionError(str(error)) from None


def read_day(text: str) -> date:
    """Read a day such as ``2026-10-01``; raises ValueError for any other text."""
    if not _DAY.fullmatch(text):
        msg = f"{text!r} is not a day: expected one such as 2026-10-01"
        raise ValueError(msg)
    return date.fromisoformat(text)
