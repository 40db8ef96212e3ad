"""Which days a page of billing is about."""

from datetime import date

import pytest

from api.web.pages import date_range as spans
from api.web.pages.date_range import DateRange
from api.web.pages.operations import ProjectionRate
from domain import times
from projections.queries.time_points import SelectionError

NOW = times.parse("2026-10-15T12:00:00Z")


def read(timezone: str = "UTC", latest: str | None = None, **query: str) -> DateRange:
    return spans.read_date_range({name.rstrip("_"): value for name, value in query.items()}, timezone, NOW, latest)


@pytest.mark.parametrize(
    ("query", "name", "before"),
    [
        ({}, "2026-10", "2026-09"),
        ({"latest": "2026-03"}, "2026-03", "2026-02"),
        ({"period": "2026-01"}, "2026-01", "2025-12"),
        ({"from_": "2026-10-03", "to": "2026-10-10"}, "2026-10-03 to 2026-10-09", "2026-09-26 to 2026-10-02"),
        ({"from_": "2026-02", "to": "2026-04"}, "2026-02 to 2026-03", "2025-12 to 2026-01"),
        ({"from_": "2026-10-03", "through": "2026-10-09"}, "2026-10-03 to 2026-10-09", "2026-09-26 to 2026-10-02"),
        ({"through": "2026-10"}, "2026-10", "2026-09"),
        ({"from_": "7d"}, "2026-10-08 to 2026-10-15", "2026-09-30 to 2026-10-07"),
        ({"from_": "2026-10-05T13:00:00Z", "to": "2026-10-05T14:00:00Z"}, "2026-10-05", "2026-10-04"),
        ({"to": "2026-10-05"}, "2026-09-01 to 2026-10-04", "2026-07-29 to 2026-08-31"),
        ({"by": "month"}, "2025-11 to 2026-10", "2024-11 to 2025-10"),
        ({"by": "month", "from_": "2026-01-15", "to": "2026-02-02"}, "2026-01 to 2026-02", "2025-11 to 2025-12"),
    ],
)
def test_a_span_is_read_and_compared_with_the_one_before(query: dict[str, str], name: str, before: str) -> None:
    span = read(**query)
    assert (span.name, span.beside(-1).name) == (name, before)
    assert span.beside(-1).beside(1) == span


def test_a_day_is_that_of_the_billing_time_zone() -> None:
    assert read("Pacific/Auckland", from_="2026-10-05T13:00:00Z", to="2026-10-05T14:00:00Z").name == "2026-10-06"


@pytest.mark.parametrize(
    "query",
    [
        {"by": "year"},
        {"period": "2026"},
        {"from_": "2026-10-02", "to": "2026-10-01"},
        {"from_": "2020-01-01"},
        {"to": "2026-10-02", "through": "2026-10-01"},
        {"by": "month", "from_": "1970-01-01"},
        {"from_": "soon"},
    ],
)
def test_a_span_that_makes_no_sense_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(SelectionError, match="expected"):
        read(**query)


def test_the_steps_of_a_span_select_its_entries_without_gap() -> None:
    span = DateRange(date(2026, 2, 27), date(2026, 3, 2), "day")
    assert [step for step, _ in span.steps()] == ["2026-02-27", "2026-02-28", "2026-03-01"]
    assert dict(span.steps())["2026-02-28"] == {"day": "2026-02-28"}
    assert span.entries == {"day": "2026-02-27..2026-03-01"}
    year = DateRange(date(2025, 11, 1), date(2026, 2, 1), "month")
    assert dict(year.steps()) == {month: {"period": month} for month in ("2025-11", "2025-12", "2026-01")}


def test_the_pace_is_known_from_the_second_look_on() -> None:
    pace = ProjectionRate()
    assert pace.look(100, 0.0) is None
    assert pace.look(120, 0.5) is None
    assert pace.look(150, 2.0) == 250
    assert pace.look(150, 1000.0) is None
