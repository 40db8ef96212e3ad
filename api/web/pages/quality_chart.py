"""The drawing of ASR and ACD over time: three panels over one axis of time, as SVG, which needs no script and is printed.

Across, everything stands at per cent of the drawing's width, and downwards at pixels: it fits a desk and a phone, and its texts
stay as large as those of the page.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from api.web.pages.chart_scale import LINEAR, height_on, ticks_on
from projections.queries.call_quality import QualityStep

WIDTH = 100
PANEL, TOP, GAP, FOOT = 110, 22, 34, 22
# How many names the axis of time has room for: of days and months, and of hours.
LABELS_MAX, LABELS_OF_HOURS_MAX = 10, 6
POINTS_MAX = 62
BAR_SHARE = 0.8
# Names closer than this would be written over each other.
LINES_APART = 13


class ChartTick(NamedTuple):
    """A line of a scale, or a name on the axis of time, and where it stands."""

    at: float
    name: str


class ChartPoint(NamedTuple):
    """A value of a step: where it stands, and what it says."""

    x: float
    y: float
    label: str


class ChartPanel(NamedTuple):
    """A panel: its heading, where it begins and ends, its scale, and its values as bars or as lines with points."""

    title: str
    top: float
    bottom: float
    ticks: list[ChartTick]
    points: list[ChartPoint]
    lines: list[str]
    are_bars: bool


class QualityChart(NamedTuple):
    """A drawing: its height in pixels, the width of a bar in per cent, its panels, and the names on the axis of time."""

    height: int
    bar: float
    panels: list[ChartPanel]
    names: list[ChartTick]


def draw_quality(steps: Sequence[QualityStep], scale: str) -> QualityChart:
    """Return the drawing of some steps; attempts and durations stand on the scale, the ratio always between 0 and 100 per cent."""
    panels = [
        _panel(0, "Attempts", steps, lambda each: str(each.attempts), scale, are_bars=True),
        _panel(1, "ASR, per cent", steps, lambda each: each.asr_percent, LINEAR, most=100),
        _panel(2, "ACD, seconds", steps, lambda each: each.acd, scale),
    ]
    labels = LABELS_MAX if len(steps[0].step.name) <= len("2026-10-01") else LABELS_OF_HOURS_MAX
    every = -(-len(steps) // labels)
    names = [
        ChartTick(_x(number, len(steps)), _short(steps[number].step.name)) for number in range(0, len(steps), every)
    ]
    height = len(panels) * (PANEL + GAP) + FOOT
    return QualityChart(height, WIDTH / len(steps) * BAR_SHARE, panels, names)


def _short(name: str) -> str:
    """Return a step's name for the axis: of a day its month and day, since the page names the years and a phone is narrow."""
    return name[len("2026-") :] if len(name) == len("2026-10-01") else name


def _x(number: int, steps: int) -> float:
    return round(WIDTH * (number + 0.5) / steps, 3)


def _panel(  # noqa: PLR0917 - which panel, of what, on which scale
    place: int,
    title: str,
    steps: Sequence[QualityStep],
    value_of: Callable[[QualityStep], str | None],
    scale: str,
    most: float = 0,
    *,
    are_bars: bool = False,
) -> ChartPanel:
    top = place * (PANEL + GAP) + TOP
    bottom = top + PANEL
    found = [(number, each, value) for number, each in enumerate(steps) if (value := value_of(each)) is not None]
    ticks = ticks_on(scale, most or max((float(value) for _, _, value in found), default=0))

    def y(value: float) -> float:
        return round(bottom - PANEL * height_on(scale, value, ticks[-1]), 1)

    points = {
        number: ChartPoint(_x(number, len(steps)), y(float(value)), f"{each.step.name}: {title} {value}")
        for number, each, value in found
    }
    marks: list[ChartTick] = []
    for tick in ticks:
        if not marks or marks[-1].at - y(tick) >= LINES_APART:
            marks.append(ChartTick(y(tick), f"{tick:,.10g}"))
    runs = _runs(points)
    # Of very many points on a line only those are drawn that no line goes through.
    drawn = [point for run in runs for point in run if are_bars or len(steps) <= POINTS_MAX or len(run) == 1]
    lines = [" ".join(f"{point.x},{point.y}" for point in run) for run in runs]
    return ChartPanel(title, top, bottom, marks, drawn, lines, are_bars)


def _runs(points: dict[int, ChartPoint]) -> list[list[ChartPoint]]:
    """Return the points of steps that follow each other: a step without a value interrupts the line."""
    runs: list[list[ChartPoint]] = []
    before = None
    for number, point in points.items():
        if before is None or number != before + 1:
            runs.append([])
        runs[-1].append(point)
        before = number
    return runs
