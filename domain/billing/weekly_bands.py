"""Prices by the time of the week (SPEC 9.14): which band a moment is in, and how many seconds of a call lie in each.

All of it is in whole numbers. The clock is that of the tariff's time zone: an hour that it shows twice counts twice.
"""

from collections.abc import Iterator
from functools import lru_cache

import msgspec

from domain import times
from domain.times import DAY, SECOND

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOLIDAY = "holiday"
KINDS_OF_DAYS = (*WEEKDAYS, HOLIDAY)
MINUTES_A_DAY = 1440
FIRST_MINUTE_SECONDS = 60

_MINUTE = 60 * SECOND
_EPOCHS_WEEKDAY = 3  # 1970-01-01 was a Thursday.


class Band(msgspec.Struct, frozen=True):
    """A band: its name, and its prices in millionths of a cent a minute; without a first minute of its own both are the same."""

    name: str
    per_minute: int
    first_minute: int


class WeeklyBands(msgspec.Struct, frozen=True):
    """The bands of a rule.

    ``days`` has for each of KINDS_OF_DAYS its stretches in order: the minute of the day at which each ends, and the place of its
    band. ``holidays`` are days since 1970-01-01, ``timezone`` is that of the clock. Where ``splits``, each second is priced
    by its own band, else all by the band of the start.
    """

    bands: tuple[Band, ...]
    days: tuple[tuple[tuple[int, int], ...], ...]
    holidays: frozenset[int]
    timezone: str
    splits: bool

    def band_at(self, at: int) -> int:
        """Return the place of the band of a moment (microseconds, UTC)."""
        return self._stretch(at)[0]

    def spread(self, start: int, first: int, end: int) -> list[int]:
        """Return how many of a call's seconds, from number ``first`` to before number ``end``, each band prices.

        ``start`` is when the call began (microseconds, UTC). A second belongs to the band in which it begins.
        """
        counts = [0] * len(self.bands)
        if not self.splits:
            counts[self.band_at(start)] = end - first
            return counts
        while first < end:
            band, until = self._stretch(start + first * SECOND)
            after = min(end, -((start - until) // SECOND))  # Rounded up: a second that has begun is whole.
            counts[band] += after - first
            first = after
        return counts

    def _stretch(self, at: int) -> tuple[int, int]:
        """Return the band of a moment, and a later moment until which it is surely the same."""
        until, offset = next(each for each in _offsets(self.timezone, at // DAY) if at < each[0])
        day, within = divmod(at + offset, DAY)
        kind = len(WEEKDAYS) if day in self.holidays else (day + _EPOCHS_WEEKDAY) % len(WEEKDAYS)
        end, band = next(each for each in self.days[kind] if within < each[0] * _MINUTE)
        return band, min(until, at - within + end * _MINUTE)


@lru_cache(maxsize=4096)
def _offsets(zone: str, day: int) -> tuple[tuple[int, int], ...]:
    """Return the offsets from UTC in a day of UTC, each with the moment until which it holds, in microseconds.

    No time zone has changed its clock twice within a day since 1938, when the earliest call that a CDR can tell of began.
    """
    return tuple(_stretches(zone, day * DAY, (day + 1) * DAY))


def _stretches(zone: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    before, after = _offset(zone, start), _offset(zone, end - SECOND)
    if before != after:
        earlier, later = start // SECOND, end // SECOND - 1
        while later - earlier > 1:
            middle = (earlier + later) // 2
            earlier, later = (middle, later) if _offset(zone, middle * SECOND) == before else (earlier, middle)
        yield later * SECOND, before
    yield end, after


def _offset(zone: str, at: int) -> int:
    offset = times.to_datetime(at).astimezone(times.zone(zone)).utcoffset()
    assert offset is not None
    return offset // times.MICROSECOND
