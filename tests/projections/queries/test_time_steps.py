"""Spans of time and their steps: every hour, day and month of a time zone, also where clocks change."""

import itertools

import pytest

from domain import times
from projections.queries.selection import Selection
from projections.queries.time_points import SelectionError
from projections.queries.time_steps import (
    DAY,
    HOUR,
    MONTH,
    TimeSpan,
    meant_span,
    selected_ends,
    time_steps,
    usual_span,
)

BERLIN = "Europe/Berlin"


def at(text: str) -> int:
    return times.parse(f"{text}:00Z")


def test_the_steps_of_a_span_follow_each_other_and_fill_it() -> None:
    span = TimeSpan(at("2026-10-24T10:30"), at("2026-10-27T09:15"))
    for by, many in ((HOUR, 72), (DAY, 4), (MONTH, 1)):
        steps = time_steps(by, span, BERLIN)
        assert len(steps) == many
        assert (steps[0].first, steps[-1].after) == span
        assert all(one.after == other.first for one, other in itertools.pairwise(steps))
        assert len({step.name for step in steps}) == many


def test_the_hour_that_comes_twice_is_told_apart_by_its_offset() -> None:
    steps = time_steps(HOUR, TimeSpan(at("2026-10-24T23:00"), at("2026-10-25T03:00")), BERLIN)
    assert [step.name for step in steps] == [
        "2026-10-25 01:00",
        "2026-10-25 02:00 UTC+0200",
        "2026-10-25 02:00 UTC+0100",
        "2026-10-25 03:00",
    ]


def test_a_day_and_a_month_are_those_of_the_time_zone() -> None:
    day = time_steps(DAY, TimeSpan(at("2026-10-24T22:00"), at("2026-10-25T23:00")), BERLIN)
    assert [step.name for step in day] == ["2026-10-25"]
    month = time_steps(MONTH, TimeSpan(at("2026-09-30T22:00"), at("2026-10-31T23:00")), BERLIN)
    assert [step.name for step in month] == ["2026-10"]


@pytest.mark.parametrize(
    ("by", "since", "until"),
    [
        (HOUR, "2026-10-09T00:00", "2026-10-16T00:00"),
        (DAY, "2026-10-01T00:00", "2026-11-01T00:00"),
        (MONTH, "2025-11-01T00:00", "2026-11-01T00:00"),
    ],
)
def test_without_a_span_the_usual_one_ends_with_the_latest_call(by: str, since: str, until: str) -> None:
    latest = at("2026-10-15T14:30")
    assert usual_span(by, None, None, latest, "UTC") == (at(since), at(until))
    assert usual_span(by, at(since), None, latest, "UTC") == (at(since), at(until))
    assert usual_span(by, None, at(until), latest, "UTC") == (at(since), at(until))


def test_a_span_that_begins_after_the_latest_call_ends_with_its_own_day_or_month() -> None:
    assert usual_span(DAY, at("2027-01-05T00:00"), None, at("2026-10-15T14:30"), "UTC").until == at("2027-02-01T00:00")


def test_too_many_steps_are_refused_and_so_is_no_time_at_all() -> None:
    with pytest.raises(SelectionError, match="more than 744 hours"):
        time_steps(HOUR, TimeSpan(at("2026-10-01T00:00"), at("2026-11-02T00:00")), "UTC")
    with pytest.raises(SelectionError, match="select no time"):
        selected_ends(Selection(since=at("2026-11-05T00:00"), period="2026-10"), "UTC")


def test_a_month_and_an_end_select_what_they_have_in_common() -> None:
    ends = selected_ends(Selection(until=at("2026-10-05T00:00"), period="2026-10"), "UTC")
    assert ends == (at("2026-10-01T00:00"), at("2026-10-05T00:00"))


def test_the_latest_call_is_asked_for_only_where_the_end_is_missing() -> None:
    since, until, now = at("2026-10-01T00:00"), at("2026-10-05T00:00"), at("2026-12-24T12:00")
    assert meant_span(DAY, (since, until), lambda: pytest.fail("the end is known"), now, "UTC") == (since, until)
    october = (since, at("2026-11-01T00:00"))
    assert meant_span(DAY, (since, None), lambda: at("2026-10-15T14:30"), now, "UTC") == october
    assert meant_span(DAY, (since, None), lambda: None, now, "UTC") == (since, at("2027-01-01T00:00"))
