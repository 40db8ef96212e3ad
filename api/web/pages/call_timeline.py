"""The drawing of a call: lanes for its legs, its CDR and operators; a mark for each event, bars for durations.

Time runs to scale, from left to right, or downwards where a screen is narrow; marks that would overlap are moved apart. What came
long after the call, such as a correction, stands behind a gap, so that the call keeps its scale. This module computes places and
names only; the page draws them.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from api.web.pages.call_life import CallLife, TimelineEvent, numbers
from domain import times
from domain.notices.statuses import ANSWERED, INPUTS, OPENINGS, OUTCOMES

WIDTH, LEFT, RIGHT = 1000, 130, 980
TOP, LANE = 6, 38
GAP = 24
MARKS_MAX = 60
# Later events have a gap if they came after the call by more than this part of its length.
BEFORE_GAP, AFTER_GAP, LATER_PART = 800, 850, 4
# Downwards: the drawing is as wide as a phone, has its times beside the lanes, and marks as far apart as a finger needs.
NARROW, TIMES, HEADINGS = 360, 64, 34
MARK_DOWN, LENGTH_DOWN_MIN, LATER_DOWN, GAP_DOWN, FOOT_DOWN = 28, 260, 90, 44, 20
BAR = 12
SOURCE, DESTINATION, CDR, OPERATORS = "Source leg", "Destination leg", "CDR", "Operators"


class TimelineAxis(NamedTuple):
    """The axis of time: where it begins and ends, where its gap begins and ends, and how far marks are apart at least."""

    first: int
    last: int
    before_gap: int
    after_gap: int
    apart: int
    is_down: bool = False


ACROSS = TimelineAxis(LEFT, RIGHT, BEFORE_GAP, AFTER_GAP, GAP)


class TimelineMark(NamedTuple):
    """An event: where it is drawn, its kind (a class), and whether it had happened at the chosen step."""

    x: int
    y: int
    kind: str
    label: str
    event: TimelineEvent
    is_chosen: bool
    is_later: bool


class TimelineBar(NamedTuple):
    """A duration: where it is drawn, and its class: ``talk`` is what the CDR charges, ``open`` lies between notices."""

    x: int
    y: int
    width: int
    height: int
    kind: str
    label: str


class TimelineLane(NamedTuple):
    """A lane's name, and how far it is from the edge that its axis runs along."""

    name: str
    at: int


class CallTimeline(NamedTuple):
    """Everything that is drawn, in units of a drawing 1000 wide, or, downwards, as wide as a phone.

    ``begin`` is when the call began, ``start`` and ``end`` are the first and the last moment drawn (microseconds, UTC).
    """

    width: int
    height: int
    axis: TimelineAxis
    lanes: list[TimelineLane]
    bars: list[TimelineBar]
    marks: list[TimelineMark]
    cursor: int
    begin: int
    start: int
    end: int
    life_end: int
    has_gap: bool


