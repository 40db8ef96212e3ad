"""A bill folded from events alone: the entries of whole streams, in order, and the lines that a bundle carries."""

import json

import pytest

from domain.events.log_row import LogRow
from domain.events.streams import call_id
from domain.ledger_options import LedgerOptions
from domain.notices.line_number import LINE_RULE_1, LINE_RULE_2
from projections.rows.entry import Entry
from projections.rows.folded_entries import (
    ENTRY_COLUMNS,
    context_of,
    encode_bill,
    encode_entries,
    fold_entries,
    sum_entries,
)
from tests.support.ledgers import opened
from tests.support.ledgers import record as recorded
from tests.support.notices import SECOND, SRC, START, TAG, callstatus, cdr, notice

TARIFF = '[[rules]]\ntag = "*"\naccount = "acme"\nper_minute = 6\n'
BY_TOTAL = TARIFF + 'rounding = { mode = "up", places = 0, level = "statement" }\n'
LATER = START + 40 * 86_400 * SECOND


@pytest.fixture
def events(store_url: str) -> list[LogRow]:
    """A tariff, two calls and a voicemail, their month closed, one call void afterwards, and an account credited."""
    with opened(store_url, clock=lambda: LATER) as ledger:
        with ledger.operator_session("ann", "prices") as session:
            session.publish_tariff(TARIFF)
        recorded(ledger, cdr(0, destduration="60"), cdr(0, destduration="30", src="2"), notice(type="voicemail"))
        with ledger.operator_session("ann", "all there") as session:
            session.close_month("2026-10")
        with ledger.operator_session("bob", "our test") as session:
            session.void_call(call_id((TAG, SRC), 1))
            session.adjust_account("acme", -7, "2026-11")
        return ledger.store.page(0, 100, ledger.head())


def folded(events: list[LogRow]) -> list[Entry]:
    return fold_entries(events, "UTC", LINE_RULE_2, lambda _: True)


def test_the_entries_are_those_of_all_streams_in_the_order_of_the_log(events: list[LogRow]) -> None:
    for found in (folded(events), folded(events[::-1])):
        assert [(each.position, each.kind, each.period, each.original_period, each.price) for each in found] == [
            (2, "cdr", "2026-10", "2026-10", 6_000_000),
            (3, "cdr", "2026-10", "2026-10", 3_000_000),
            (6, "difference", "2026-11", "2026-10", -6_000_000),
            (7, "adjustment", "2026-11", "2026-11", -7),
        ]
        assert {each.account for each in found} == {"acme"}
        assert [(each.posted_by, each.reason) for each in found[2:]] == [("bob", "our test")] * 2


def test_only_those_that_are_wanted_are_returned(events: list[LogRow]) -> None:
    found = fold_entries(events, "UTC", LINE_RULE_2, lambda entry: entry.period == "2026-11")
    assert [entry.position for entry in found] == [6, 7]


def test_without_the_closing_the_call_is_simply_void(events: list[LogRow]) -> None:
    found = folded([event for event in events if event.position != 5])
    assert [(each.position, each.price) for each in found] == [(2, 0), (3, 3_000_000), (7, -7)]


def test_the_tariffs_and_closings_among_events_are_the_context(events: list[LogRow]) -> None:
    context = context_of(events[::-1], "Asia/Tokyo", LINE_RULE_2)
    assert [(each.position, each.tariff.version, each.tariff.timezone) for each in context.tariffs] == [
        (1, 1, "Asia/Tokyo")
    ]
    assert ([tuple(each) for each in context.closings], context.timezone) == ([(5, "2026-10")], "Asia/Tokyo")
    assert context.line_rule == LINE_RULE_2


def test_a_bill_is_written_as_its_row_and_its_entries_each_behind_their_columns(events: list[LogRow]) -> None:
    november = [entry for entry in folded(events) if entry.period == "2026-11"]
    lines = [json.loads(line) for line in encode_bill("acme", "2026-11", november).splitlines()]
    columns = ["account", "period", "calls", "answered", "src_seconds", "dest_seconds", "cost", "sip_credits"]
    columns += ["billed_seconds", "price", "margin", "entries"]
    assert lines[0] == columns
    assert lines[1] == ["acme", "2026-11", 0, 0, 0, 0, 0, 0, -60, -6_000_007, -6_000_007, 2]
    assert lines[2:] == [list(ENTRY_COLUMNS), *(list(entry) for entry in november)]
    assert encode_entries(november) == b"\n".join(encode_bill("acme", "2026-11", november).splitlines()[2:]) + b"\n"
    assert sum_entries([]) == dict.fromkeys(columns[2:-1], 0)


def test_a_difference_has_all_of_its_call_and_of_the_rule_that_priced_it(empty_store_url: str) -> None:
    by_tag = LedgerOptions(correlation="tag")
    with opened(empty_store_url, by_tag, clock=lambda: LATER) as ledger:
        with ledger.operator_session("ann", "prices") as session:
            session.publish_tariff(BY_TOTAL)
        recorded(ledger, cdr(0, "COMPLETED", destduration="60", destcharge="1", src="sip:ann:secret@pbx.example"))
        call = call_id((TAG, None), 1)
        with ledger.operator_session("ann", "all there") as session:
            session.close_month("2026-10")
        with ledger.operator_session("bob", "our test") as session:
            session.void_call(call)
        events = ledger.store.page(0, 100, 100)
        first, difference = fold_entries(events, "UTC", LINE_RULE_2, lambda _: True)
        by_rule_1, _ = fold_entries(events, "UTC", LINE_RULE_1, lambda _: True)
    assert (first.src, by_rule_1.src) == ("sip:ann:***@pbx.example", "sip:ann:secret@pbx.example")
    assert tuple(difference) == (
        4, 1, "difference", "acme", "2026-11", "2026-10", "2026-11-01", str(call), TAG, "", "ANSWERED",
        0, 0, 0, 0, 0, 0, -60, -6_000_000, -6_000_000, 0, "up:0", "1", 1, "bob", "our test",
    )  # fmt: skip


def test_what_was_moved_between_calls_is_found_among_the_events(store_url: str) -> None:
    with opened(store_url, clock=lambda: LATER) as ledger:
        recorded(ledger, cdr(0, destcharge="10"), cdr(0, destcharge="70", src="2"))
        with ledger.operator_session("ann", "one call") as session:
            session.merge_calls(call_id((TAG, "2"), 1), call_id((TAG, SRC), 1))
        (found,) = folded(ledger.store.page(0, 100, 100))
    assert (found.position, found.price, found.call_id) == (1, 10_000_000, str(call_id((TAG, SRC), 1)))


def test_a_notice_that_comes_after_the_closing_posts_what_it_changes_and_says_so(store_url: str) -> None:
    with opened(store_url, clock=lambda: LATER) as ledger:
        recorded(ledger, cdr(0, destduration="60", destcharge="1"))
        with ledger.operator_session("ann", "all there") as session:
            session.close_month("2026-10")
        recorded(ledger, callstatus("DESTBUSY", 0))
        _, difference = folded(ledger.store.page(0, 100, 100))
    assert (difference.position, difference.disposition, difference.answered, difference.price) == (3, "BUSY", -1, 0)
    assert (difference.posted_by, difference.reason) == ("", "recorded after the month was closed")
