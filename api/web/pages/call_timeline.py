"""The drawing of a call: lanes for its legs, its CDR and operators; a mark for each event, bars for durations.

Time runs from left to right and to scale; marks that would overlap are moved apart. What came long after the call, such as a
correction, stands behind a gap, so that the call keeps its scale. This module computes places and
names only; the page draws them.
"""

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
SOURCE, DESTINATION, CDR, OPERATORS = "Source leg", "Destination leg", "CDR", "Operators"


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
    kind: str
    label: str


class TimelineLane(NamedTuple):
    """A lane's name and height."""

    name: str
    y: int


class CallTimeline(NamedTuple):
    """Everything that is drawn, in units of a drawing 1000 wide."""

    width: int
    height: int
    lanes: list[TimelineLane]
    bars: list[TimelineBar]
    marks: list[TimelineMark]
    cursor: int
    start: int
    end: int
    life_end: int
    has_gap: bool


def draw_timeline(life: CallLife) -> CallTimeline:
    """Place everything."""
    events = life.listed
    if len(events) > MARKS_MAX:  # Too many to tell apart: keep those around the chosen step.
        first = max(0, min(life.chosen - events[0].number - MARKS_MAX // 2, len(events) - MARKS_MAX))
        events = events[first : first + MARKS_MAX]
    start, end = min(event.at for event in events), max(event.at for event in events)
    scale = TimeScale(start, _end_of_life(events), end)
    lanes = _lanes(events)
    height = {lane.name: lane.y for lane in lanes}
    marks = [
        TimelineMark(
            x,
            height[_lane(event)],
            _kind(event),
            event.said,
            event,
            event.number == life.chosen,
            event.number > life.chosen,
        )
        for event, x in _places(events, scale)
    ]
    cursor = next((mark.x for mark in marks if mark.is_chosen), LEFT)
    bottom = lanes[-1].y + LANE // 2
    bars = list(_bars(events, scale, height))
    return CallTimeline(WIDTH, bottom + 18, lanes, bars, marks, cursor, start, end, scale.life_end, scale.has_gap)


def _end_of_life(events: Sequence[TimelineEvent]) -> int:
    """Return when the call was over: with its first CDR, or else with its last notice."""
    notices = [event for event in events if event.step.notice]
    cdr = next((number for number, event in enumerate(notices) if event.step.type == "cdr"), len(notices) - 1)
    return max((event.at for event in notices[: cdr + 1]), default=events[-1].at)


class TimeScale:
    """The horizontal place of a moment: to scale in the call's life, and behind a gap if it came long after that."""

    def __init__(self, start: int, life_end: int, end: int) -> None:
        """Scale from the first moment to the end of the call's life, and to the last moment (microseconds)."""
        self.has_gap = end - life_end > (life_end - start) // LATER_PART
        self.life_end = life_end if self.has_gap else end
        self._start, self._span, self._later = start, max(self.life_end - start, 1), max(end - self.life_end, 1)
        self._right = BEFORE_GAP if self.has_gap else RIGHT

    def x(self, at: int) -> int:
        """Return the place of a moment; outside the scale, the nearer edge."""
        if self.has_gap and at > self.life_end:
            return AFTER_GAP + min((RIGHT - AFTER_GAP) * (at - self.life_end) // self._later, RIGHT - AFTER_GAP)
        share = (self._right - LEFT) * (at - self._start) // self._span
        return LEFT + max(0, min(share, self._right - LEFT))

    def stretch(self, start: int, end: int, y: int) -> tuple[int, int, int]:
        """Return the place of a duration at a height: x, y, and a width that stays visible."""
        x = self.x(min(start, end))
        return x, y, max(self.x(end) - x, 2)


def _lanes(events: Sequence[TimelineEvent]) -> list[TimelineLane]:
    used = {_lane(event) for event in events}
    names = [name for name in (SOURCE, DESTINATION, CDR, OPERATORS) if name != OPERATORS or name in used]
    return [TimelineLane(name, TOP + LANE // 2 + LANE * number) for number, name in enumerate(names)]


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
    placed: dict[int, int] = {}
    for lane in {_lane(event) for event in events}:
        own = sorted((event for event in events if _lane(event) == lane), key=lambda event: (event.at, event.number))
        gap = min(GAP, (RIGHT - LEFT) // max(len(own), 1))
        xs = [scale.x(event.at) for event in own]
        for number in range(1, len(xs)):
            xs[number] = max(xs[number], xs[number - 1] + gap)
        limit = RIGHT
        for number in range(len(xs) - 1, -1, -1):
            xs[number] = min(xs[number], limit)
            limit = xs[number] - gap
        placed |= {event.number: x for event, x in zip(own, xs, strict=True)}
    return [(event, placed[event.number]) for event in events]


def _bars(events: Sequence[TimelineEvent], scale: TimeScale, height: dict[str, int]) -> list[TimelineBar]:
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
        bars.append(TimelineBar(*scale.stretch(answered, until, height[SOURCE]), "open", "between the notices"))
    for lane, name in ((SOURCE, "srcduration"), (DESTINATION, "destduration")):
        if end is not None and (length := seconds.get(name)):
            where = scale.stretch(end - length * times.SECOND, end, height[lane])
            bars.append(TimelineBar(*where, "talk", f"{length} s by the CDR"))
    return bars