def draw_timeline(life: CallLife, *, is_down: bool = False) -> CallTimeline:
    """Place everything, from left to right or downwards."""
    events = _drawn(life)
    start, end = min(event.at for event in events), max(event.at for event in events)
    axis = _axis_down(events) if is_down else ACROSS
    scale = TimeScale(start, _end_of_life(events), end, axis)
    lanes = _lanes(events, axis)
    places = {lane.name: lane.at for lane in lanes}
    marks = [
        TimelineMark(
            *_point(axis, along, places[_lane(event)]),
            _kind(event),
            event.said,
            event,
            event.number == life.chosen,
            event.number > life.chosen,
        )
        for event, along in _places(events, scale)
    ]
    chosen = next((mark for mark in marks if mark.is_chosen), None)
    cursor = (chosen.y if is_down else chosen.x) if chosen else axis.first
    width, height = (NARROW, axis.last + FOOT_DOWN) if is_down else (WIDTH, lanes[-1].at + LANE // 2 + 18)
    bars = list(_bars(events, scale, places))
    begin = min(event.at for event in life.events)
    moments = (begin, start, end, scale.life_end)
    return CallTimeline(width, height, axis, lanes, bars, marks, cursor, *moments, scale.has_gap)


def _drawn(life: CallLife) -> list[TimelineEvent]:
    """Return the events that are drawn: of more than can be told apart those around the chosen one."""
    events = life.listed
    if len(events) <= MARKS_MAX:
        return events
    first = max(0, min(life.chosen - events[0].number - MARKS_MAX // 2, len(events) - MARKS_MAX))
    return events[first : first + MARKS_MAX]


def _axis_down(events: Sequence[TimelineEvent]) -> TimelineAxis:
    """Return an axis that is as long as the lane with the most marks needs."""
    most = max(Counter(_lane(event) for event in events).values())
    first = HEADINGS + BAR
    last = first + max(LENGTH_DOWN_MIN, (most - 1) * MARK_DOWN)
    return TimelineAxis(first, last, last - LATER_DOWN, last - LATER_DOWN + GAP_DOWN, MARK_DOWN, is_down=True)


def _point(axis: TimelineAxis, along: int, lane: int) -> tuple[int, int]:
    """Return the x and y of a place along the axis, in a lane."""
    return (lane, along) if axis.is_down else (along, lane)


def _end_of_life(events: Sequence[TimelineEvent]) -> int:
    """Return when the call was over: with its first CDR, or else with its last notice."""
    notices = [event for event in events if event.step.notice]
    cdr = next((number for number, event in enumerate(notices) if event.step.type == "cdr"), len(notices) - 1)
    return max((event.at for event in notices[: cdr + 1]), default=events[-1].at)


class TimeScale:
    """The place of a moment along the axis: to scale in the call's life, and behind a gap if it came long after that."""

    def __init__(self, start: int, life_end: int, end: int, axis: TimelineAxis = ACROSS) -> None:
        """Scale from the first moment to the end of the call's life, and to the last moment (microseconds)."""
        self.axis = axis
        self.has_gap = end - life_end > (life_end - start) // LATER_PART
        self.life_end = life_end if self.has_gap else end
        self._start, self._span, self._later = start, max(self.life_end - start, 1), max(end - self.life_end, 1)
        self._last = axis.before_gap if self.has_gap else axis.last

    def along(self, at: int) -> int:
        """Return the place of a moment; outside the scale, the nearer edge."""
        axis = self.axis
        if self.has_gap and at > self.life_end:
            room = axis.last - axis.after_gap
            return axis.after_gap + min(room * (at - self.life_end) // self._later, room)
        share = (self._last - axis.first) * (at - self._start) // self._span
        return axis.first + max(0, min(share, self._last - axis.first))

    def stretch(self, start: int, end: int, lane: int) -> tuple[int, int, int, int]:
        """Return the place of a duration in a lane: x, y, width and height; its length stays visible."""
        along = self.along(min(start, end))
        length = max(self.along(end) - along, 2)
        x, y = _point(self.axis, along, lane - BAR // 2)
        return (x, y, BAR, length) if self.axis.is_down else (x, y, length, BAR)


def _lanes(events: Sequence[TimelineEvent], axis: TimelineAxis) -> list[TimelineLane]:
    used = {_lane(event) for event in events}
    names = [name for name in (SOURCE, DESTINATION, CDR, OPERATORS) if name != OPERATORS or name in used]
    first, each = (TIMES, (NARROW - TIMES) // len(names)) if axis.is_down else (TOP, LANE)
    return [TimelineLane(name, first + each // 2 + each * number) for number, name in enumerate(names)]


def _lane(event: TimelineEvent) -> str:
    if event.step.notice is None:
        return OPERATORS
    if event.step.type == "cdr":
        return CDR
    return DESTINATION if event.step.status in OUTCOMES else SOURCE


def _kind(event: TimelineEvent) -> str:
    status = event.step.status
    if event.step.notice is None:
        return "act"
    if event.step.type == "cdr":
        return "cdr"
    if status in OUTCOMES:
        return f"outcome is-{OUTCOMES[status].lower().replace(' ', '-')}"
    if status in OPENINGS:
        return "opening" if status == ANSWERED else "outcome is-failed"
    return "input" if status in INPUTS else "other"


def _places(events: Sequence[TimelineEvent], scale: TimeScale) -> list[tuple[TimelineEvent, int]]:
    """Return each event with its place; events of a lane are kept apart and inside the drawing."""
    axis = scale.axis
    placed: dict[int, int] = {}
    for lane in {_lane(event) for event in events}:
        own = sorted((event for event in events if _lane(event) == lane), key=lambda event: (event.at, event.number))
        gap = min(axis.apart, (axis.last - axis.first) // max(len(own) - 1, 1))
        xs = [scale.along(event.at) for event in own]
        for number in range(1, len(xs)):
            xs[number] = max(xs[number], xs[number - 1] + gap)
        limit = axis.last
        for number in range(len(xs) - 1, -1, -1):
            xs[number] = min(xs[number], limit)
            limit = xs[number] - gap
        placed |= {event.number: x for event, x in zip(own, xs, strict=True)}
    return [(event, placed[event.number]) for event in events]


def _bars(events: Sequence[TimelineEvent], scale: TimeScale, places: dict[str, int]) -> list[TimelineBar]:
    """Return the bars of each leg: what the CDR charges, up to its end; otherwise what lies between the notices."""
    notices = [event for event in events if event.step.notice]
    answered = min(
        (event.at for event in notices if event.step.status == ANSWERED and event.step.type != "cdr"), default=None
    )
    outcome = min((event.at for event in notices if _lane(event) == DESTINATION), default=None)
    cdr = next((event for event in notices if event.step.type == "cdr"), None)
    end = outcome if outcome is not None else cdr.at if cdr else None
    seconds = numbers(cdr) if cdr else {}
    bars = []
    if answered is not None and not seconds.get("srcduration"):
        until = end if end is not None else max(event.at for event in events)
        bars.append(TimelineBar(*scale.stretch(answered, until, places[SOURCE]), "open", "between the notices"))
    for lane, name in ((SOURCE, "srcduration"), (DESTINATION, "destduration")):
        if end is not None and (length := seconds.get(name)):
            where = scale.stretch(end - length * times.SECOND, end, places[lane])
            bars.append(TimelineBar(*where, "talk", f"{length} s by the CDR"))
    return bars
