"""The ledger: what becomes of a notification, what is kept of it, and on whose terms (SPEC 2, 4). One case, every store."""

import re
from collections.abc import Sequence
from uuid import UUID

import pytest

from domain import times
from domain.calls.correlation import CorrelationWindow
from domain.errors import InvalidValue, LedgerError, LedgerSettingsMismatch, NoLedger, NotANotification
from domain.events.log_row import LogRow
from domain.events.notice_events import Notice, Voucher
from domain.events.streams import call_id, stream_id
from domain.ledger import Ledger
from domain.ledger_options import LedgerOptions
from domain.log.contract import QuarantineEntry
from domain.notices.notification import Notification, ParameterProblem
from domain.notices.signature import Keyring, fingerprint
from domain.outcomes import Duplicate, Quarantined, Recorded, RecordOutcome, Rejected
from domain.recording import Delivery, vouched_delivery
from tests.support.ledgers import opened, record
from tests.support.model import wire as model_wire
from tests.support.model.wire import query, sign
from tests.support.notices import GRACE, KEY, SECOND, SRC, START, TAG, SentNotice, callstatus, cdr, notice, signed

ANSWERED = callstatus("SRCANSWERED")
BROKEN = cdr(1, srccharge="1,5")
WRONG_KEY = "wr0ng-key"


