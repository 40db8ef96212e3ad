"""What operators do is kept alike on every store, and refused alike where it makes no sense."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from domain.billing.tariff_findings import InvalidTariff
from domain.calls.call import SUSPECT
from domain.errors import CommandRejected
from domain.events.codec import decode_operator_event
from domain.events.log_row import POSITION_MAX
from domain.events.operator_events import ExceptionResolved, MonthBooks, MonthClosed
from domain.events.streams import CLOSINGS, call_id
from domain.ledger import Ledger
from domain.log.tables import EVENTS, LINE_CALLS
from domain.operators.session import OperatorSession
from projections.queries.rerating_preview import ReratingPreview
from tests.support.ledgers import opened, record, tables
from tests.support.notices import SECOND, SRC, START, TAG, callstatus, cdr
from tests.support.operator_histories import BY, WHY, World, act, followed, run, steps_of, stream_of

CALL = call_id((TAG, SRC), 1)
EVENTS_OF = 8  # The place of a call's number of events among the columns of its row.
MINUTE = 60 * SECOND
LONG_AGO = 400 * 86_400 * SECOND


@pytest.mark.parametrize("seed", range(4))
def test_the_same_acts_are_kept_in_the_same_rows_on_every_store(seed: int, tmp_path: Path, database: str) -> None:
    kept = []
    for url in (f"sqlite:///{tmp_path}/ledger.db", database):
        world = World()
        with opened(url, clock=world.clock) as ledger:
            run(ledger, world, steps_of(seed))
            followed(ledger)
            with ledger.store.snapshot() as snapshot:
                rows = {table.name: list(snapshot.rows(table)) for table in (EVENTS, LINE_CALLS)}
            kept.append((rows, tables(ledger)))
    assert kept[0] == kept[1]


def a_call(ledger: Ledger) -> None:
    record(ledger, callstatus("SRCANSWERED", 0), callstatus("COMPLETED", 60 * SECOND), cdr(60 * SECOND, destcharge="7"))


def rows_of_calls(ledger: Ledger) -> list[tuple[object, ...]]:
    """Return what correlation knows of the calls, by their lines."""
    with ledger.store.snapshot() as snapshot:
        return sorted(tuple(row) for row in snapshot.rows(LINE_CALLS))


class TestGivenACall:
    """A call with its opening, outcome and CDR, at positions 1 to 3."""

    @pytest.mark.parametrize(
        ("refused", "why"),
        [
            (lambda session: session.void_call(call_id((TAG, SRC), 2)), "there is no call"),
            (lambda session: session.split_call(CALL, []), "expected some of 1, 2, 3"),
            (lambda session: session.split_call(CALL, [4]), "position 4 is not a notice of call"),
            (lambda session: session.split_call(CALL, [1, 2, 3]), "expected at least one to stay"),
            (lambda session: session.merge_calls(CALL, CALL), "expected two calls"),
            (lambda session: session.release_cdr(3), "the event at position 3 is not a repeated-cdr"),
            (lambda session: session.release_cdr(9), "the log has no position 9; its head is 3"),
            (lambda session: session.rerate_call(CALL, 1), "there is no tariff version 1"),
            (
                lambda session: session.resolve_exception("repeated-cdr", 3),
                "there is no exception repeated-cdr at position 3",
            ),
            (lambda session: session.resolve_quarantined(1), "the quarantined notice 1 does not exist"),
            (lambda session: session.undo(1), "a notice from TringMe, which cannot be reversed"),
            (lambda session: session.undo(0), "the log has no position 0"),
            (lambda session: session.adjust_account("acme", 0), "expected a charge above 0"),
        ],
    )
    def test_what_makes_no_sense_is_refused_and_nothing_of_it_kept(
        self, store_url: str, refused: Callable[[OperatorSession], int], why: str
    ) -> None:
        with opened(store_url) as ledger:
            a_call(ledger)
            with pytest.raises(CommandRejected, match=why):
                act(ledger, refused)
            assert ledger.head() == 3

    def test_a_notice_that_carries_another_flag_is_not_released(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            record(ledger, callstatus("SRCANSWERED", 0), callstatus("SRCANSWERED", SECOND, r="again"))
            record(ledger, cdr(MINUTE, "RINGING", destcharge="0.0000004"))
            found = stream_of(ledger, CALL)
            assert {(raised.flag, raised.position) for raised in found.call_at(found.last).call_flags} == {
                ("repeated-status", 2),
                ("rounded-charge", 3),
                ("unrecognised-status", 3),
            }
            for position in (1, 2, 3):
                with pytest.raises(CommandRejected, match=f"position {position} is not a repeated-cdr"):
                    act(ledger, partial(OperatorSession.release_cdr, position=position))
            assert ledger.head() == 3

    def test_a_broken_tariff_is_refused_and_nothing_published(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            with pytest.raises(InvalidTariff, match="per_minute"):
                act(ledger, lambda session: session.publish_tariff('[[rules]]\ntag = "*"\nper_minute = -1'))
            assert ledger.head() == 0
            assert ledger.billing_context().tariffs == []

    def test_a_notice_that_comes_after_a_split_joins_the_call_that_lacks_it(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            record(
                ledger,
                callstatus("SRCANSWERED", 0),
                callstatus("COMPLETED", MINUTE),
                callstatus("SRCANSWERED", 2 * MINUTE),
            )
            second = call_id((TAG, SRC), 2)
            act(ledger, lambda session: session.split_call(CALL, [2]))
            third = call_id((TAG, SRC), 3)
            assert [row.position for row in ledger.history(third)] == [5]
            record(ledger, cdr(3 * MINUTE, "COMPLETED", r="late"))
            assert [row.position for row in ledger.history(second)] == [3, 6]

    def test_a_notice_that_comes_after_a_merge_joins_the_call_that_is_left(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            record(ledger, callstatus("SRCANSWERED", 0), callstatus("SRCFAILED", MINUTE))
            second = call_id((TAG, SRC), 2)
            act(ledger, lambda session: session.merge_calls(second, CALL))
            record(ledger, callstatus("USERDTMFINPUT", 2 * MINUTE, p="1"))
            assert [row.position for row in ledger.history(CALL)] == [1, 4, 5]

    def test_the_ordinal_of_a_merged_call_is_never_used_again(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            record(ledger, callstatus("SRCFAILED", 0), callstatus("SRCFAILED", MINUTE))
            act(ledger, lambda session: session.merge_calls(call_id((TAG, SRC), 2), CALL))
            record(ledger, callstatus("SRCFAILED", LONG_AGO, r="new"))
            assert [row.position for row in ledger.history(call_id((TAG, SRC), 3))] == [5]

    def test_what_was_resolved_of_a_notice_that_moved_counts_again_once_the_move_is_undone(
        self, store_url: str
    ) -> None:
        with opened(store_url) as ledger:
            a_call(ledger)
            resolved = {(SUSPECT, 3)}
            act(ledger, lambda session: session.resolve_exception(SUSPECT, 3))
            assert stream_of(ledger, CALL).call_at(4).resolved.keys() == resolved
            moved = act(ledger, lambda session: session.split_call(CALL, [3]))
            assert not stream_of(ledger, CALL).call_at(moved).resolved
            act(ledger, lambda session: session.resolve_exception(SUSPECT, 3))
            assert stream_of(ledger, call_id((TAG, SRC), 2)).call_at(POSITION_MAX).resolved.keys() == resolved
            act(ledger, lambda session: session.undo(moved))
            assert stream_of(ledger, CALL).call_at(POSITION_MAX).resolved.keys() == resolved
            assert not stream_of(ledger, call_id((TAG, SRC), 2)).call_at(POSITION_MAX).resolved

    def test_calls_are_rerated_as_they_were_seen_unless_something_came_since(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            record(ledger, *(cdr(number, src=str(number), srccharge="1") for number in range(3)))
            act(ledger, lambda session: session.publish_tariff('[[rules]]\ntag = "*"\nmarkup_percent = 10'))
            ids = [call_id((TAG, str(number)), 1) for number in range(3)]
            seen = [change.call for change in ReratingPreview(ledger, 1).changes([*map(str, ids)]) if change]
            before = rows_of_calls(ledger)
            act(ledger, lambda session: session.void_call(ids[0]))
            with ledger.operator_session("ann", "agreed") as session:
                assert session.rerate_calls(seen, 1) == {ids[0]}
                assert session.void_call(ids[1]) == 8, "it follows the rerating of the same transaction"
            assert [[row.version for row in ledger.history(each)] for each in ids] == [[1, 2], [1, 2, 3], [1, 2]]
            counts = zip(before, (2, 3, 2), strict=True)
            assert rows_of_calls(ledger) == [
                (*row[:EVENTS_OF], events, *row[EVENTS_OF + 1 :]) for row, events in counts
            ]


def test_a_notice_that_was_settled_in_quarantine_waits_again_when_that_is_undone(store_url: str) -> None:
    with opened(store_url) as ledger:
        ledger.record([ledger.verify_delivery(b"f=tm&type=cdr&sig=00", START)])
        settled = act(ledger, lambda session: session.resolve_quarantined(1))
        assert ledger.store.count_quarantined() == (0, 0)
        act(ledger, lambda session: session.undo(settled))
        assert ledger.store.count_quarantined() == (1, 0)
        with pytest.raises(CommandRejected, match="is no longer settled by the event at position 1"):
            act(ledger, lambda session: session.undo(settled))


def test_an_account_is_not_charged_in_a_month_that_has_not_begun(store_url: str) -> None:
    with opened(store_url, clock=lambda: START) as ledger:
        with pytest.raises(CommandRejected, match="2027-05 has not begun yet; expected a month up to 2026-10"):
            act(ledger, lambda session: session.adjust_account("acme", 1, "2027-05"))
        assert act(ledger, lambda session: session.adjust_account("acme", 1)) == 1


def test_a_move_that_was_reversed_is_not_reversed_again(store_url: str) -> None:
    with opened(store_url) as ledger:
        a_call(ledger)
        moved = act(ledger, lambda session: session.split_call(CALL, [3]))
        act(ledger, lambda session: session.undo(moved))
        for position in (moved - 1, moved):
            with pytest.raises(CommandRejected, match=f"the event at position {position} was reversed already"):
                act(ledger, partial(OperatorSession.undo, position=position))


def test_an_act_says_who_and_why_and_comes_after_all_that_was_recorded_before(store_url: str) -> None:
    moments = iter([START + 50, START + 50, START + 10, START + 10])
    with opened(store_url, clock=lambda: next(moments, START)) as ledger:
        a_call(ledger)
        act(ledger, lambda session: session.void_call(CALL))
        before, kept = (ledger.recorded_at(position) for position in (3, 4))
        assert kept >= before
        assert UUID(ledger.store.page(3, 1, 4)[0].stream) == CALL


def test_of_two_who_act_at_once_one_waits_for_the_other(store_url: str) -> None:
    with opened(store_url) as ledger, closing(Ledger(store_url)) as other:
        first = act(ledger, lambda session: session.close_month("2026-09"))
        with pytest.raises(CommandRejected, match="2026-09 is closed already; expected a month from 2026-10 on"):
            act(other, lambda session: session.close_month("2026-09"))
        assert (first, other.head()) == (1, 1)
        assert (BY, WHY) == ("ann", "the customer asked")


def test_an_exception_is_settled_in_the_stream_of_its_call_with_its_flag_and_position(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(ledger, callstatus("SRCANSWERED", 0), callstatus("SRCANSWERED", SECOND, r="again"))
        assert act(ledger, lambda session: session.resolve_exception("repeated-status", 2)) == 3
        assert act(ledger, lambda session: session.resolve_exception("repeated-status", 2, reopened=True)) == 4
        settled, opened_again = (decode_operator_event(row.topic, row.state) for row in ledger.history(CALL)[2:])
        for event, reopened in ((settled, False), (opened_again, True)):
            assert isinstance(event, ExceptionResolved)
            assert (event.flag, event.position, event.reopened) == ("repeated-status", 2, reopened)
        for flag, position in (("repeated-status", 1), ("unrecognised-status", 2)):
            with (
                pytest.raises(CommandRejected, match=f"there is no exception {flag} at position {position}"),
                ledger.operator_session(BY, WHY) as session,
            ):
                session.resolve_exception(flag, position)


def test_a_closing_keeps_what_was_accepted_and_is_seen_at_once(store_url: str) -> None:
    books = [MonthBooks("2026-09", "entries/1", 1, "0a", {"cost": 1, "price": 3})]
    with opened(store_url, clock=lambda: START) as ledger:
        with ledger.operator_session(BY, WHY) as session:
            assert session.close_month("2026-09", ["an item"], books) == 1
            with pytest.raises(CommandRejected, match="2026-09 is closed already; expected a month from 2026-10 on"):
                session.close_month("2026-09")
        (row,) = ledger.history(CLOSINGS)
        event = decode_operator_event(row.topic, row.state)
        assert isinstance(event, MonthClosed)
        assert (event.period, event.accepted, event.books) == ("2026-09", ["an item"], books)
