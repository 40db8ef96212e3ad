"""Reads the times of access logs and tables as whole microseconds, UTC."""

import re
from datetime import UTC, datetime
from functools import lru_cache

from domain import times

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTHS = {name: f"{number:02}" for number, name in enumerate(_MONTHS, start=1)}

# Nine digits or more: fewer could be a date, and Unix time has had nine since 1973.
_UNIX = re.compile(r"([0-9]{9,12})(?:\.([0-9]{1,6}))?")


@lru_cache(maxsize=4096)
def read_log_time(text: str) -> int:
    """Read the time of a line of an access log, such as ``10/Oct/2026:13:55:36 +0200``; raises ValueError.

    The names of months are English in every locale.
    """
    day, month, year, clock = text[:2], text[3:6], text[7:11], text[12:20]
    return times.parse(f"{year}-{MONTHS.get(month, month)}-{day}T{clock}{text[21:]}")


@lru_cache(maxsize=4096)
def read_table_time(text: str, zone: str, name: str = "received_at", fold: int | None = None) -> int:
    """Read a time of a table: ISO 8601, ``YYYY-MM-DD HH:MM:SS`` with or without a fraction, or Unix seconds.

    A time without an offset is in the given time zone; in the hour that comes twice when clocks go back, ``fold`` says
    which of both it is, 0 for the first. Raises ValueError, with the column's ``name``, for anything else, for a time that the
    zone skipped, and for one that came twice if ``fold`` is None.
    """
    readings = read_time_readings(text, zone, name)
    if len(readings) > 1 and fold is None:
        msg = f"{name}={text!r}: it came twice on the clocks of {zone}: expected its offset, or --fold 0 (the first) or --fold 1"
        raise ValueError(msg)
    return readings[-1 if fold else 0]


@lru_cache(maxsize=4096)
def read_time_readings(text: str, zone: str, name: str, date_format: str | None = None) -> tuple[int, ...]:
    """Return the moments that a time can mean: two in the hour that comes twice when clocks go back, else one.

    ``date_format`` is the form of the text (as in strptime) if it is none of those of ``read_table_time``. Raises ValueError.
    """
    unix = None if date_format else _UNIX.fullmatch(text)
    if unix:
        seconds, fraction = unix.groups(default="")
        return (_in_range(name, text, int(seconds) * times.SECOND + int(fraction.ljust(6, "0"))),)
    try:
        read = datetime.strptime(text, date_format) if date_format else datetime.fromisoformat(text)  # noqa: DTZ007
    except ValueError:
        expected = (
            f"a time in the form {date_format}" if date_format else "ISO 8601, YYYY-MM-DD HH:MM:SS, or Unix seconds"
        )
        msg = f"{name}={text!r}: expected {expected}"
        raise ValueError(msg) from None
    if read.tzinfo:
        return (_in_range(name, text, times.to_micros(read)),)
    return tuple(dict.fromkeys(_in_range(name, text, times.to_micros(each)) for each in _local(name, read, zone)))


def _local(name: str, read: datetime, zone: str) -> list[datetime]:
    local = read.replace(tzinfo=times.zone(zone))
    try:
        back = local.astimezone(UTC).astimezone(local.tzinfo)
    except OverflowError:
        return [read.replace(tzinfo=UTC)]  # At the ends of the calendar, out of range in every zone.
    if back.replace(tzinfo=None) != read:
        msg = f"{name}='{read}': expected a time that was on the clocks of {zone}, which were put forward then"
        raise ValueError(msg)
    # Compared with its reading in UTC, as datetimes of one zone are compared by the clock.
    return [each.astimezone(UTC) for each in (local, local.replace(fold=1))]


def _in_range(name: str, text: str, at: int) -> int:
    if not 0 <= at < times.LAST:
        msg = f"{name}={text!r}: expected a time from 1970 to 9998"
        raise ValueError(msg)
    return at
