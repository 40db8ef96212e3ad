"""Where a moment of a call is drawn: to scale, and behind a gap if it came long after the call."""

import pytest

from api.application.call_history import HistoryStep
from api.web.pages.call_life import CallLife, TimelineEvent
from api.web.pages.call_timeline import (
    AFTER_GAP,
    BEFORE_GAP,
    LEFT,
    RIGHT,
    TimelineAxis,
    TimeScale,
    draw_timeline,
)
from api.web.pages.formatting import elapsed
from api.web.pages.money import MINUS

MINUTE, DAY = 60_000_000, 86_400_000_000
DOWN = TimelineAxis(50, 400, 310, 350, 28, is_down=True)


def test_a_correction_days_later_leaves_the_call_its_scale() -> None:
    scale = TimeScale(0, 10 * MINUTE, 9 * DAY)
    assert scale.has_gap
    assert [scale.along(at) for at in (0, 5 * MINUTE, 10 * MINUTE)] == [LEFT, (LEFT + BEFORE_GAP) // 2, BEFORE_GAP]
    assert AFTER_GAP < scale.along(8 * DAY) < scale.along(9 * DAY) == RIGHT


def test_without_later_events_the_call_fills_the_drawing() -> None:
    scale = TimeScale(0, 10 * MINUTE, 10 * MINUTE + 1_000_000)
    assert not scale.has_gap
    assert [scale.along(at) for at in (-1, 0, 10 * MINUTE + 1_000_000, DAY)] == [LEFT, LEFT, RIGHT, RIGHT]


def test_downwards_a_duration_is_as_high_as_across_it_is_wide() -> None:
    across, down = TimeScale(0, 10 * MINUTE, 9 * DAY), TimeScale(0, 10 * MINUTE, 9 * DAY, DOWN)
    assert [down.along(at) for at in (0, 5 * MINUTE, 10 * MINUTE, 9 * DAY)] == [50, 180, 310, 400]
    assert across.stretch(0, 10 * MINUTE, 90) == (LEFT, 84, BEFORE_GAP - LEFT, 12)
    assert down.stretch(0, 10 * MINUTE, 90) == (84, 50, 12, 260)


@pytest.mark.parametrize(
    ("micros", "shown"),
    [
        (0, "+0.000 s"),
        (59_999_999, "+59.999 s"),
        (-1_250_000, f"{MINUS}1.250 s"),
        (MINUTE, "+1:00"),
        (-61 * MINUTE, f"{MINUS}1:01:00"),
        (2 * DAY - 1, "+47:59:59"),
        (2 * DAY, "+2 d 0 h"),
        (56 * DAY + 599 * MINUTE, "+56 d 9 h"),
    ],
)
def test_a_distance_in_time_is_said_in_the_unit_that_fits_it(micros: int, shown: str) -> None:
    assert elapsed(micros) == shown


def test_of_many_events_some_are_drawn_on_an_axis_that_counts_from_the_calls_beginning() -> None:
    steps = [HistoryStep(number, number, "call-voided", "", None, None, None, None) for number in range(1, 101)]
    events = [TimelineEvent(step.position, step, step.position * MINUTE, None, "", [], "", None) for step in steps]
    drawn = draw_timeline(CallLife("", events, len(events), None))
    assert (len(drawn.marks), drawn.begin, drawn.start, drawn.end) == (60, MINUTE, 41 * MINUTE, 100 * MINUTE)
