"""Recording names beforehand what its decisions will read, and marks what came before (SPEC 4, 9.3)."""

from collections.abc import Iterable
from contextlib import closing
from copy import copy

import pytest

from domain.calls.call_stream import CallStream, FoldError
from domain.calls.correlation import CallHead
from domain.events.notice_events import Voucher
from domain.events.streams import call_id, line_key, stream_id
from domain.ledger import Ledger
from domain.ledger_options import LedgerOptions
from domain.log.contract import Lookup
from domain.log.sqlite.transaction import SQLiteTransaction
from domain.notices.call_notice import Charges
from domain.notices.notification import delivery_key, row_claim, unsigned_key
from domain.notices.signature import Keyring
from domain.outcomes import Quarantined, Recorded, RowConflict, quarantine_full
from domain.recording import Delivery, vouched_delivery
from tests.support.ledgers import opened
from tests.support.notices import (
    GRACE,
    KEY,
    OTHER_KEY,
    SECOND,
    SRC,
    START,
    TAG,
    SentNotice,
    callstatus,
    cdr,
    notice,
    signature,
    signed,
)
from tests.support.operator_histories import act, stream_of

ONLY_R = "md5-r-key"
# Its points belong to it by the newer line rule alone.
MAIL = "gtalk:jo.ann@example.com"
BROKEN = {"srccharge": "broken"}


def heard(ledger: Ledger, sent: SentNotice, key: str = KEY, formula: str = ONLY_R) -> Delivery:
    return ledger.verify_delivery(signed(sent, key, formula).encode(), sent.at)


def key_of(sent: SentNotice, key: str = KEY, formula: str = ONLY_R) -> bytes:
    return delivery_key([*sent, ("sig", signature(sent, key, formula))])


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[Lookup]:
    """Return what transactions on SQLite are asked to fetch, in order."""
    found: list[Lookup] = []

    def prefetch(_: SQLiteTransaction, asked: Iterable[Lookup]) -> None:
        found.extend(asked)

    monkeypatch.setattr(SQLiteTransaction, "prefetch", prefetch)
    return found


@pytest.mark.only_on("sqlite")
def test_a_store_is_told_before_all_decisions_what_they_will_read(store_url: str, lookups: list[Lookup]) -> None:
    forged, broken = callstatus(r="1"), cdr(r="2", **BROKEN)
    mail, channel, fax = (
        notice(type="voicemail", email="a@b.c", r="3"),
        notice(type="deletechannel", src=SRC, r="4"),
        notice(type="fax", r="5"),
    )
    opening, billed = callstatus("SRCANSWERED", 7, r="6", src=MAIL), cdr(9, r="8")
    line = line_key((TAG, SRC))
    with opened(store_url, formula=ONLY_R) as ledger:
        sent = [forged, broken, mail, channel, fax, opening, billed]
        ledger.record([heard(ledger, each, "wrong" if each is forged else KEY) for each in sent])
    assert lookups == [
        Lookup(key_of(forged, "wrong"), refused=True),
        Lookup(key_of(broken), refused=True),
        Lookup(key_of(mail), refused=False, stream=stream_id("voicemail", "a@b.c"), nonce="3"),
        Lookup(key_of(channel), refused=False, stream=stream_id("deletechannel", SRC), nonce="4"),
        Lookup(key_of(fax), refused=False, stream=stream_id("unrecognised"), nonce="5"),
        Lookup(key_of(opening), refused=False, line=line_key((TAG, MAIL)), until=START + 7 + GRACE, nonce="6"),
        Lookup(key_of(billed), refused=False, line=line, since=START + 9 - GRACE, until=START + 9 + GRACE, nonce="8"),
    ]
    assert all(type(each.refused) is bool for each in lookups)


@pytest.mark.only_on("sqlite")
def test_a_store_is_told_what_a_notice_claims_its_signature_or_its_row(store_url: str, lookups: list[Lookup]) -> None:
    sent, row, mail = cdr(9, tag="x"), cdr(9, tag="y"), notice(type="voicemail", email="a@b.c", r="3")
    with opened(store_url) as ledger:
        read = ledger.verify_delivery(signed(row).encode(), row.at).notification
        vouched = vouched_delivery(read, "old.csv", Voucher("kim", "known", "id=1"))
        ledger.record([heard(ledger, sent, formula="md5-params"), vouched, heard(ledger, mail, formula="md5-params")])
    assert [each.claim for each in lookups] == [signature(sent), row_claim("old.csv", "id=1"), signature(mail)]
    assert [each.delivery_key for each in lookups] == [
        key_of(sent, formula="md5-params"),
        unsigned_key(read.pairs, "old.csv", "id=1"),
        key_of(mail, formula="md5-params"),
    ]
    assert [each.nonce for each in lookups] == [None, None, None]


