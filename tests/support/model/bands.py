"""What the seconds of a call cost by the time of the week: second by second, as a person would look them up on a clock."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Clock(NamedTuple):
    """When the CDR came (microseconds, UTC), the time zone of the tariff's clock, and its holidays."""

    cdr_at: int
    timezone: str
    holidays: tuple[date, ...]


def price(rule: Mapping[str, Any], seconds: int, start: int, clock: Clock) -> Fraction:
    """The price of a leg's billed seconds, the first of which begins at the start."""
    total = Fraction(0)
    for second in range(seconds):
        at = start + (second * 1_000_000 if rule.get("split_at_bands") else 0)
        band = band_at(rule, at, clock)
        rate = band.get("first_minute", band["per_minute"]) if second < 60 else band["per_minute"]
        total += Fraction(rate) / 60
    return total


def band_at(rule: Mapping[str, Any], at: int, clock: Clock) -> Mapping[str, Any]:
    """The one band of a moment."""
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(ZoneInfo(clock.timezone))
    day = "holiday" if local.date() in clock.holidays else DAYS[local.weekday()]
    (found,) = (band for band in rule["bands"] if _has(band, day, f"{local:%H:%M}"))
    return dict(found)


def _has(band: Mapping[str, Any], day: str, time: str) -> bool:
    days: set[str] = set()
    for part in band.get("days", "mon-sun, holiday").split(", "):
        first, _, last = part.partition("-")
        days |= {first} if not last else set(DAYS[DAYS.index(first) : DAYS.index(last) + 1])
    spans = (span.split("-") for span in band.get("hours", "00:00-24:00").split(", "))
    return day in days and any(first <= time < end for first, end in spans)
