"""Statements: lines that add up, whatever the entries; each kind of line; and what rounding does where."""

from collections import Counter
from operator import attrgetter

from hypothesis import given
from hypothesis import strategies as st

from projections.queries.statement import (
    ORDER,
    Heading,
    MonthClosing,
    Statement,
    StatementLine,
    StatementSums,
    TariffVersionUsed,
    build_statement,
)
from projections.rows.entry import Entry, level_totals
from tests.support import random_entries as made

PUBLISHED = [TariffVersionUsed("1", 5, "first prices"), TariffVersionUsed("2", 9, "dearer")]
FIELDS = attrgetter(*StatementSums._fields)

CALL = Entry(
    7, 0, "cdr", "acme", "2026-10", "2026-10", "2026-10-03", "c1", "acme-1", "1858", "ANSWERED",
    1, 1, 60, 50, 1_500_000, 2_000_000, 60, 2_000_000, 500_000, 4_321, "", "2", 1, "", "",
)  # fmt: skip
DIFFERENCE = CALL._replace(
    kind="difference", number=1, day="2026-10-01", original_period="2026-09", reason="dearer", calls=0, answered=0,
    src_seconds=0, dest_seconds=0, billed_seconds=0, cost=0, sip_credits=0, price=-700, margin=-700, rounding=0,
)  # fmt: skip
ADJUSTMENT = DIFFERENCE._replace(
    kind="adjustment", original_period="2026-10", day="2026-10-20", reason="goodwill", tariff=""
)


FEE = ADJUSTMENT._replace(kind="fee", day="2026-10-31", reason="Line rental", price=500, tariff="1")
MINIMUM = FEE._replace(kind="minimum", number=2, reason="minimum 2000, less fee 500", price=1500)


def statement(*entries: Entry, closed: MonthClosing | None = None) -> Statement:
    return build_statement(Heading("acme", "2026-10", 99, closed), entries, PUBLISHED)


def told(line: StatementLine) -> tuple[str, str, str, str, int]:
    return (line.kind, line.day, line.original_period, line.text, line.sums.price)


@given(st.lists(made.entries(account="acme", period="2026-10"), max_size=12))
def test_the_lines_add_up_to_the_total_and_the_total_is_that_of_the_entries(entries: list[Entry]) -> None:
    found = statement(*entries)
    assert [sum(column) for column in zip(*(line.sums for line in found.lines), strict=True)] == list(found.total)[
        : 8 * bool(found.lines)
    ]
    assert (
        found.total == StatementSums(*(sum(column) for column in zip(*map(FIELDS, entries), strict=True)))
        if entries
        else StatementSums()
    )
    assert [ORDER.index(line.kind) for line in found.lines] == sorted(ORDER.index(line.kind) for line in found.lines)


@given(st.lists(made.entries(account="acme", period="2026-10"), max_size=12))
def test_there_is_a_line_for_each_day_and_disposition_with_its_calls(entries: list[Entry]) -> None:
    calls = Counter((entry.day, entry.disposition) for entry in entries if entry.kind == "cdr")
    shown: Counter[tuple[str, str]] = Counter()
    for line in statement(*entries).lines:
        if line.kind == "calls":
            shown[line.day, line.text] += line.sums.calls
    assert shown == calls


@given(st.lists(made.entries(account="acme", period="2026-10"), max_size=12))
def test_what_is_due_is_whole_where_the_statement_is_to_be_rounded(entries: list[Entry]) -> None:
    found = statement(*entries)
    totals = level_totals(entries)
    due = {level: total + found.roundings.get(level, 0) for level, total in totals.items()}
    assert sum(due.values()) == found.due
    assert due.get("up:0", 0) % 1_000_000 == due.get("half-up:2", 0) % 10_000 == 0
    assert due.get("", 0) == totals.get("", 0)


def test_rounding_of_each_call_is_a_line_of_its_own() -> None:
    assert [told(line) for line in statement(CALL, CALL._replace(position=8)).lines] == [
        ("calls", "2026-10-03", "", "ANSWERED", 2 * (2_000_000 - 4_321)),
        ("rounding", "", "", "rounding of each call", 8_642),
    ]


def test_differences_to_closed_months_and_adjustments_have_lines_that_say_why() -> None:
    late = CALL._replace(original_period="2026-09", day="2026-10-01", rounding=0)
    found = statement(ADJUSTMENT, DIFFERENCE, DIFFERENCE._replace(position=8), late)
    assert [told(line) for line in found.lines] == [
        ("calls", "2026-10-01", "2026-09", "ANSWERED", 2_000_000),
        ("difference", "", "2026-09", "dearer", -1_400),
        ("adjustment", "2026-10-20", "", "goodwill", -700),
    ]


def test_two_adjustments_alike_stay_two_lines() -> None:
    assert len(statement(ADJUSTMENT, ADJUSTMENT._replace(position=8)).lines) == 2


def test_rounding_of_the_statement_comes_after_the_total_by_each_way_of_it() -> None:
    up = CALL._replace(level="up:0", rounding=0, price=1_000_001)
    half_up = CALL._replace(level="half-up:2", rounding=0, price=2_004_999)
    found = statement(up, up._replace(position=8), half_up, ADJUSTMENT)
    assert found.roundings == {"half-up:2": -4_999, "up:0": 999_998}
    assert (found.total.price, found.due) == (4_004_301, 4_999_300)


def test_the_versions_of_the_tariff_are_those_that_priced_something() -> None:
    assert statement(CALL, ADJUSTMENT).tariffs == [PUBLISHED[1]]
    assert statement(ADJUSTMENT).tariffs == []


def test_a_fee_and_a_top_up_are_lines_of_their_own_after_adjustments_and_name_their_version() -> None:
    found = statement(MINIMUM, FEE, ADJUSTMENT, CALL)
    assert [told(line) for line in found.lines][1:] == [
        ("adjustment", "2026-10-20", "", "goodwill", -700),
        ("fee", "2026-10-31", "", "Line rental", 500),
        ("minimum", "2026-10-31", "", "minimum 2000, less fee 500", 1500),
        ("rounding", "", "", "rounding of each call", 4_321),
    ]
    assert [used.version for used in found.tariffs] == ["1", "2"]