class Clock:
    """A clock that stands where it is set."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at


def everything(ledger: Ledger) -> list[LogRow]:
    """Return the whole log."""
    return ledger.store.page(0, 1000, 1000)


def notices(ledger: Ledger) -> list[Notice]:
    """Return the notices of the whole log."""
    return [ledger.notice_at(position) for position in range(1, ledger.head() + 1)]


def waiting(ledger: Ledger) -> list[QuarantineEntry]:
    """Return what waits in quarantine."""
    return list(ledger.store.quarantined(settled=False))


def raw(ledger: Ledger, text: bytes, at: int = START) -> RecordOutcome:
    """Record a query as it stands."""
    return ledger.record([ledger.verify_delivery(text, at)])[0]


def forged(count: int, start: int = 0) -> list[SentNotice]:
    """Return notices that differ, to be signed with a wrong key."""
    return [callstatus("SRCANSWERED", number) for number in range(start, start + count)]


def froms(entries: Sequence[QuarantineEntry]) -> list[int]:
    """Return when entries were received, counted from START."""
    return [entry.received_at - START for entry in entries]


# Given an empty ledger: what an authentic, well-formed notification becomes


def test_a_notification_is_one_event_at_the_next_position(store_url: str) -> None:
    with opened(store_url) as ledger:
        assert ledger.head() == 0
        answers = record(ledger, ANSWERED, callstatus("COMPLETED", 1), cdr(2))
        assert [answer.position for answer in answers if isinstance(answer, Recorded)] == [1, 2, 3]
        assert ledger.head() == 3


def test_the_event_keeps_all_that_came_and_how_it_was_verified(store_url: str) -> None:
    with opened(store_url, clock=Clock(START + 7)) as ledger:
        pairs = [("zz", "é +"), *ANSWERED.pairs, ("Tag", "x"), ("empty", "")]
        record(ledger, SentNotice(START, pairs))
        kept = notices(ledger)[0]
    assert kept.params == [*pairs, ("sig", sign(pairs, KEY, "md5-params"))]
    assert (kept.received_at, kept.recorded_at) == (START, START + 7)
    assert (kept.source, kept.formula, kept.key) == ("callback", "md5-params", fingerprint(KEY))
    assert (kept.line, kept.ordinal, kept.rule, kept.nonce_reused) == ((TAG, SRC), 1, 7, 0)


def test_the_source_says_where_it_came_from(store_url: str) -> None:
    with opened(store_url) as ledger:
        ledger.record([ledger.verify_delivery(signed(ANSWERED.pairs).encode(), START, "import:a.ndjson")])
        assert notices(ledger)[0].source == "import:a.ndjson"


def test_an_unchecked_ledger_says_so_in_each_event(store_url: str) -> None:
    with opened(store_url, formula="off") as ledger:
        record(ledger, ANSWERED, formula="off")
        assert (notices(ledger)[0].formula, notices(ledger)[0].key) == ("off", "")


@pytest.mark.parametrize(
    ("notice", "topic", "stream"),
    [
        (ANSWERED, "call-status", call_id((TAG, SRC), 1)),
        (cdr(), "cdr", call_id((TAG, SRC), 1)),
        (cdr(tag=None, src=None), "cdr", call_id(("", ""), 1)),
        (cdr(src="+1 (858) 555-0001"), "cdr", call_id((TAG, SRC), 1)),
        (notice(type="voicemail", email="bob@example.com"), "voicemail", stream_id("voicemail", "bob@example.com")),
        (notice(type="voicemail"), "voicemail", stream_id("voicemail", "")),
        (notice(type="deletechannel", src="+1 2"), "channel-deletion", stream_id("deletechannel", "+1 2")),
        (notice(type="deletechannel"), "channel-deletion", stream_id("deletechannel", "")),
        (notice(type="fax"), "unrecognised", stream_id("unrecognised")),
        (notice(type="CDR"), "unrecognised", stream_id("unrecognised")),
        (notice(type=""), "unrecognised", stream_id("unrecognised")),
        (notice(), "unrecognised", stream_id("unrecognised")),
    ],
)
def test_a_notice_goes_into_the_stream_of_its_kind(
    store_url: str, notice: SentNotice, topic: str, stream: UUID
) -> None:
    with opened(store_url) as ledger:
        (answer,) = record(ledger, notice)
        (row,) = everything(ledger)
    assert answer == Recorded(1, stream if topic in ("call-status", "cdr") else None)
    assert row[:4] == (1, stream.hex, 1, f"tringledger:{topic}-recorded")


def test_a_stream_numbers_its_events_whichever_transaction_they_come_in(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(ledger, ANSWERED, notice(type="fax"), notice(type="telex"))
        record(ledger, callstatus("COMPLETED", 1), notice(type="fax", r="2"))
        versions = [(row.stream, row.version) for row in everything(ledger)]
    call, other = call_id((TAG, SRC), 1).hex, stream_id("unrecognised").hex
    assert versions == [(call, 1), (other, 1), (other, 2), (call, 2), (other, 3)]


def test_under_correlation_by_tag_the_number_makes_no_line(store_url: str) -> None:
    with opened(store_url, LedgerOptions("tag")) as ledger:
        answers = record(ledger, ANSWERED, callstatus("COMPLETED", 1, src="19995550000"))
        assert {answer.call_id for answer in answers if isinstance(answer, Recorded)} == {str(call_id((TAG, None), 1))}
        assert [(notice.line, notice.rule) for notice in notices(ledger)] == [((TAG, None), 7), ((TAG, None), 8)]


def test_the_reach_is_a_setting_that_may_change_and_what_was_assigned_stays(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(ledger, ANSWERED, callstatus("SRCANSWERED", GRACE))
    with opened(store_url, LedgerOptions(window=CorrelationWindow(grace=SECOND))) as ledger:
        record(ledger, callstatus("SRCANSWERED", GRACE + SECOND), callstatus("SRCANSWERED", GRACE + 2 * SECOND + 1))
        assert [(notice.ordinal, notice.rule) for notice in notices(ledger)] == [(1, 7), (1, 6), (1, 6), (2, 7)]
        assert ledger.last_ordinal((TAG, SRC)) == 2


def test_a_line_with_many_calls_over_many_days_stays_in_order(store_url: str) -> None:
    with opened(store_url) as ledger:
        spread = [cdr(number * 7 * 3600 * SECOND, srcduration=str(number)) for number in range(60)]
        record(ledger, *spread)
        late = [cdr(number * 7 * 3600 * SECOND + GRACE, srcduration=str(number)) for number in range(0, 60, 7)]
        record(ledger, *late)
        assert [notice.ordinal for notice in notices(ledger)] == [*range(1, 61), *range(1, 61, 7)]
        assert {notice.rule for notice in notices(ledger)[60:]} == {2}


def test_a_call_may_last_for_weeks_and_is_found_within_its_span(store_url: str) -> None:
    day = 24 * 3600 * SECOND
    with opened(store_url) as ledger:
        record(ledger, *[callstatus("RINGING", number * day) for number in range(20)])
        record(ledger, cdr(10 * day, srcduration="1"), cdr(11 * day, srcduration="1"))
        assert {notice.ordinal for notice in notices(ledger)} == {1}
        assert [notice.rule for notice in notices(ledger)[-2:]] == [3, 2]


def test_history_is_the_calls_events_up_to_a_position(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(ledger, ANSWERED, notice(type="fax"), callstatus("COMPLETED", 1), cdr(2))
        stream = call_id((TAG, SRC), 1)
        assert [row.position for row in ledger.history(stream)] == [1, 3, 4]
        assert [row.position for row in ledger.history(stream, 3)] == [1, 3]
        assert ledger.history(call_id((TAG, SRC), 2)) == []


class TestTheSameNotificationAgain:
    def test_a_repeat_is_a_duplicate_that_names_the_first_position_and_keeps_nothing(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            record(ledger, notice(type="fax"), ANSWERED)
            again = SentNotice(ANSWERED.at + 99 * GRACE, list(reversed(ANSWERED.pairs)))
            assert record(ledger, again, ANSWERED) == [Duplicate(2), Duplicate(2)]
            assert ledger.head() == 2

    def test_twice_in_one_transaction_is_once(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            assert record(ledger, ANSWERED, ANSWERED)[1] == Duplicate(1)
            assert ledger.head() == 1

    def test_a_signature_in_capital_digits_is_the_same(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            sig = sign(ANSWERED.pairs, KEY, "md5-params")
            assert isinstance(raw(ledger, query([*ANSWERED.pairs, ("sig", sig)])), Recorded)
            assert raw(ledger, query([*ANSWERED.pairs, ("sig", sig.upper())])) == Duplicate(1)

    def test_a_delivery_key_is_remembered_when_the_ledger_is_opened_again(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            record(ledger, ANSWERED)
        with opened(store_url) as ledger:
            assert record(ledger, ANSWERED) == [Duplicate(1)]

    def test_another_signature_makes_another_notification(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            record(ledger, ANSWERED)
        with opened(store_url, formula="hmac-sha256-params") as ledger:
            assert isinstance(record(ledger, ANSWERED, formula="hmac-sha256-params")[0], Recorded)


class TestTimesOfRecording:
    def test_recorded_at_never_falls_even_if_the_clock_does(self, store_url: str) -> None:
        clock = Clock(START + 100)
        with opened(store_url, clock=clock) as ledger:
            for moment in (100, 50, 0, 101, 99):
                clock.at = START + moment
                record(ledger, callstatus("RINGING", ledger.head()))
            assert [notice.recorded_at - START for notice in notices(ledger)] == [100, 100, 100, 101, 101]
        with opened(store_url, clock=Clock(START)) as ledger:
            record(ledger, cdr())
            assert notices(ledger)[-1].recorded_at == START + 101

    def test_as_it_was_at_a_time_is_up_to_the_last_position_recorded_by_then(self, store_url: str) -> None:
        clock = Clock(START)
        with opened(store_url, clock=clock) as ledger:
            assert ledger.position_at(START) == 0
            for moment in (10, 10, 20, 30):
                clock.at = START + moment
                record(ledger, callstatus("RINGING", ledger.head()))
            found = [ledger.position_at(START + moment) for moment in (9, 10, 11, 19, 20, 29, 30, 10**15)]
        assert found == [0, 2, 2, 2, 3, 3, 4, 4]


class TestAReusedNonce:
    @pytest.mark.parametrize("formula", ["md5-r-key", "md5-key-r"])
    def test_where_only_r_is_signed_other_content_under_it_names_the_first_event_that_had_it(
        self, store_url: str, formula: str
    ) -> None:
        with opened(store_url, formula=formula) as ledger:
            first, other, third = (callstatus(name, r="7") for name in ("SRCANSWERED", "COMPLETED", "DESTBUSY"))
            fresh, voicemail = callstatus("RINGING", r="8"), notice(type="voicemail", r="7")
            answers = record(ledger, first, other, first, fresh, third, voicemail, formula=formula)
            assert [type(answer) for answer in answers].count(Recorded) == 5
            assert [notice.nonce_reused for notice in notices(ledger)] == [0, 1, 0, 1, 1]

    @pytest.mark.parametrize("formula", ["md5-params", "hmac-sha256-params", "off"])
    def test_where_all_is_signed_or_nothing_a_reused_r_is_no_matter(self, store_url: str, formula: str) -> None:
        with opened(store_url, formula=formula) as ledger:
            record(ledger, callstatus("SRCANSWERED", r="7"), callstatus("COMPLETED", r="7"), formula=formula)
            assert [notice.nonce_reused for notice in notices(ledger)] == [0, 0]


class TestWhatIsNoNotification:
    @pytest.mark.parametrize("text", [b"", b"f=xx&tag=a", b"tag=a"])
    def test_what_is_no_notification_is_refused_before_anything_is_kept(self, store_url: str, text: bytes) -> None:
        with opened(store_url) as ledger:
            with pytest.raises(NotANotification):
                ledger.verify_delivery(text, START)
            assert waiting(ledger) == []

    @pytest.mark.parametrize(
        "pairs",
        [
            [("srccharge", "1,5")],
            [("tag", "x" * 257)],
            [("p", "\0")],
            [("f", "tm")],
            [("tag", "a"), ("tag", "b")],
            [("f", "other")],
        ],
    )
    def test_a_broken_value_is_kept_aside_with_its_reason_and_raw_bytes(
        self, store_url: str, pairs: list[tuple[str, str]]
    ) -> None:
        sent = signed([("f", "tm"), ("type", "cdr"), *pairs]).encode()
        with opened(store_url) as ledger:
            answer = raw(ledger, sent, START + 5)
            (entry,) = waiting(ledger)
            assert ledger.head() == 0
        assert isinstance(answer, Quarantined)
        assert answer.problem
        assert (answer.entry, answer.is_new) == (entry.id, True)
        assert answer.problem.name == pairs[-1][0]
        assert (entry.reason, entry.raw, entry.authentic) == (answer.reason, sent, True)
        assert (entry.received_at, entry.last_received_at, entry.times) == (START + 5, START + 5, 1)
        assert (entry.source, entry.position) == ("callback", 0)

    @pytest.mark.parametrize("pair", [(b"tag", b"\xff\xc3"), (b"\xe9", b"x")])
    def test_invalid_utf8_that_is_authentic_is_kept_aside_as_broken(
        self, store_url: str, pair: tuple[bytes, bytes]
    ) -> None:
        pairs = [(b"f", b"tm"), (b"type", b"cdr"), pair]
        sent = query([*pairs, (b"sig", sign(pairs, KEY, "md5-params").encode())])
        with opened(store_url) as ledger:
            answer = raw(ledger, sent)
            assert isinstance(answer, Quarantined)
            assert answer.problem
            assert answer.problem.expected == "valid UTF-8"
            assert ledger.store.quarantined_one(answer.entry) == waiting(ledger)[0]
            assert waiting(ledger)[0].raw == sent

    def test_a_notification_that_cannot_be_kept_as_an_event_does_not_fail_the_others_of_its_transaction(
        self,
        store_url: str,
    ) -> None:
        pairs = [(b"f", b"tm"), (b"\xff", b"\xff")]
        sent = query([*pairs, (b"sig", sign(pairs, KEY, "md5-params").encode())])
        with opened(store_url) as ledger:
            fine = [
                ledger.verify_delivery(signed(notice.pairs).encode(), START)
                for notice in (ANSWERED, callstatus("COMPLETED", 1))
            ]
            answers = ledger.record([fine[0], ledger.verify_delivery(sent, START), fine[1]])
        assert [type(answer) for answer in answers] == [Recorded, Quarantined, Recorded]

    def test_the_same_broken_notification_again_is_the_same_entry_counted(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            (first,) = record(ledger, BROKEN)
            later = SentNotice(START + 50, list(reversed(BROKEN.pairs)))
            earlier = SentNotice(START - 50, BROKEN.pairs)
            for again in record(ledger, later, earlier):
                assert isinstance(again, Quarantined)
                assert isinstance(first, Quarantined)
                assert (again.entry, again.is_new) == (first.entry, False)
            (entry,) = waiting(ledger)
        assert (entry.times, entry.received_at, entry.last_received_at) == (3, START + 1, START + 50)

    def test_broken_ones_are_not_capped(self, store_url: str) -> None:
        with opened(store_url, LedgerOptions(quarantine_max=2)) as ledger:
            broken = [cdr(at, srccharge="x") for at in range(5)]
            answers = record(ledger, *broken)
            assert all(isinstance(answer, Quarantined) and answer.is_new for answer in answers)
            assert len(waiting(ledger)) == 5

    @pytest.mark.parametrize("sigs", [[], ["0" * 32], ["RIGHT", "RIGHT"], ["é"]])
    def test_a_wrong_missing_or_doubled_signature_is_kept_aside_as_unauthentic(
        self, store_url: str, sigs: list[str]
    ) -> None:
        right = sign(ANSWERED.pairs, KEY, "md5-params")
        sent = query([*ANSWERED.pairs, *[("sig", sig.replace("RIGHT", right)) for sig in sigs]])
        with opened(store_url) as ledger:
            answer = raw(ledger, sent)
            (entry,) = waiting(ledger)
        assert answer == Quarantined(entry.id, None, is_new=True)
        assert (entry.authentic, entry.reason) == (False, "the signature is wrong or missing")

    @pytest.mark.parametrize("formula", ["md5-r-key", "md5-key-r"])
    def test_without_r_its_signature_is_wrong_where_only_r_is_signed(self, store_url: str, formula: str) -> None:
        with opened(store_url, formula=formula) as ledger:
            (answer,) = record(ledger, notice(type="cdr"), formula=formula)
            assert isinstance(answer, Quarantined)
            assert answer.problem is None

    def test_the_signature_is_checked_before_the_values(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            (answer,) = record(ledger, BROKEN, key=WRONG_KEY)
            assert isinstance(answer, Quarantined)
            assert answer.problem is None

    def test_until_a_signature_has_fitted_a_full_quarantine_keeps_what_it_has(self, store_url: str) -> None:
        with opened(store_url, LedgerOptions(quarantine_max=3)) as ledger:
            answers = record(ledger, *forged(5), key=WRONG_KEY)
            assert [type(answer) for answer in answers] == [Quarantined] * 3 + [Rejected] * 2
            assert froms(waiting(ledger)) == [0, 1, 2]
            again = record(ledger, *forged(1), key=WRONG_KEY)[0]
            assert isinstance(again, Quarantined)
            assert waiting(ledger)[0].times == 2

    def test_once_a_signature_has_fitted_the_oldest_goes(self, store_url: str) -> None:
        with opened(store_url, LedgerOptions(quarantine_max=3)) as ledger:
            record(ledger, cdr(9))
            answers = record(ledger, *forged(5), key=WRONG_KEY)
            assert [type(answer) for answer in answers] == [Quarantined] * 5
            assert froms(waiting(ledger)) == [2, 3, 4]

    def test_that_a_signature_has_fitted_is_remembered_for_ever(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            record(ledger, cdr(9))
        with opened(store_url, LedgerOptions(quarantine_max=1)) as ledger:
            assert [type(answer) for answer in record(ledger, *forged(2), key=WRONG_KEY)] == [Quarantined] * 2

    def test_another_process_may_have_seen_a_signature_fit(self, store_url: str) -> None:
        with opened(store_url, LedgerOptions(quarantine_max=1)) as ledger, opened(store_url) as other:
            record(ledger, *forged(1), key=WRONG_KEY)
            record(other, cdr(9))
            assert isinstance(record(ledger, *forged(2), key=WRONG_KEY)[1], Quarantined)

    def test_a_broken_value_with_a_right_signature_shows_that_signatures_fit(self, store_url: str) -> None:
        with opened(store_url, LedgerOptions(quarantine_max=1)) as ledger:
            record(ledger, BROKEN)
            assert [type(answer) for answer in record(ledger, *forged(2), key=WRONG_KEY)] == [Quarantined] * 2

    def test_a_signature_that_was_not_checked_shows_nothing(self, store_url: str) -> None:
        with opened(store_url, formula="off") as ledger:
            record(ledger, cdr(9), formula="off")
        with opened(store_url, LedgerOptions(quarantine_max=1)) as ledger:
            assert [type(answer) for answer in record(ledger, *forged(2), key=WRONG_KEY)] == [Quarantined, Rejected]

    def test_a_flood_drops_no_broken_authentic_notice(self, store_url: str) -> None:
        with opened(store_url, LedgerOptions(quarantine_max=2)) as ledger:
            record(ledger, BROKEN)
            record(ledger, *forged(9, start=10), key=WRONG_KEY)
            assert froms(waiting(ledger)) == [1, 17, 18]

    def test_a_lowered_cap_holds_from_the_next_refusal_on(self, store_url: str) -> None:
        with opened(store_url, LedgerOptions(quarantine_max=9)) as ledger:
            record(ledger, cdr(99))
            record(ledger, *forged(9), key=WRONG_KEY)
        with opened(store_url, LedgerOptions(quarantine_max=3)) as ledger:
            record(ledger, *forged(1, start=9), key=WRONG_KEY)
            assert froms(waiting(ledger)) == [7, 8, 9]

    def test_an_entry_that_is_found_authentic_later_is_no_longer_dropped(self, store_url: str) -> None:
        terms = LedgerOptions(quarantine_max=2)
        with opened(store_url, terms, key="old") as ledger:
            record(ledger, BROKEN, key=KEY)
            record(ledger, cdr(9), key="old")
        with opened(store_url, terms, key=KEY) as ledger:
            (again,) = record(ledger, BROKEN, key=KEY)
            assert isinstance(again, Quarantined)
            assert again.problem == ParameterProblem(
                "srccharge", "1,5", again.problem.expected if again.problem else ""
            )
            record(ledger, *forged(5, start=10), key=WRONG_KEY)
            assert froms(waiting(ledger)) == [1, 13, 14]
            (entry, *_) = waiting(ledger)
        assert (entry.authentic, entry.reason, entry.times) == (True, again.reason, 2)

    def test_a_wrong_signature_never_hides_that_an_entry_was_authentic(self, store_url: str) -> None:
        with opened(store_url, key=KEY) as ledger:
            (first,) = record(ledger, BROKEN, key=KEY)
        with opened(store_url, key="other") as ledger:
            record(ledger, BROKEN, key=KEY)
            (entry,) = waiting(ledger)
        assert isinstance(first, Quarantined)
        assert (entry.authentic, entry.reason, entry.times) == (True, first.reason, 2)


class TestReprocessing:
    def test_after_the_key_is_mended_it_becomes_an_event_with_its_original_received_at(self, store_url: str) -> None:
        with opened(store_url, key="typo", clock=Clock(START + 10)) as ledger:
            record(ledger, ANSWERED)
        with opened(store_url, clock=Clock(START + 99)) as ledger:
            record(ledger, cdr(9))
            (entry,) = waiting(ledger)
            answer = ledger.reprocess(entry)
            assert answer == Recorded(2, call_id((TAG, SRC), 1))
            kept = notices(ledger)[1]
            assert (kept.received_at, kept.recorded_at, kept.source) == (START, START + 99, "reprocess")
            assert (kept.key, kept.rule) == (fingerprint(KEY), 5)
            assert waiting(ledger) == []
            (settled,) = ledger.store.quarantined(settled=True)
            assert settled == entry._replace(position=2)

    def test_reprocessed_again_or_come_again_it_is_a_duplicate(self, store_url: str) -> None:
        with opened(store_url, key="typo") as ledger:
            record(ledger, ANSWERED)
        with opened(store_url) as ledger:
            (entry,) = waiting(ledger)
            ledger.reprocess(entry)
            assert ledger.reprocess(entry) == Duplicate(1)
            assert record(ledger, ANSWERED) == [Duplicate(1)]
            assert ledger.head() == 1

    def test_one_that_came_again_and_was_recorded_settles_as_a_duplicate(self, store_url: str) -> None:
        with opened(store_url, key="typo") as ledger:
            record(ledger, ANSWERED)
        with opened(store_url) as ledger:
            record(ledger, cdr(9), ANSWERED)
            (entry,) = waiting(ledger)
            assert ledger.reprocess(entry) == Duplicate(2)
            assert waiting(ledger) == []
            assert ledger.store.quarantined_one(entry.id) == entry._replace(position=2)

    def test_while_its_cause_lasts_it_stays(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            record(ledger, BROKEN)
            record(ledger, ANSWERED, key=WRONG_KEY)
            broken, unauthentic = waiting(ledger)
            assert ledger.reprocess(unauthentic) == Quarantined(unauthentic.id, None, is_new=False)
            answer = ledger.reprocess(broken)
            assert isinstance(answer, Quarantined)
            assert answer.reason == broken.reason
            assert waiting(ledger) == [broken, unauthentic]
            assert ledger.head() == 0

    def test_one_whose_signature_fits_now_but_whose_value_is_broken_is_known_as_authentic_from_then_on(
        self,
        store_url: str,
    ) -> None:
        with opened(store_url, key="typo") as ledger:
            record(ledger, BROKEN, key=KEY)
        with opened(store_url, LedgerOptions(quarantine_max=1)) as ledger:
            (entry,) = waiting(ledger)
            answer = ledger.reprocess(entry)
            assert isinstance(answer, Quarantined)
            assert answer.problem
            record(ledger, cdr(9))
            record(ledger, *forged(3, start=10), key=WRONG_KEY)
            (kept, _) = waiting(ledger)
        assert (kept.id, kept.authentic, kept.reason) == (entry.id, True, answer.reason)

    def test_a_signature_that_fits_in_reprocessing_has_fitted(self, store_url: str) -> None:
        with opened(store_url, key="typo") as ledger:
            record(ledger, ANSWERED)
        with opened(store_url, LedgerOptions(quarantine_max=1)) as ledger:
            ledger.reprocess(waiting(ledger)[0])
            assert [type(answer) for answer in record(ledger, *forged(2), key=WRONG_KEY)] == [Quarantined] * 2

    def test_settled_entries_do_not_count_against_the_cap(self, store_url: str) -> None:
        with opened(store_url, key="typo") as ledger:
            record(ledger, ANSWERED)
        with opened(store_url, LedgerOptions(quarantine_max=1)) as ledger:
            ledger.reprocess(waiting(ledger)[0])
            record(ledger, *forged(1), key=WRONG_KEY)
            assert len(list(ledger.store.quarantined(settled=True))) == 2

    def test_an_entry_that_is_not_there_is_none(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            assert ledger.store.quarantined_one(1) is None


class TestTerms:
    def test_a_ledger_is_not_there_until_it_is_created(self, store_url: str) -> None:
        with pytest.raises(NoLedger, match=rf"there is no ledger at {re.escape(store_url)}: `tringledger"):
            Ledger(store_url)

    def test_a_new_ledger_has_the_default_terms(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            assert (ledger.correlation, ledger.timezone) == ("tag-src", "UTC")

    def test_its_terms_are_written_into_it_and_its_id_stays(self, store_url: str) -> None:
        with opened(store_url, LedgerOptions("tag", "Europe/Berlin")) as ledger:
            first = ledger.id
        with opened(store_url) as ledger:
            assert (ledger.correlation, ledger.timezone, ledger.id) == ("tag", "Europe/Berlin", first)
        with opened(store_url, LedgerOptions("tag", "Europe/Berlin")) as ledger:
            assert ledger.id == first

    @pytest.mark.parametrize(
        ("terms", "named"),
        [
            (LedgerOptions("tag-src"), "created with correlation tag, and the setting now says tag-src"),
            (LedgerOptions(timezone="UTC"), "created with timezone Europe/Berlin, and the setting now says UTC"),
            (
                LedgerOptions("tag", "Asia/Tokyo"),
                "created with timezone Europe/Berlin, and the setting now says Asia/Tokyo",
            ),
        ],
    )
    def test_a_setting_that_differs_later_is_refused_naming_both(
        self, store_url: str, terms: LedgerOptions, named: str
    ) -> None:
        with opened(store_url, LedgerOptions("tag", "Europe/Berlin")):
            pass
        with pytest.raises(LedgerSettingsMismatch, match=named):
            Ledger(store_url, options=terms)

    def test_an_unknown_correlation_or_time_zone_is_refused_before_anything_is_made(self, store_url: str) -> None:
        with pytest.raises(LedgerError, match="unknown correlation 'src'; expected tag-src or tag"):
            Ledger(store_url, options=LedgerOptions("src"), create=True)
        with pytest.raises(ValueError, match="'Mars' is not a time zone"):
            Ledger(store_url, options=LedgerOptions(timezone="Mars"), create=True)
        with pytest.raises(NoLedger):
            Ledger(store_url)

    @pytest.mark.parametrize("url", ["", "sqlite://", "sqlite:///", "postgres://x", "tringledger.db", "SQLITE:///x"])
    def test_an_address_that_names_no_store_is_refused_with_what_was_expected(self, url: str) -> None:
        with pytest.raises(LedgerError, match="is not known: expected sqlite:///PATH"):
            Ledger(url, create=True)

    def test_without_a_keyring_it_is_for_reading_only(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            record(ledger, ANSWERED)
        reader = Ledger(store_url)
        assert reader.head() == 1
        with pytest.raises(LedgerError, match="for reading only"):
            reader.verify_delivery(b"f=tm", START)
        reader.close()

    def test_the_environment_changes_nothing(self, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("PERSISTENCE_MODULE", "SQLITE_DBNAME", "COMPRESSOR_TOPIC", "CIPHER_TOPIC", "CREATE_TABLE"):
            monkeypatch.setenv(name, "nonsense")
        with opened(store_url) as ledger:
            record(ledger, ANSWERED)
            assert ledger.head() == 1


class TestSeveralKeys:
    def test_while_keys_rotate_both_fit_and_each_event_tells_which(self, store_url: str) -> None:
        ledger = Ledger(store_url, Keyring("md5-params", ["old", "new"]), create=True, clock=times.now)
        record(ledger, ANSWERED, key="old")
        record(ledger, callstatus("COMPLETED", 1), key="new")
        assert [notice.key for notice in notices(ledger)] == [fingerprint("old"), fingerprint("new")]
        ledger.close()

    def test_the_key_of_a_recorded_notification_is_the_models(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            delivery = ledger.verify_delivery(signed(ANSWERED.pairs).encode(), START)
            assert delivery.notification.key.hex() == model_wire.delivery_key(delivery.notification.pairs)


def row(notice: SentNotice, number: int) -> Delivery:
    """Return a row of a table, somebody vouching for it."""
    notification = Notification(query(notice.pairs), notice.at, notice.pairs)
    return vouched_delivery(notification, "import:cdrs.csv", Voucher("Ada", "the table of 2025", f"id={number}"))


class TestRowsWithoutASignatureForWhichSomebodyVouches:
    def test_two_equal_rows_stay_two_and_each_is_recorded_once(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            first, second, again = ledger.record([row(cdr(), number) for number in (1, 2, 1)])
        assert isinstance(first, Recorded)
        assert isinstance(second, Recorded)
        assert again == Duplicate(1)

    def test_a_row_is_not_the_same_as_the_notification_with_its_parameters(self, store_url: str) -> None:
        unsigned = cdr()
        with opened(store_url, formula="off") as ledger:
            record(ledger, unsigned, formula="off")
            assert isinstance(ledger.record([row(unsigned, 1)])[0], Recorded)

    def test_who_vouches_why_and_for_which_row_are_kept_for_ever(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            ledger.record([row(cdr(), 7)])
        with Ledger(store_url) as ledger:
            kept = ledger.notice_at(1)
        assert (kept.v, kept.formula, kept.key, kept.source) == (2, "unsigned", "", "import:cdrs.csv")
        assert kept.voucher == Voucher("Ada", "the table of 2025", "id=7")

    def test_a_notification_that_is_signed_keeps_the_shape_it_always_had(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            record(ledger, ANSWERED)
            state = everything(ledger)[0].state
        assert state.startswith(b'{"v":1,')
        assert b"voucher" not in state

    def test_a_row_shows_nothing_about_signatures_and_uses_up_no_r(self, store_url: str) -> None:
        with opened(store_url, terms=LedgerOptions(quarantine_max=1), formula="md5-r-key") as ledger:
            ledger.record([row(cdr(r="9"), 1)])
            assert isinstance(record(ledger, *forged(2), key=WRONG_KEY, formula="md5-r-key")[1], Rejected)
            record(ledger, cdr(1, r="9", p="other"), formula="md5-r-key")
            assert [each.nonce_reused for each in notices(ledger)] == [0, 0]

    def test_a_row_that_breaks_a_rule_of_values_is_refused_with_its_value(self, store_url: str) -> None:
        with opened(store_url), pytest.raises(InvalidValue, match="srccharge='1,5': expected a decimal"):
            row(BROKEN, 1)


class TestWhatAStoreKnowsOfDeliveryKeys:
    def test_a_store_tells_which_delivery_keys_it_has_and_where(self, store_url: str) -> None:
        many = [callstatus("RINGING", number) for number in range(2500)]
        with opened(store_url) as ledger:
            deliveries = [ledger.verify_delivery(signed(notice.pairs).encode(), notice.at) for notice in many]
            ledger.record(deliveries[1::2])
            keys = [delivery.key for delivery in deliveries]
            assert ledger.store.positions(keys) == {key: place for place, key in enumerate(keys[1::2], start=1)}
            assert ledger.store.positions([]) == {}

    def test_a_store_tells_which_delivery_keys_it_keeps_aside_settled_ones_too(self, store_url: str) -> None:
        forgeries = forged(3)
        with opened(store_url) as ledger:
            record(ledger, *forgeries[:2], key=WRONG_KEY)
        with opened(store_url, key=WRONG_KEY) as ledger:
            ledger.reprocess(waiting(ledger)[0])
            keys = [ledger.verify_delivery(signed(each.pairs, WRONG_KEY).encode(), each.at).key for each in forgeries]
            assert ledger.store.quarantined_keys(keys) == set(keys[:2])
