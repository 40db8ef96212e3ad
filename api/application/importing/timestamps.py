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
def read_table_time(text: str, zone: str, name: str = "received_at") -> int:
    """Read a time of a table: ISO 8601, ``YYYY-MM-DD HH:MM:SS`` with or without a fraction, or Unix seconds.

    A time without an offset is in the given time zone; in the hour that comes twice when clocks go back, it is the first.
    Raises ValueError, with the column's ``name``, for anything else, and for a time that the zone skipped.
    """
    unix = _UNIX.fullmatch(text)
    if unix:
        seconds, fraction = unix.groups(default="")
        return _in_range(name, text, int(seconds) * times.SECOND + int(fraction.ljust(6, "0")))
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        msg = f"{name}={text!r}: expected ISO 8601, YYYY-MM-DD HH:MM:SS, or Unix seconds"
        raise ValueError(msg) from None
    if read.tzinfo is None:
        read = _local(name, read, zone)
    return _in_range(name, text, times.to_micros(read))


def _local(name: str, read: datetime, zone: str) -> datetime:
    local = read.replace(tzinfo=times.zone(zone))
    try:
        back = local.astimezone(UTC).astimezone(local.tzinfo)
    except OverflowError:
        return read.replace(tzinfo=UTC)  # At the ends of the calendar, out of range in every zone.
    if back.replace(tzinfo=None) != read:
        msg = f"{name}='{read}': expected a time that was on the clocks of {zone}, which were put forward then"
        raise ValueError(msg)
    return local


def _in_range(name: str, text: str, at: int) -> int:
    if not 0 <= at < times.LAST:
        msg = f"{name}={text!r}: expected a time from 1970 to 9998"
        raise ValueError(msg)
    return at
