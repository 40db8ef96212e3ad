"""Months as values: read, ordered, and counted on."""

from datetime import date

import pytest

from domain.months import Month


def test_a_month_knows_its_days() -> None:
    assert [str(Month(month).last_day) for month in ("2026-10", "2024-02", "2026-12")] == [
        "2026-10-31",
        "2024-02-29",
        "2026-12-31",
    ]
    assert Month("2026-10").first_day == date(2026, 10, 1)


def test_the_month_after_december_is_january() -> None:
    assert Month("2026-12").next == "2027-01"
    assert Month("2026-01").next.next == "2026-03"


def test_a_day_belongs_to_its_month_and_may_begin_it() -> None:
    month = Month.of_day("2026-10-01")
    assert month == "2026-10"
    assert month.begins_on("2026-10-01")
    assert not month.begins_on("2026-10-02")
    assert not month.begins_on("2026-11-01")


def test_a_month_prints_and_sorts_as_its_text() -> None:
    assert f"{Month('2026-10')}" == "2026-10"
    assert type(str(Month("2026-10"))) is str
    assert sorted([Month("2026-10"), Month("2026-09"), Month("2025-12")]) == ["2025-12", "2026-09", "2026-10"]


def test_a_month_is_read_from_its_text() -> None:
    assert [Month.parse(text) for text in ("0001-01", "2026-10", "9999-11")] == ["0001-01", "2026-10", "9999-11"]


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-13", "2026-00", "2026-1", "0000-01", "9999-12", "2026-10-01", "٢٠٢٦-10"]
)
def test_what_is_not_a_month_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a month: expected YYYY-MM, such as 2026-10"):
        Month.parse(text)
