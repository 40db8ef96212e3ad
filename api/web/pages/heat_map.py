"""The heat map of the hours of the week: each cell's value as text, and one of ten shades for it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from api.web.pages.chart_scale import height_on
from projections.queries.weekly_traffic import HOURS, WEEKDAYS, WeekHour

SHADES = 9
WEEKDAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# What a heat map can show: the heading, and the value of a cell; None where there is nothing to divide by.
MEASURES: dict[str, tuple[str, Callable[[WeekHour], str | None]]] = {
    "calls": ("Calls", lambda hour: str(hour.calls)),
    "mean": ("Calls an hour", lambda hour: hour.mean),
    "answered": ("Answered calls", lambda hour: str(hour.answered)),
    "share": ("Share answered", lambda hour: hour.share_answered),
}


class HeatCell(NamedTuple):
    """A cell: its value, its shade from 0 (nothing) to 9, and its hour of the week."""

    value: str | None
    shade: int
    of: WeekHour


class HeatMap(NamedTuple):
    """A heat map: a row for each hour of the day with a cell for each weekday, the totals, and the largest value."""

    rows: list[tuple[int, list[HeatCell], WeekHour]]
    days: list[WeekHour]
    total: WeekHour
    most: str


def draw_heat_map(week: Sequence[WeekHour], measure: str, scale: str) -> HeatMap:
    """Return the heat map of a week's hours, which are in order."""
    value_of = MEASURES[measure][1]
    values = [value_of(each) for each in week]
    largest = max((value for value in values if value), key=float, default="0")
    cells = [
        HeatCell(value, _shade(float(value or 0), float(largest), scale), each)
        for each, value in zip(week, values, strict=True)
    ]
    rows = [(hour, cells[hour::HOURS], _together(week[hour::HOURS])) for hour in range(HOURS)]
    days = [_together(week[day * HOURS : (day + 1) * HOURS]) for day in range(WEEKDAYS)]
    return HeatMap(rows, days, _together(week), largest)


def _shade(value: float, most: float, scale: str) -> int:
    return min(SHADES, 1 + int(height_on(scale, value, most) * SHADES)) if value else 0


def _together(hours: Sequence[WeekHour]) -> WeekHour:
    first = hours[0]
    return WeekHour(
        first.weekday, first.hour, *(sum(column) for column in zip(*(each[2:] for each in hours), strict=True))
    )
