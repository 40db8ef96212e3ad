"""Each act of an operator becomes one event with all that was said, in the stream where readers look for it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from domain.calls.call import Resolution
from domain.calls.correlation import CallHead
from domain.errors import CommandRejected
from domain.events.codec import decode_operator_event
from domain.events.log_row import LogRow
from domain.events.operator_events import (
    AccountAdjusted,
    CallRerated,
    CallVoided,
    CorrectionReversed,
    ExceptionResolved,
    LogForked,
    NoticesMoved,
    OperatorEvent,
    QuarantineResolved,
    TariffPublished,
)
from domain.events.streams import FORKS, RESOLUTIONS, TARIFFS, account_stream, call_id
from domain.ledger import Ledger
from domain.ledger_options import LedgerOptions
from domain.log.tables import LINE_CALLS
from domain.operators.author import Author
from domain.operators.session import OperatorSession
from tests.support.ledgers import opened, record
from tests.support.notices import SECOND, SRC, START, TAG, callstatus, cdr, notice
from tests.support.operator_histories import BY, WHY, act, stream_of

CALL, SECOND_CALL = (call_id((TAG, SRC), ordinal) for ordinal in (1, 2))
OTHER_CALL = call_id(("other", SRC), 1)
SAID: dict[str, Any] = {"v": 2, "recorded_at": START, "by": BY, "reason": WHY}
TARIFF = '[[rules]]\ntag = "*"\naccount = "acme"\nper_minute = 6\n'
LINE = {"line": (TAG, SRC)}


def at_start(url: str, options: LedgerOptions | None = None) -> Any:
    return opened(url, options, clock=lambda: START)


def row_at(ledger: Ledger, position: int) -> LogRow:
    (row,) = ledger.store.page(position - 1, 1, position)
    return row


def event_at(ledger: Ledger, position: int) -> OperatorEvent:
    row = row_at(ledger, position)
    return decode_operator_event(row.topic, row.state)


def a_call(ledger: Ledger) -> None:
    """Record a call with its opening, its outcome and two CDRs, at positions 1 to 4."""
    record(ledger, callstatus("SRCANSWERED", 0), callstatus("COMPLETED", SECOND))
    record(ledger, cdr(SECOND, destcharge="7"), cdr(SECOND, destcharge="7", r="again"))


def test_a_published_tariff_has_its_text_and_the_next_version(store_url: str) -> None:
    with at_start(store_url) as ledger:
        positions = [act(ledger, lambda session: session.publish_tariff(TARIFF)) for _ in range(2)]
        assert [event_at(ledger, position) for position in positions] == [
            TariffPublished(**SAID, version=1, text=TARIFF),
            TariffPublished(**SAID, version=2, text=TARIFF),
        ]
        assert row_at(ledger, 2).stream == TARIFFS.hex


def test_what_a_session_publishes_it_knows_as_any_reader_of_the_log_will(store_url: str) -> None:
    with at_start(store_url, LedgerOptions(timezone="Asia/Kolkata")) as ledger:
        a_call(ledger)
        with ledger.operator_session(BY, WHY) as session:
            session.publish_tariff(TARIFF)
            assert session.rerate_call(CALL, 1) == 6
            known = session._books
        read = ledger.billing_context()
        assert known.tariffs == read.tariffs
        assert (known.timezone, known.line_rule) == (read.timezone, read.line_rule)
        assert event_at(ledger, 6) == CallRerated(**SAID, tariff=1)
        assert [stream_of(ledger, CALL).call_at(position).rerated for position in (5, 6)] == [0, 1]


def test_a_fork_is_kept_with_its_epoch_and_what_both_logs_have(store_url: str) -> None:
    with at_start(store_url) as ledger:
        position = act(ledger, lambda session: session.fork_log(2, "example.com/log", "a note", 7))
        assert event_at(ledger, position) == LogForked(
            **SAID, epoch=2, origin="example.com/log", checkpoint="a note", kept=7
        )
        assert row_at(ledger, position).stream == FORKS.hex


def test_an_adjustment_is_reversed_once_by_one_of_the_opposite_amount(store_url: str) -> None:
    with at_start(store_url) as ledger:
        charged = act(ledger, lambda session: session.adjust_account("acme", 5, "2026-09"))
        reversed_ = act(ledger, lambda session: session.undo(charged))
        assert [event_at(ledger, position) for position in (charged, reversed_)] == [
            AccountAdjusted(**SAID, account="acme", amount=5, period="2026-09"),
            AccountAdjusted(**SAID, account="acme", amount=-5, period="2026-09", reversed_position=charged),
        ]
        assert row_at(ledger, reversed_).stream == account_stream("acme").hex
        with pytest.raises(CommandRejected, match="position 1 was reversed already, at position 2"):
            act(ledger, lambda session: session.undo(charged))
        assert event_at(ledger, act(ledger, lambda session: session.adjust_account("acme", 1))) == AccountAdjusted(
            **SAID, account="acme", amount=1, period="2026-10"
        )


def test_a_quarantined_notice_is_settled_once_with_its_key_and_may_wait_again(store_url: str) -> None:
    with at_start(store_url) as ledger:
        ledger.record([ledger.verify_delivery(b"f=tm&type=cdr&sig=00", START)])
        (entry,) = ledger.store.quarantined(settled=False)
        settled = act(ledger, lambda session: session.resolve_quarantined(1))
        assert event_at(ledger, settled) == QuarantineResolved(**SAID, entry=1, delivery_key=entry.delivery_key.hex())
        with pytest.raises(CommandRejected, match="the quarantined notice 1 is settled already"):
            act(ledger, lambda session: session.resolve_quarantined(1))
        waits = act(ledger, lambda session: session.undo(settled))
        assert event_at(ledger, waits) == CorrectionReversed(**SAID, reversed_position=settled)
        assert row_at(ledger, waits).stream == RESOLUTIONS.hex
        assert list(ledger.store.quarantined(settled=False)) == [entry]


@pytest.mark.parametrize(
    ("acted", "how"),
    [
        (lambda session: session.split_call(CALL, [4, 2]), "split"),
        (lambda session: session.release_cdr(4), "release"),
    ],
    ids=["split", "release"],
)
def test_notices_that_move_are_named_in_the_streams_of_both_calls(
    store_url: str, acted: Callable[[OperatorSession], int], how: str
) -> None:
    with at_start(store_url) as ledger:
        a_call(ledger)
        assert act(ledger, acted) == 6
        moved = {**SAID, **LINE, "how": how, "positions": [2, 4] if how == "split" else [4]}
        assert event_at(ledger, 5) == NoticesMoved(**moved, gone=True, other=str(SECOND_CALL), ordinal=1)
        assert event_at(ledger, 6) == NoticesMoved(**moved, gone=False, other=str(CALL), ordinal=2)
        assert [row_at(ledger, position).stream for position in (5, 6)] == [CALL.hex, SECOND_CALL.hex]
        undone = act(ledger, lambda session: session.undo(5))
        assert [event_at(ledger, position) for position in (undone - 1, undone)] == [
            CorrectionReversed(**SAID, reversed_position=position) for position in (5, 6)
        ]


def test_a_void_call_is_voided_once_and_may_be_billed_again(store_url: str) -> None:
    with at_start(store_url) as ledger:
        a_call(ledger)
        voided = act(ledger, lambda session: session.void_call(CALL))
        assert event_at(ledger, voided) == CallVoided(**SAID)
        with pytest.raises(CommandRejected, match=f"call {CALL} is void already"):
            act(ledger, lambda session: session.void_call(CALL))
        act(ledger, lambda session: session.undo(voided))
        assert not stream_of(ledger, CALL).call_at(9).voided


def test_a_notice_that_moved_from_call_to_call_is_settled_in_the_stream_of_its_last_one(store_url: str) -> None:
    with at_start(store_url) as ledger:
        a_call(ledger)
        record(ledger, callstatus("SRCANSWERED", tag="other"))
        act(ledger, lambda session: session.split_call(CALL, [4]))
        act(ledger, lambda session: session.merge_calls(SECOND_CALL, CALL))
        act(ledger, lambda session: session.split_call(CALL, [4]))
        third = call_id((TAG, SRC), 3)
        act(ledger, lambda session: session.merge_calls(third, OTHER_CALL))
        act(ledger, lambda session: session.split_call(CALL, [2]))
        settled = act(ledger, lambda session: session.resolve_exception("suspect", 4))
        assert row_at(ledger, settled).stream == OTHER_CALL.hex
        for call in (SECOND_CALL, third):
            with pytest.raises(CommandRejected, match=f"call {call} has no notices; they were merged into another"):
                act(ledger, partial(OperatorSession.merge_calls, call=call, into=CALL))


def test_a_move_is_not_reversed_where_its_notices_moved_again(store_url: str) -> None:
    with at_start(store_url) as ledger:
        a_call(ledger)
        act(ledger, lambda session: session.split_call(CALL, [3, 4]))
        act(ledger, lambda session: session.split_call(SECOND_CALL, [4]))
        for position in (5, 6):
            with pytest.raises(CommandRejected, match=f"position {position} were moved again since"):
                act(ledger, partial(OperatorSession.undo, position=position))


def test_an_exception_is_settled_and_opened_again_as_often_as_that_is_undone(store_url: str) -> None:
    with at_start(store_url) as ledger:
        a_call(ledger)
        act(ledger, lambda session: session.resolve_exception("repeated-cdr", 4, reopened=True))
        assert stream_of(ledger, CALL).call_at(5).resolved == {}
        positions = [act(ledger, lambda session: session.resolve_exception("repeated-cdr", 4))]
        for _ in range(2):
            positions.append(act(ledger, partial(OperatorSession.undo, position=positions[-1])))
        assert [event_at(ledger, position) for position in positions] == [
            ExceptionResolved(**SAID, flag="repeated-cdr", position=4, reopened=reopened)
            for reopened in (False, True, False)
        ]
        stream = stream_of(ledger, CALL)
        settled = {("repeated-cdr", 4): Resolution(positions[-1], BY, WHY, START)}
        assert (stream.call_at(positions[1]).resolved, stream.call_at(positions[2]).resolved) == ({}, settled)


def test_of_a_notice_without_a_call_only_the_flags_that_it_has_are_settled(store_url: str) -> None:
    with at_start(store_url) as ledger:
        record(ledger, notice(type="voicemail", email="a@b.c"), notice(type="fax", status="SENT"))
        for position, flag in ((1, "unrecognised-type"), (1, "unrecognised-status"), (2, "nonce-reused")):
            with pytest.raises(CommandRejected, match=f"there is no exception {flag} at position {position}"):
                act(ledger, partial(OperatorSession.resolve_exception, flag=flag, position=position))
        for flag in ("unrecognised-type", "unrecognised-status"):
            settled = act(ledger, partial(OperatorSession.resolve_exception, flag=flag, position=2))
            assert event_at(ledger, settled) == ExceptionResolved(**SAID, flag=flag, position=2)
            assert row_at(ledger, settled).stream == RESOLUTIONS.hex


def test_a_call_without_notices_keeps_its_line_and_ordinal_and_comes_before_all_for_correlation(store_url: str) -> None:
    with at_start(store_url) as ledger:
        a_call(ledger)
        act(ledger, lambda session: session.split_call(CALL, [4]))
        act(ledger, lambda session: session.merge_calls(SECOND_CALL, CALL))
        empty = stream_of(ledger, SECOND_CALL).call_at(9)
        assert (empty.line, empty.ordinal, empty.head) == ((TAG, SRC), 2, CallHead(2, 0, 0))
        whole = stream_of(ledger, CALL).call_at(9)
        assert (whole.line, whole.ordinal, whole.head.events) == ((TAG, SRC), 1, 4)
        with ledger.store.snapshot() as snapshot:
            first, second = snapshot.rows(LINE_CALLS)
        assert (first[1:4], second[1:4]) == ((1, START, START + SECOND), (2, -1, -1))


@pytest.mark.parametrize("name", ["by", "reason"])
def test_an_author_has_a_name_and_a_reason_of_some_characters_and_not_too_many(name: str) -> None:
    most = {"by": 256, "reason": 2000}[name]
    whole = {"by": BY, "reason": WHY}
    Author(**whole | {name: "x" * most}).check()
    for text in ("", " \t", "x" * (most + 1), "x\0y"):
        with pytest.raises(
            CommandRejected, match=f"^{name} is .*; expected 1 to {most} characters that say who or why"
        ):
            Author(**whole | {name: text}).check()


def test_what_a_session_did_to_a_call_its_next_acts_build_on(store_url: str) -> None:
    with at_start(store_url) as ledger:
        a_call(ledger)
        with ledger.operator_session(BY, WHY) as session:
            session.split_call(CALL, [3, 4])
            session.split_call(SECOND_CALL, [4])
            session.void_call(CALL)
            with pytest.raises(CommandRejected, match="is void already"):
                session.void_call(CALL)
        found = [[position for position, _ in stream_of(ledger, call).notices_at(99)] for call in (CALL, SECOND_CALL)]
        assert found == [[1, 2], [3]]


def test_a_tariff_is_not_undone_and_the_refusal_names_what_it_is(store_url: str) -> None:
    with at_start(store_url) as ledger:
        act(ledger, lambda session: session.publish_tariff(TARIFF))
        with pytest.raises(CommandRejected, match="position 1 is tariff-published, which cannot be reversed"):
            act(ledger, lambda session: session.undo(1))
