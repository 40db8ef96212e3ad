"""The bands of a rule as a tariff file has them: their keys, and whether they cover the week exactly once (SPEC 9.14)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from domain.billing import tariff_values
from domain.billing.tariff_values import CENTS_PER_MINUTE_MAX, Check
from domain.billing.weekly_bands import HOLIDAY, KINDS_OF_DAYS, MINUTES_A_DAY, WEEKDAYS, Band, WeeklyBands
from domain.times import EPOCH

BANDS_MAX = 100
HOLIDAYS_MAX = 1000
REQUIRED = ("name", "per_minute")

_HOURS = re.compile(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")
_WHOLE_DAY = ((0, MINUTES_A_DAY),)
_CALENDAR = (date(1970, 1, 1), date(9998, 12, 31))

Span = tuple[int, int, int]  # The minutes of a day at which it begins and ends, and the place of its band.


def band_checks() -> dict[str, Check]:
    """Return the checks of a band's keys."""
    per_minute = tariff_values.amount_reader(0, CENTS_PER_MINUTE_MAX)
    return {
        "name": tariff_values.read_text,
        "days": read_days,
        "hours": read_hours,
        "per_minute": per_minute,
        "first_minute": per_minute,
    }


def read_tables(value: Any) -> list[dict[str, Any]]:
    """Read the list of bands, whose keys are read one by one."""
    return tariff_values.read_tables(value, "rules.bands", BANDS_MAX, "bands")


def read_holidays(value: Any) -> frozenset[int]:
    """Read a list of dates as days since 1970-01-01."""
    first, last = _CALENDAR
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(day, date) and not isinstance(day, datetime) and first <= day <= last for day in value)
    ):
        raise ValueError("a list of dates such as [2026-12-25, 2027-01-01], from 1970 to 9998")
    if len(value) > HOLIDAYS_MAX or len(set(value)) < len(value):
        msg = f"each date once, and at most {HOLIDAYS_MAX}"
        raise ValueError(msg)
    return frozenset((day - EPOCH.date()).days for day in value)


def read_days(value: Any) -> tuple[int, ...]:
    """Read ``mon-fri, holiday`` as places in KINDS_OF_DAYS."""
    found: list[int] = []
    for part in value.split(",") if isinstance(value, str) else [""]:
        first, dash, last = part.strip().partition("-")
        allowed = WEEKDAYS if dash else KINDS_OF_DAYS
        last = last if dash else first
        if first not in allowed or last not in allowed or allowed.index(last) < allowed.index(first):
            raise ValueError(
                'days such as "mon-fri, holiday": of mon to sun, spans of these in their order, and holiday'
            )
        found += range(allowed.index(first), allowed.index(last) + 1)
    if len(set(found)) < len(found):
        raise ValueError("each day once")
    return tuple(found)


def read_hours(value: Any) -> tuple[tuple[int, int], ...]:
    """Read ``00:00-08:00, 18:00-24:00`` as pairs of minutes of the day."""
    parts = [_HOURS.fullmatch(part.strip()) for part in value.split(",")] if isinstance(value, str) else [None]
    spans = tuple(_minutes(part) for part in parts if part)
    if None in parts or not all(0 <= start < end <= MINUTES_A_DAY for start, end in spans):
        raise ValueError(
            'hours such as "08:00-18:00", or several with commas, from 00:00 to 24:00, each ending after it begins'
        )
    return spans


def _minutes(part: re.Match[str]) -> tuple[int, int]:
    hour, minute, end_hour, end_minute = map(int, part.groups())
    if minute > 59 or end_minute > 59:  # noqa: PLR2004  # The last minute of an hour.
        return -1, -1
    return hour * 60 + minute, end_hour * 60 + end_minute


def band_conflicts(found: Sequence[Mapping[str, Any]], *, holidays: bool) -> Iterator[tuple[int | None, str, str]]:
    """Yield what is wrong with bands whose values are valid: the place of the band, its key, and what was expected.

    A place of None is the list of all bands. ``holidays`` tells whether the file has any.
    """
    for place, band in enumerate(found):
        if not holidays and KINDS_OF_DAYS.index(HOLIDAY) in band.get("days", ()):
            yield place, "days", "holidays in the file beside the day holiday"
        if any(other["name"] == band["name"] for other in found[:place]):
            yield place, "name", "a name that no other band of the rule has"
    spans = _spans_of_days(found, holidays=holidays)
    for (place, other), shared in _overlaps(spans).items():
        key = next((key for key in ("hours", "days") if key in found[place]), "")
        yield place, key, f"no overlap with band {other + 1}, {found[other]['name']}: {shared} is in both"
    gaps = list(_gaps(spans[: len(KINDS_OF_DAYS) if holidays else len(WEEKDAYS)]))
    if gaps:
        more = f", nor have {len(gaps) - 1} other times" if len(gaps) > 1 else ""
        yield None, "", f"bands that cover the whole week: {gaps[0]} has none{more}"


def build_bands(
    found: Sequence[Mapping[str, Any]], holidays: frozenset[int], timezone: str, *, splits: bool
) -> WeeklyBands:
    """Return the bands of a rule, without conflicts."""
    bands = tuple(
        Band(each["name"], each["per_minute"], each.get("first_minute", each["per_minute"])) for each in found
    )
    days = tuple(
        tuple((end, band) for _, end, band in of_day) for of_day in _spans_of_days(found, holidays=bool(holidays))
    )
    return WeeklyBands(bands, days, holidays, timezone, splits)


def _spans_of_days(found: Sequence[Mapping[str, Any]], *, holidays: bool) -> list[list[Span]]:
    """Return the spans of each kind of day in their order, holidays among them where there are any."""
    every = tuple(range(len(KINDS_OF_DAYS) if holidays else len(WEEKDAYS)))
    spans: list[list[Span]] = [[] for _ in KINDS_OF_DAYS]
    for place, band in enumerate(found):
        for kind in band.get("days", every):
            spans[kind] += [(start, end, place) for start, end in band.get("hours", _WHOLE_DAY)]
    return [sorted(each) for each in spans]


def _overlaps(spans: Sequence[Sequence[Span]]) -> dict[tuple[int, int], str]:
    """Return the first overlap of each two bands, the later one first."""
    found: dict[tuple[int, int], str] = {}
    for kind, of_day in enumerate(spans):
        for before, after in pairwise(of_day):
            if after[0] < before[1]:
                pair = max(before[2], after[2]), min(before[2], after[2])
                found.setdefault(pair, f"{KINDS_OF_DAYS[kind]} {_shown(after[0], min(before[1], after[1]))}")
    return found


def _gaps(spans: Sequence[Sequence[Span]]) -> Iterator[str]:
    for kind, of_day in enumerate(spans):
        covered = 0
        for start, end, _ in (*of_day, (MINUTES_A_DAY, MINUTES_A_DAY, 0)):
            if start > covered:
                yield f"{KINDS_OF_DAYS[kind]} {_shown(covered, start)}"
            covered = max(covered, end)


def _shown(start: int, end: int) -> str:
    return "-".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in (start, end))