def test_what_is_the_same_but_for_its_signature_does_not_reuse_its_r(store_url: str) -> None:
    with closing(Ledger(store_url, Keyring(ONLY_R, [KEY, OTHER_KEY]), create=True)) as ledger:
        said = [heard(ledger, cdr(r="7"), key) for key in (KEY, OTHER_KEY)]
        assert [type(outcome) for outcome in ledger.record(said)] == [Recorded, Recorded]
        assert [ledger.notice_at(position).nonce_reused for position in (1, 2)] == [0, 0]


def test_a_broken_notice_that_is_tried_again_stays_the_same_entry_and_is_not_new(store_url: str) -> None:
    with opened(store_url) as ledger:
        broken = cdr(**BROKEN)
        (first,) = ledger.record([heard(ledger, broken, formula="md5-params")])
        assert isinstance(first, Quarantined)
        (entry,) = ledger.store.quarantined(settled=False)
        again = ledger.reprocess(entry)
        assert again == Quarantined(entry.id, first.problem, is_new=False)
        assert isinstance(again, Quarantined)
        assert again.is_new is False


def test_a_calls_states_are_those_after_each_of_its_events(store_url: str) -> None:
    with opened(store_url, clock=lambda: START) as ledger:
        sent = [callstatus(), callstatus("COMPLETED", SECOND), cdr(SECOND, "COMPLETED")]
        ledger.record([heard(ledger, each, formula="md5-params") for each in sent])
        call = call_id((TAG, SRC), 1)

        def states() -> list[tuple[object, ...]]:
            return [
                (position, event, state.id, copy(state.head), state.cdr and state.cdr.position, state.voided)
                for position, event, state in stream_of(ledger, call).states()
            ]

        heads = [CallHead(1, START, START, "SRCANSWERED", events=1)]
        heads.append(CallHead(1, START, START + SECOND, "SRCANSWERED", ("COMPLETED",), events=2))
        nothing = Charges(*[None] * 6)
        heads.append(CallHead(1, START, START + SECOND, "SRCANSWERED", ("COMPLETED",), nothing, "COMPLETED", 3))
        plain = [(head.events, None, str(call), head, 3 if head.events == 3 else None, False) for head in heads]
        assert states() == plain
        act(ledger, lambda session: session.void_call(call))
        (voided,) = stream_of(ledger, call).effective_events(4)
        assert states() == [*plain, (4, voided.event, str(call), heads[2], 3, True)]


def test_an_event_that_cannot_be_folded_is_named_with_what_is_wrong(store_url: str) -> None:
    with opened(store_url) as ledger:
        ledger.record([heard(ledger, callstatus(), formula="md5-params")])
        (row,) = ledger.history(call_id((TAG, SRC), 1))
        broken = row._replace(state=b"{")
        with pytest.raises(FoldError, match="truncated") as refused:
            CallStream([broken], ledger.events_at)
        assert refused.value.row == broken


def test_a_row_with_the_id_of_another_one_names_the_position_of_that(store_url: str) -> None:
    with opened(store_url) as ledger:
        rows = [
            vouched_delivery(
                ledger.verify_delivery(signed(sent).encode(), sent.at).notification,
                "old.csv",
                Voucher("kim", "known", "id=1"),
            )
            for sent in (cdr(9, tag="y"), cdr(9, tag="z"))
        ]
        ledger.record([heard(ledger, notice(type="voicemail", email="a@b.c"), formula="md5-params")])
        assert ledger.record(rows)[1] == RowConflict(2)
        mail = ledger.notice_at(1)
        assert (mail.line, mail.ordinal, mail.rule, mail.nonce_reused) == (None, 0, 0, 0)


def test_where_nothing_may_be_dropped_the_refusal_says_how_many_there_are(store_url: str) -> None:
    with opened(store_url, LedgerOptions(quarantine_max=2)) as ledger:
        outcomes = ledger.record([heard(ledger, cdr(r=str(number)), "wrong") for number in range(3)])
        assert outcomes[2] == quarantine_full(2)
