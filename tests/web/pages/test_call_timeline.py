"""Where a moment of a call is drawn: to scale, and behind a gap if it came long after the call."""

from api.web.pages.call_timeline import AFTER_GAP, BEFORE_GAP, LEFT, RIGHT, TimeScale

MINUTE, DAY = 60_000_000, 86_400_000_000


def test_a_correction_days_later_leaves_the_call_its_scale() -> None:
    scale = TimeScale(0, 10 * MINUTE, 9 * DAY)
    assert scale.has_gap
    assert [scale.along(at) for at in (0, 5 * MINUTE, 10 * MINUTE)] == [LEFT, (LEFT + BEFORE_GAP) // 2, BEFORE_GAP]
    assert AFTER_GAP < scale.along(8 * DAY) < scale.along(9 * DAY) == RIGHT


def test_without_later_events_the_call_fills_the_drawing() -> None:
    scale = TimeScale(0, 10 * MINUTE, 10 * MINUTE + 1_000_000)
    assert not scale.has_gap
    assert [scale.along(at) for at in (-1, 0, 10 * MINUTE + 1_000_000, DAY)] == [LEFT, LEFT, RIGHT, RIGHT]
