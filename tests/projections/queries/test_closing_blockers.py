"""What keeps a month open, and which later events make a look at it out of date (SPEC 7)."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from typing import NamedTuple

import pytest
from sqlalchemy import Connection

from api.application.month_closing import ClosingResult, closing_document
from domain import times
from domain.events.log_row import LogRow
from domain.events.operator_events import MonthBooks
from domain.events.streams import call_id
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.queries import closing_blockers
from projections.queries.closing_blockers import (
    ClosingBlocker,
    changes_closing,
    find_blockers,
    find_month_suspects,
    find_quarantine_blockers,
)
from projections.queries.month_books import load_month_books
from projections.queries.suspects import FoundSuspects, Suspect, SuspectRun
from projections.rows.folded_entries import ENTRY_COLUMNS
from projections.stores.generations import open_current
from tests.support.ledgers import opened, record
from tests.support.notices import SECOND, SRC, SentNotice, callstatus, priced_cdr
from tests.support.operator_histories import act

AUGUST, SEPTEMBER, OCTOBER = "2026-08", "2026-09", "2026-10"
HOUR, MONTH = times.DAY // 24, 30 * times.DAY
# Microseconds from START, noon of the first of October, to the first of November.
NOVEMBER = 30 * times.DAY + 12 * HOUR
WESTERN = 'timezone = "Pacific/Pago_Pago"\n[[rules]]\ntag = "*"\naccount = "acme"\nper_minute = 1\n'


class Seen(NamedTuple):
    """A ledger, and its read models as they were when they were last brought up to date."""

    ledger: Ledger
    connection: Connection

    def blockers(self, month: str = OCTOBER) -> list[ClosingBlocker]:
        return find_blockers(
            self.ledger, self.connection, month, find_month_suspects(self.ledger, self.connection, month)
        )

    def changed(self, events: list[LogRow], month: str = OCTOBER) -> bool:
        return changes_closing(self.ledger.billing_context(), self.connection, events, month)


@contextmanager
def looked_at(ledger: Ledger) -> Iterator[Seen]:
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)
        with store.snapshot() as connection:
            yield Seen(ledger, connection)


def an_open_call(at: int, tag: str = "open") -> list[SentNotice]:
    """Return the opening and the outcome of a call without its CDR."""
    return [callstatus("SRCANSWERED", at, tag=tag), callstatus("COMPLETED", at + SECOND, tag=tag)]


def id_of(tag: str) -> str:
    return str(call_id((tag, SRC), 1))


def test_earlier_months_that_are_open_come_first_in_their_order_with_their_money(store_url: str) -> None:
    with opened(store_url) as ledger:
        for at in (-MONTH, -2 * MONTH, -2 * MONTH + SECOND, 0, NOVEMBER):
            record(ledger, priced_cdr(at, tag=f"at {at}", srcsipcharge="0.25", destsipcharge="1"))
        record(ledger, *an_open_call(5 * SECOND))
        with looked_at(ledger) as seen:
            assert seen.blockers() == [
                ClosingBlocker("open-month", AUGUST, "", 7_000_000, 2_500_000),
                ClosingBlocker("open-month", SEPTEMBER, "", 3_500_000, 1_250_000),
                ClosingBlocker("missing-cdr", id_of("open"), "open", None, None),
            ]
            assert seen.blockers(AUGUST) == []
        act(ledger, lambda session: session.close_month(AUGUST))
        with looked_at(ledger) as seen:
            assert [each.where for each in seen.blockers()] == [SEPTEMBER, id_of("open")]


def test_the_months_of_an_account_end_in_its_own_time_zone(store_url: str) -> None:
    with opened(store_url) as ledger:
        late = NOVEMBER + 5 * HOUR
        record(ledger, *an_open_call(late), *an_open_call(late + 7 * HOUR, "later"))
        record(ledger, *an_open_call(NOVEMBER - HOUR, "last day"))
        with looked_at(ledger) as seen:
            assert [each.tag for each in seen.blockers()] == ["last day"]
        act(ledger, lambda session: session.publish_tariff(WESTERN))
        with looked_at(ledger) as seen:
            assert [each.tag for each in seen.blockers()] == ["open", "last day"]


def test_cdrs_in_quarantine_keep_their_month_open_by_the_time_they_came(store_url: str) -> None:
    broken = {"srcduration": "much"}
    with opened(store_url) as ledger:
        record(ledger, priced_cdr(NOVEMBER, **broken), callstatus(tag="\udcff"))
        record(ledger, priced_cdr(0, tag="t" * 99, srcsipcharge="0.5", **broken))
        record(ledger, priced_cdr(1, tag=None, srccharge="-1"), priced_cdr(2, tag=None, srccharge=None, **broken))
        with looked_at(ledger) as seen:
            one, two, three = seen.blockers()
            assert one == ClosingBlocker("quarantined", "3", one.tag, 3_500_000, 500_000)
            assert one.tag.startswith("ttt")
            assert len(one.tag) < 99
            assert two == ClosingBlocker("quarantined", "4", "", None, None)
            assert three == ClosingBlocker("quarantined", "5", "", 2_000_000, 0)
            assert str(two) == "quarantined 4"
            assert [each.where for each in find_quarantine_blockers(ledger, OCTOBER, 3)] == ["4", "5"]
            assert find_quarantine_blockers(ledger, SEPTEMBER, 0) == []
            assert [each.where for each in find_quarantine_blockers(ledger, "2026-11", 0)] == ["1", "3", "4", "5"]
        act(ledger, lambda session: session.resolve_quarantined(4))
        assert [each.where for each in find_quarantine_blockers(ledger, OCTOBER, 0)] == ["3", "5"]


def test_an_exception_that_touches_money_keeps_the_month_of_its_call_open_and_the_one_in_which_it_came(
    store_url: str,
) -> None:
    """The CDR of the call is of October, and comes again in November."""
    with opened(store_url) as ledger:
        record(ledger, *an_open_call(NOVEMBER - 9 * SECOND), priced_cdr(NOVEMBER - SECOND, "COMPLETED", tag="open"))
        record(ledger, priced_cdr(NOVEMBER, "COMPLETED", tag="open"))
        again = ClosingBlocker("repeated-cdr", "4", "open", 3_500_000, 0)
        with looked_at(ledger) as seen:
            assert seen.blockers() == [again]
            assert seen.blockers("2026-11")[1:] == [again]
            assert seen.blockers(SEPTEMBER) == []
        act(ledger, lambda session: session.resolve_exception("repeated-cdr", 4))
        with looked_at(ledger) as seen:
            assert seen.blockers() == []


def test_exceptions_come_in_the_order_in_which_they_arose(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(ledger, *an_open_call(0), priced_cdr(SECOND, "COMPLETED", tag="open"))
        record(ledger, priced_cdr(2 * SECOND, "COMPLETED", tag="open"), callstatus("DESTBUSY", 3 * SECOND, tag="open"))
        with looked_at(ledger) as seen:
            found = [(each.kind, each.where, each.cost) for each in seen.blockers()]
            assert found == [("repeated-cdr", "4", 3_500_000), ("contradictory-outcome", "5", 3_500_000)]


def test_a_run_of_suspects_is_named_by_its_first_one_and_by_their_tag_if_they_have_one(store_url: str) -> None:
    def suspect(position: int, tag: str) -> Suspect:
        return Suspect("", position, 0, tag, SRC, 1, 2, "", 0, 0)

    with opened(store_url) as ledger, looked_at(ledger) as seen:
        runs = [SuspectRun([suspect(4, "a"), suspect(5, tag)]) for tag in ("a", "b")]
        found = find_blockers(ledger, seen.connection, OCTOBER, FoundSuspects(runs, []))
        assert found == [ClosingBlocker("suspect-run", "4", tag, 2, 4) for tag in ("a", "")]


class TestALaterEvent:
    """It makes a look at a month out of date if it may change what is open or billed there."""

    def test_of_the_month_or_an_earlier_one_does_so_in_the_time_zone_of_any_account(self, store_url: str) -> None:
        with opened(store_url) as ledger, looked_at(ledger) as seen:
            record(ledger, callstatus("RINGING", 0), callstatus("RINGING", NOVEMBER + 5 * HOUR, tag="then"))
            now, then = ledger.store.page(0, 2, 2)
            assert [seen.changed([now], month) for month in (SEPTEMBER, OCTOBER, "2026-11")] == [False, True, True]
            assert [seen.changed([then], month) for month in (OCTOBER, "2026-11")] == [False, True]
            assert not seen.changed([])
            act(ledger, lambda session: session.publish_tariff(WESTERN))
            assert [seen.changed([then], month) for month in (SEPTEMBER, OCTOBER)] == [False, True]

    def test_of_an_operator_always_does_so(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            record(ledger, callstatus("RINGING", NOVEMBER))
            position = act(ledger, lambda session: session.adjust_account("acme", 1))
            with looked_at(ledger) as seen:
                assert seen.changed(ledger.store.page(0, 9, position), AUGUST)

    def test_of_a_call_that_is_billed_in_the_month_does_so(
        self, store_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(closing_blockers, "CALLS_AT_ONCE", 1)
        with opened(store_url) as ledger:
            record(ledger, priced_cdr(NOVEMBER - SECOND), priced_cdr(NOVEMBER - SECOND, tag="other"))
            with looked_at(ledger) as seen:
                tags = [f"new {number}" for number in range(6)]
                strangers = [callstatus("RINGING", NOVEMBER, tag=tag) for tag in tags]
                record(
                    ledger,
                    *strangers,
                    callstatus("COMPLETED", NOVEMBER),
                    callstatus("COMPLETED", NOVEMBER, tag="other"),
                )
                *new, first, second = ledger.store.page(2, 9, 10)
                assert [seen.changed(events) for events in (new, [*new, first], [*new, second], [first])] == [
                    False,
                    True,
                    True,
                    True,
                ]
                assert not seen.changed([*new, first, second], SEPTEMBER)


class TestTheBooksOfMonths:
    def test_are_those_of_each_month_with_entries_after_what_is_closed_and_of_the_month_itself(
        self, store_url: str
    ) -> None:
        with opened(store_url) as ledger:
            for at in (-2 * MONTH, -MONTH, 0, NOVEMBER):
                record(ledger, priced_cdr(at))
            with looked_at(ledger) as seen:
                found = {
                    asked: [(each.month, each.rows) for each in load_month_books(seen.connection, *asked)]
                    for asked in (("", OCTOBER), (AUGUST, SEPTEMBER), (OCTOBER, "2026-12"))
                }
                assert found == {
                    ("", OCTOBER): [(AUGUST, 1), (SEPTEMBER, 1), (OCTOBER, 1)],
                    (AUGUST, SEPTEMBER): [(SEPTEMBER, 1)],
                    (OCTOBER, "2026-12"): [("2026-11", 1), ("2026-12", 0)],
                }

    def test_of_a_month_without_entries_are_the_names_of_the_columns_alone(self, store_url: str) -> None:
        line = "[" + ",".join(f'"{name}"' for name in ENTRY_COLUMNS) + "]\n"
        nothing = {"cost": 0, "sip_credits": 0, "price": 0, "margin": 0}
        with opened(store_url) as ledger, looked_at(ledger) as seen:
            assert load_month_books(seen.connection, "", OCTOBER) == [
                MonthBooks(OCTOBER, "entries/1", 0, sha256(line.encode()).hexdigest(), nothing)
            ]


def test_at_risk_is_the_money_of_all_that_is_open_but_earlier_months() -> None:
    blockers = [
        ClosingBlocker("open-month", SEPTEMBER, "", 5_000_000, 7),
        ClosingBlocker("repeated-cdr", "4", "a", 1_500_000, 2_000_000),
        ClosingBlocker("repeated-cdr", "5", "a", 500_000, 1),
        ClosingBlocker("missing-cdr", "x", "b", None, None),
    ]
    result = ClosingResult(OCTOBER, blockers, suspects_alone=3)
    assert result.amounts_at_risk == ("2", "2.000001", 1)
    assert [each.is_open for each in (result, ClosingResult(OCTOBER, blockers, 7), ClosingResult(OCTOBER, []))] == [
        True,
        False,
        False,
    ]
    document = closing_document(result)
    assert (document["period"], document["closed_at_position"], document["suspects_alone"]) == (OCTOBER, None, 3)
    assert document["at_risk"] == {"cost": "2", "sip_credits": "2.000001", "unknown": 1}
    assert document["open"][1:3] == [
        {"kind": "repeated-cdr", "where": "4", "tag": "a", "cost": "1.5", "sip_credits": "2"},
        {"kind": "repeated-cdr", "where": "5", "tag": "a", "cost": "0.5", "sip_credits": "0.000001"},
    ]
    assert (document["open"][3]["cost"], document["open"][3]["sip_credits"]) == (None, None)
    assert closing_document(ClosingResult(OCTOBER, [], 7))["closed_at_position"] == 7
