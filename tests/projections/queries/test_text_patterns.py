"""Filters by a part of a text: what they mean, and that pages have the rows that fit, however these are found."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Connection

from domain.calls.correlation import BY_TAG
from domain.ledger_options import LedgerOptions
from projections.building.catch_up import catch_up
from projections.queries import pattern_pages, pattern_values
from projections.queries.conditions import build_selection
from projections.queries.facets import sum_columns
from projections.queries.pagination import fetch_page
from projections.queries.selection import Selection
from projections.queries.text_patterns import TextPattern, read_pattern, write_exactly
from projections.queries.time_points import SelectionError
from projections.stores.generations import open_current
from tests.support.ledgers import opened, record
from tests.support.notices import TAG, priced_cdr

TAGS = ("dept-1", "dept-2", "Dept-3", "dept-[1]", "dept*", "a_b", "north%")


@pytest.fixture
def connection(store_url: str) -> Iterator[Connection]:
    with opened(store_url) as ledger, closing(open_current(ledger)) as store:
        notices = [
            priced_cdr(number * 10**9 + 10**15, r=number, tag=TAGS[number % len(TAGS)], src=f"1858555{number:04d}")
            for number in range(1, 40)
        ]
        record(ledger, *notices)
        catch_up(ledger, store)
        with store.snapshot() as reading:
            yield reading


def selected(connection: Connection, **filters: Any) -> list[tuple[str, str]]:
    """Return tag and number of the CDRs that filters select, page by page, the newest first."""
    selection, cursor = build_selection("cdrs", timezone="UTC", **filters), ""
    rows: list[tuple[str, str]] = []
    while True:
        page = fetch_page(connection, "cdrs", selection, "UTC", cursor=cursor, limit=3)
        rows += [(row.tag, row.src) for row in page.rows]
        cursor = page.next
        if not cursor:
            assert sum_columns(connection, "cdrs", selection, "UTC")["rows"] == len(rows)
            return rows


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("dept-2", "dept-2"),
        ("dept-*", TextPattern(("dept-", ""))),
        ("*north*", TextPattern(("", "north", ""))),
        (r"5\*", "5*"),
        (r"5\**", TextPattern(("5*", ""))),
        ("a\\b", "a\\b"),
    ],
)
def test_an_asterisk_stands_for_any_text(text: str, meaning: TextPattern | str) -> None:
    assert read_pattern(text) == meaning


@pytest.mark.parametrize("text", ["a*b", r"a\*", "**", "\\", ""])
def test_what_is_written_exactly_is_no_pattern(text: str) -> None:
    assert read_pattern(write_exactly(text)) == text


@pytest.mark.parametrize(("gathered", "values"), [(5_000, 50), (0, 50), (0, 0)])
def test_pages_have_the_rows_that_fit_however_they_are_found(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, gathered: int, values: int
) -> None:
    monkeypatch.setattr(pattern_pages, "GATHERED_MAX", gathered)
    monkeypatch.setattr(pattern_values, "VALUES_MAX", values)
    everything = selected(connection)
    for pattern, fitting in (
        ("dept-*", {"dept-1", "dept-2", "dept-[1]"}),
        ("*ept-*", {"dept-1", "dept-2", "dept-[1]", "Dept-3"}),
        (r"dept\**", {"dept*"}),
        ("*_b", {"a_b"}),
        ("*%", {"north%"}),
        ("dept-[*", {"dept-[1]"}),
        ("none*", set()),
    ):
        assert selected(connection, tag=pattern) == [row for row in everything if row[0] in fitting], pattern


def test_numbers_are_found_by_their_beginning_and_by_their_last_digits(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = selected(connection)
    assert selected(connection, number="*0012") == [row for row in everything if row[1].endswith("0012")]
    for few in (50, 1):
        monkeypatch.setattr(pattern_values, "VALUES_MAX", few)
        assert selected(connection, number="+1 (858) 555-00*") == everything, few
    both = selected(connection, number="1858555001*", tag="dept-*")
    assert both == [row for row in everything if row[1][-2] == "1" and row[0].startswith("dept-")]


@pytest.mark.only_on("sqlite")
def test_cdrs_are_found_by_the_last_digits_of_a_number_where_calls_are_told_apart_by_tag(store_url: str) -> None:
    options = LedgerOptions(correlation=BY_TAG)
    with opened(store_url, options) as ledger, closing(open_current(ledger)) as store:
        record(ledger, priced_cdr(10**15, src="18585550012"))
        catch_up(ledger, store)
        with store.snapshot() as connection:
            assert selected(connection, number="*0012") == [(TAG, "18585550012")]
            assert selected(connection, number="*0013") == []


@pytest.mark.only_on("sqlite")
def test_too_few_digits_of_a_number_are_refused(connection: Connection) -> None:
    with pytest.raises(SelectionError, match=r"'\*12' fits too many numbers: .* last 4 digits"):
        selected(connection, number="*12")


@pytest.mark.only_on("sqlite")
def test_accounts_have_no_patterns_since_they_decide_who_is_billed(connection: Connection) -> None:
    assert build_selection("cdrs", timezone="UTC", account="acme*") == Selection(account="acme*")
    assert selected(connection, account="dept-*") == []
