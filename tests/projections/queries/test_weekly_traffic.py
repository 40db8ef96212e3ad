"""Traffic by hour and weekday: what counting the calls one by one gives, in any time zone, on every store."""

from collections import Counter

import pytest
from sqlalchemy import Connection, select

from domain import times
from projections.queries.latest_time import latest_time
from projections.queries.selection import Selection
from projections.queries.time_points import SelectionError
from projections.queries.time_steps import TimeSpan
from projections.queries.weekly_traffic import WeekHour, weekly_traffic
from projections.schema.tables import CALLS

SPAN = TimeSpan(times.parse("2026-10-03T10:20:00Z"), times.parse("2026-11-03T04:10:00Z"))


def test_each_hour_of_the_week_counts_the_calls_that_began_in_it(sampled: Connection) -> None:
    calls = sampled.execute(select(CALLS.c.opened_at, CALLS.c.disposition, CALLS.c.tag)).all()
    tag = Counter(call.tag for call in calls).most_common(1)[0][0]
    for zone in ("UTC", "Europe/Berlin", "Asia/Kathmandu"):
        for chosen in (Selection(), Selection(tag=tag)):
            expected: Counter[tuple[int, int]] = Counter()
            answered: Counter[tuple[int, int]] = Counter()
            for call in calls:
                if SPAN.since <= call.opened_at < SPAN.until and chosen.tag in (None, call.tag):
                    local = times.to_datetime(call.opened_at).astimezone(times.zone(zone))
                    expected[local.isoweekday(), local.hour] += 1
                    answered[local.isoweekday(), local.hour] += call.disposition == "ANSWERED"
            found = weekly_traffic(sampled, chosen, SPAN, zone)
            assert [(each.weekday, each.hour) for each in found] == [(d, h) for d in range(1, 8) for h in range(24)]
            assert {(each.weekday, each.hour): each.calls for each in found if each.calls} == dict(expected)
            assert sum(each.answered for each in found) == answered.total() > 0
            assert all(each.answered == answered[each.weekday, each.hour] for each in found)
    assert latest_time(sampled, "calls", Selection(), "UTC") == max(call.opened_at for call in calls)


def test_an_hour_says_how_often_it_came_also_where_clocks_change(sampled: Connection) -> None:
    october = TimeSpan(times.parse("2026-09-30T22:00:00Z"), times.parse("2026-10-31T23:00:00Z"))
    week = {(each.weekday, each.hour): each for each in weekly_traffic(sampled, Selection(), october, "Europe/Berlin")}
    assert week[4, 9].hours == 5
    assert week[1, 9].hours == 4
    assert week[7, 2].hours == 5  # Four Sundays, and on one of them the hour comes twice.
    assert sum(each.hours for each in week.values()) == 31 * 24 + 1
    with pytest.raises(SelectionError, match="366 days"):
        weekly_traffic(sampled, Selection(), TimeSpan(0, SPAN.until), "UTC")


def test_means_and_shares_are_exact_decimals() -> None:
    hour = WeekHour(1, 9, 3, 10, 7)
    assert (hour.mean, hour.share_answered, hour.percent_answered) == ("3.33", "0.7", "70")
    assert WeekHour(1, 9, 0, 0, 0)[2:] == (0, 0, 0)
    assert (WeekHour(1, 9, 0, 0, 0).mean, WeekHour(1, 9, 1, 0, 0).share_answered) == (None, None)
