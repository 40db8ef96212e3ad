"""A read model page by page, its sums and its facets: the same rows as a whole reading has, on every store."""

from collections.abc import Iterator
from contextlib import closing
from itertools import combinations, cycle
from typing import Any

import pytest
from sqlalchemy import Connection

from domain import times
from domain.calls.correlation import CorrelationWindow
from domain.notices.line_number import LINE_RULE_2
from projections.queries import facets, first_rows, narrowest_filter, pattern_pages, pattern_values
from projections.queries import filter_texts as filters
from projections.queries import pagination as browsing
from projections.queries.conditions import build_selection
from projections.queries.cursors import WrongCursor
from projections.queries.filter_texts import FilterContext, WrongFilters
from projections.queries.key_page import WrongSort
from projections.queries.row_stream import RowStream
from projections.queries.selection import Selection
from projections.queries.time_points import describe_span
from projections.schema.read_models import READ_MODELS, TABLES
from tests.conftest import SQLITE_FIRST
from tests.support.export_ledgers import a_ledger, record_sample

TERMS = FilterContext("UTC", LINE_RULE_2, CorrelationWindow(), 1_790_856_000_000_000)


@pytest.fixture(scope="module", params=SQLITE_FIRST)
def connection(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """Read a sample's read models, on each store."""
    if request.param == "sqlite":
        places: Iterator[str] = iter([f"sqlite:///{tmp_path_factory.mktemp('browsing')}/t.db"])
    else:
        places = request.getfixturevalue("a_database")
    with a_ledger(next(places)) as case:
        for name in ("traffic", "adverse"):
            record_sample(case, name)
        with case.store.snapshot() as reading:
            yield reading


@pytest.fixture(scope="module")
def a_database(request: pytest.FixtureRequest) -> Iterator[Iterator[str]]:
    """Return the address of a database for the module."""
    with request.getfixturevalue("postgres").database() as url:
        yield iter([url])


def whole(connection: Connection, model: str, selection: Selection) -> list[tuple[Any, ...]]:
    with closing(RowStream(connection, model, selection, "UTC")) as reading:
        return [tuple(row) for rows in reading.chunks() for row in rows]


def walked(
    connection: Connection, model: str, selection: Selection, sort: str, limit: int
) -> tuple[list[tuple[object, ...]], str]:
    """Walk forwards from the first page; return all rows, and the last page's cursor of the page before it."""
    rows: list[tuple[object, ...]] = []
    cursor = ""
    while True:
        page = browsing.fetch_page(connection, model, selection, "UTC", sort, cursor, limit)
        assert len(page.rows) <= limit
        rows += [tuple(row) for row in page.rows]
        cursor = page.next
        if not cursor:
            return rows, page.previous


def sorts() -> list[tuple[str, str]]:
    return [(model.name, sign + name) for model in READ_MODELS for name in model.sorts for sign in ("", "-")]


@pytest.mark.parametrize(("model", "sort"), sorts())
def test_the_pages_of_every_order_hold_each_row_once_and_sorted(connection: Connection, model: str, sort: str) -> None:
    rows, _ = walked(connection, model, Selection(), sort, 7)
    column = [each.name for each in TABLES[model].columns].index(sort.removeprefix("-"))
    shown: list[Any] = [row[column] for row in rows]
    assert shown == sorted(shown, reverse=sort.startswith("-"))
    width = len(whole(connection, model, Selection())[0]) if rows else 0
    assert sorted(map(repr, (row[:width] for row in rows))) == sorted(map(repr, whole(connection, model, Selection())))


# What makes each way of finding the first rows the one that is taken, whatever is selected: SAMPLED_ROWS, PROBED_ROWS, FIRST_ROWS, FOLLOWED_PART.
WAYS = {
    "a sample that is all": (1000, 1000, 10_000, 0),
    "among the first rows of all": (1, 1000, 10_000, 0),
    "all that is selected": (1, 1, 0, 0),
    "the index of the order": (1, 1, 0, 1000),
}


@pytest.mark.parametrize("by", [("account",), ("disposition",), ("disposition", "account"), ("tag", "disposition")])
def test_pages_are_the_same_whichever_way_their_rows_are_found(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, by: tuple[str, ...]
) -> None:
    commonest: dict[str, Any] = {
        name: facets.count_facets(connection, "cdrs", Selection(), "UTC", by)[name][0].value for name in by
    }
    selection = build_selection("cdrs", timezone="UTC", **commonest)
    everything = whole(connection, "cdrs", selection)
    columns = [each.name for each in TABLES["cdrs"].columns]
    place = {name: columns.index(name) for name in ("cost", "price", "src_duration", "position", "call_id")}
    for sort in ("-cost", "price", "-src_duration", "position"):
        keys = [place[name] for name in (sort.removeprefix("-"), "position", "call_id")]
        rows = sorted(everything, key=lambda row: [-1 if row[at] is None else row[at] for at in keys])
        expected = rows[::-1] if sort.startswith("-") else rows
        for values in WAYS.values():
            for name, value in zip(("SAMPLED_ROWS", "PROBED_ROWS", "FIRST_ROWS", "FOLLOWED_PART"), values, strict=True):
                monkeypatch.setattr(first_rows, name, value)
            monkeypatch.setattr(browsing, "PROBED_ROWS", values[1])
            found, _ = walked(connection, "cdrs", selection, sort, 40)
            assert [row[: len(expected[0])] for row in found] == expected


FILTERS: dict[str, Any] = {
    "tag": ("dept-1", "dept-*", "*-2"),
    "account": ("dept-1",),
    "number": ("1858*", "+1 8*", "*7373"),
    "disposition": ("ANSWERED", "", "BUSY"),
    "flag": ("missing-opening", ""),
    "state": ("ended", "in-progress"),
    "period": ("2026-10",),
    "since": ("2026-10-02",),
    "day": ("2026-10-01..2026-10-20",),
}


def _together(model: str) -> Iterator[Selection]:
    """Yield selections of two and of three filters that a read model has."""
    names = [name for name in FILTERS if name not in (("account", "day") if model == "calls" else ("state",))]
    values = {name: cycle(FILTERS[name]) for name in names}
    for some in (*combinations(names, 2), *combinations(names, 3)):
        yield build_selection(model, timezone="UTC", **{name: next(values[name]) for name in some})


@pytest.mark.parametrize("counted_max", [5, *(pytest.param(most, marks=pytest.mark.thorough) for most in (1, 20_000))])
@pytest.mark.parametrize(("model", "sorts"), [("calls", ("-opened_at", "position")), ("cdrs", ("cdr_at", "-price"))])
def test_filters_together_select_the_same_rows_whichever_of_them_is_looked_up(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, model: str, sorts: tuple[str, str], counted_max: int
) -> None:
    monkeypatch.setattr(narrowest_filter, "COUNTED_MAX", counted_max)
    monkeypatch.setattr(pattern_pages, "GATHERED_MAX", counted_max)
    monkeypatch.setattr(pattern_values, "VALUES_MAX", min(counted_max, 50))
    monkeypatch.setattr(first_rows, "SAMPLED_ROWS", 3)
    width = len(whole(connection, model, Selection())[0])
    found = 0
    for selection in _together(model):
        expected = sorted(map(repr, whole(connection, model, selection)))
        for sort in sorts:
            rows, _ = walked(connection, model, selection, sort, 50)
            assert sorted(repr(row[:width]) for row in rows) == expected, (selection, sort)
        assert facets.sum_columns(connection, model, selection, "UTC")["rows"] == len(expected), selection
        found += bool(expected)
    assert found > 15


@pytest.mark.parametrize("sort", ["position", "-cdr_at", "cdr_at", "price"])
def test_a_walk_back_shows_the_pages_that_came(connection: Connection, sort: str) -> None:
    moments = sorted(row.cdr_at for row in browsing.fetch_page(connection, "cdrs", Selection(), "UTC", limit=200).rows)
    for selection in (Selection(), Selection(since=moments[3], until=moments[-3])):
        rows, previous = walked(connection, "cdrs", selection, sort, 10)
        assert len(rows) == len(whole(connection, "cdrs", selection)) > 20
        back = rows[len(rows) - (len(rows) % 10 or 10) :]
        while previous:
            page = browsing.fetch_page(connection, "cdrs", selection, "UTC", sort, previous, 10)
            assert page.next
            back = [tuple(row) for row in page.rows] + back
            previous = page.previous
        assert back == rows


def test_the_only_page_has_no_neighbours_and_one_past_the_end_is_empty(connection: Connection) -> None:
    page = browsing.fetch_page(connection, "cdrs", Selection(), "UTC", limit=1000)
    assert (page.next, page.previous) == ("", "")
    nobody = Selection(tag="nobody")
    assert browsing.fetch_page(connection, "cdrs", nobody, "UTC") == ([], "", "")


@pytest.mark.parametrize("cursor", ["x", "é", "WzFd", "", "W10"])
def test_a_made_up_cursor_is_refused(connection: Connection, cursor: str) -> None:
    with pytest.raises(WrongCursor, match="invalid cursor"):
        browsing.fetch_page(connection, "cdrs", Selection(), "UTC", cursor=cursor or "A" * 9)


def test_a_cursor_of_another_order_or_read_model_is_refused(connection: Connection) -> None:
    cursor = browsing.fetch_page(connection, "cdrs", Selection(), "UTC", "price", limit=1).next
    for model, sort in (("cdrs", "-price"), ("calls", "position")):
        with pytest.raises(WrongCursor, match="invalid cursor"):
            browsing.fetch_page(connection, model, Selection(), "UTC", sort, cursor)


def test_an_order_that_no_index_holds_is_refused(connection: Connection) -> None:
    with pytest.raises(WrongSort, match="expected one of cdr_at, position"):
        browsing.fetch_page(connection, "cdrs", Selection(), "UTC", "status")


def test_sums_are_those_of_the_rows(connection: Connection) -> None:
    nothing: dict[str, Any] = {}
    for wanted in (nothing, {"disposition": "ANSWERED"}, {"tag": "nobody"}):
        selection = build_selection("cdrs", timezone="UTC", **wanted)
        rows = whole(connection, "cdrs", selection)
        names = [column.name for column in TABLES["cdrs"].columns]
        found = facets.sum_columns(connection, "cdrs", selection, "UTC")
        assert found.pop("rows") == len(rows)
        assert found == {name: sum(row[names.index(name)] or 0 for row in rows) for name in found}
        assert "cost" in found


def test_facets_count_what_their_filters_would_select(connection: Connection) -> None:
    fields = {"flags": "flag"}
    for model in ("calls", "cdrs", "exceptions"):
        for name, counts in facets.count_facets(connection, model, Selection(), "UTC").items():
            for value, rows in counts[:5]:
                wanted: dict[str, Any] = {fields.get(name, name): value}
                selection = build_selection(model, timezone="UTC", **wanted)
                assert len(whole(connection, model, selection)) == rows, (model, name, value)


def test_facets_of_many_rows_may_be_counted_among_some_of_them_and_say_so(connection: Connection) -> None:
    selection = build_selection("cdrs", number="1858*", timezone="UTC")
    all_of_them = facets.count_facets(connection, "cdrs", selection, "UTC")
    some = facets.count_facets_among(connection, "cdrs", selection, "UTC", rows_max=20)
    assert some.among == sum(each.rows for each in some.values["disposition"]) == 20
    for name, counts in some.values.items():
        for value, rows in counts:
            assert rows <= dict(all_of_them[name]).get(value, 20), (name, value)
    many = sum(each.rows for each in all_of_them["disposition"])
    assert many > 20
    assert facets.count_facets_among(connection, "cdrs", selection, "UTC", rows_max=many + 1) == (all_of_them, None)


def test_a_number_is_found_however_it_is_written(connection: Connection) -> None:
    plain = build_selection("calls", number="18585557612", timezone="UTC")
    written = build_selection("calls", number="+1 (858) 555-7612", timezone="UTC")
    assert whole(connection, "calls", plain) == whole(connection, "calls", written) != []


def test_every_bad_filter_is_named() -> None:
    given = {"from": "soon", "period": "2026-13", "flag": "red", "state": "ended", "tag": "x", "limit": "no", "to": ""}
    with pytest.raises(WrongFilters) as refused:
        filters.read_filters("cdrs", given, TERMS)
    assert [bad.name for bad in refused.value.bad] == ["from", "period", "flag", "state"]


def test_filters_that_fit_one_by_one_and_not_together_are_refused() -> None:
    with pytest.raises(WrongFilters, match="is before the beginning"):
        filters.read_filters("cdrs", {"from": "2026-10", "to": "2026-09"}, TERMS)


def test_the_end_of_a_span_is_taken_in_or_excluded_and_never_both() -> None:
    excluded = filters.read_filters("cdrs", {"from": "2026-10", "to": "2026-11"}, TERMS)
    assert filters.read_filters("cdrs", {"from": "2026-10", "through": "2026-10"}, TERMS) == excluded
    assert filters.read_filters("cdrs", {"from": "2026-10", "through": "2026-10-31"}, TERMS) == excluded
    assert filters.read_filters("cdrs", {"through": "1970-01-01T00:00:00Z"}, TERMS).until == 1
    assert filters.read_filters("billing", {"through": "2026-10"}, TERMS).until == excluded.until
    for given in ({"to": "2026-10", "through": "2026-10"}, {"from": "2026-11", "through": "2026-10"}):
        with pytest.raises(WrongFilters, match=r"expected one of them|itself is taken in") as refused:
            filters.read_filters("cdrs", given, TERMS)
        assert refused.value.bad[0].name == "through"


@pytest.mark.parametrize(
    ("since", "until", "zone", "words"),
    [
        ("2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z", "Europe/Berlin", "1 Oct 2026 00:00 to 31 Oct 2026 24:00"),
        ("2026-10-25T00:30:00Z", None, "Europe/Berlin", "from 25 Oct 2026 02:30+02:00 on"),
        ("2026-10-25T01:30:00.000001Z", None, "Europe/Berlin", "from 25 Oct 2026 02:30:00.000001+01:00 on"),
        (None, "1970-01-01T00:00:00Z", "UTC", "up to 1 Jan 1970 00:00"),
        (None, "2026-10-25T01:30:05Z", "UTC", "up to 25 Oct 2026 01:30:05"),
    ],
)
def test_a_span_in_words_has_its_hours_and_its_time_zone(
    since: str | None, until: str | None, zone: str, words: str
) -> None:
    ends = [None if end is None else times.parse(end) for end in (since, until)]
    assert describe_span(ends[0], ends[1], zone) == f"{words}, {zone}"


def test_how_long_ago_is_counted_back_from_now() -> None:
    assert filters.read_filters("cdrs", {"from": "24h", "to": "30m"}, TERMS) == Selection(
        since=TERMS.now - 86_400_000_000, until=TERMS.now - 1_800_000_000
    )


def test_an_empty_parameter_is_no_filter_and_without_asks_for_empty_ones() -> None:
    assert filters.read_filters("cdrs", {"tag": "", "without": "account,flag"}, TERMS) == Selection(account="", flag="")
