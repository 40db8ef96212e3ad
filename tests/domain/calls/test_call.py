"""The call: what its notices amount to, whatever their order (SPEC 5, 7)."""

import itertools

import msgspec
import pytest

from domain.calls import call as calls
from domain.calls.call import Call, CallFlag, Cdr
from domain.events.notice_events import Notice
from domain.notices.call_notice import NO_CHARGES, Charges, read_call_notice
from domain.notices.statuses import DISPOSITIONS
from tests.support.notices import SECOND, START, SentNotice, callstatus, cdr

OUTCOMES = {
    "COMPLETED": "ANSWERED",
    "DESTBUSY": "BUSY",
    "DESTNOTANSWERED": "NO ANSWER",
    "DESTCONGESTED": "CONGESTION",
    "DESTNETWORKERROR": "FAILED",
}
FAILED_OPENINGS = {"SRCFAILED": "FAILED", "SRCNOTANSWERED": "NO ANSWER"}
SAY_NOTHING = (None, "", "USERDTMPINPUT", "USERDTMFINPUT", "RINGING", "completed")
ANSWERED = callstatus("SRCANSWERED")


def given(*notices: SentNotice) -> Call:
    """Return the call that these notices are, recorded at positions 1, 2, 3 ..."""
    events = [
        Notice(1, sent.at, sent.at, "callback", "off", "", sent.pairs, ("sales", "18585550001"), 1) for sent in notices
    ]
    call = calls.new_call("the-call", events[0])
    for position, event in enumerate(events, start=1):
        call.apply(position, event)
    return call


def flags(*notices: SentNotice) -> str:
    """Return the flags of the call that these notices are."""
    return given(*notices).flags


def told(call: Call) -> tuple[str, str, str]:
    """Return a call's state, deciding status and disposition."""
    return call.state, call.status, call.disposition


class TestGivenAnOpeningNotice:
    def test_an_answered_source_is_in_progress(self) -> None:
        assert told(given(ANSWERED)) == ("in-progress", "SRCANSWERED", "")

    @pytest.mark.parametrize("name", FAILED_OPENINGS)
    def test_a_failed_source_is_the_end(self, name: str) -> None:
        assert told(given(callstatus(name))) == ("ended", name, FAILED_OPENINGS[name])

    @pytest.mark.parametrize("name", OUTCOMES)
    def test_an_outcome_ends_and_decides(self, name: str) -> None:
        assert told(given(ANSWERED, callstatus(name, SECOND))) == ("ended", name, OUTCOMES[name])

    @pytest.mark.parametrize("name", SAY_NOTHING)
    def test_an_input_or_unknown_status_changes_nothing(self, name: str | None) -> None:
        assert told(given(ANSWERED, callstatus(name, SECOND))) == ("in-progress", "SRCANSWERED", "")

    @pytest.mark.parametrize("name", OUTCOMES)
    def test_the_status_of_the_cdr_decides_where_it_is_an_outcome(self, name: str) -> None:
        assert told(given(ANSWERED, cdr(SECOND, name))) == ("ended", name, OUTCOMES[name])

    @pytest.mark.parametrize("name", FAILED_OPENINGS)
    def test_the_status_of_the_cdr_decides_where_it_is_a_failed_opening(self, name: str) -> None:
        assert told(given(ANSWERED, cdr(SECOND, name))) == ("ended", name, FAILED_OPENINGS[name])

    @pytest.mark.parametrize("name", [*SAY_NOTHING, "SRCANSWERED"])
    @pytest.mark.parametrize(
        ("seconds", "disposition"),
        [("1", "ANSWERED"), ("0", "UNKNOWN"), ("000", "UNKNOWN"), ("", "UNKNOWN"), (None, "UNKNOWN")],
    )
    def test_where_no_status_decides_the_destinations_seconds_do(
        self, name: str | None, seconds: str | None, disposition: str
    ) -> None:
        call = given(ANSWERED, cdr(SECOND, name, destduration=seconds, srcduration="60"))
        assert told(call) == ("ended", "SRCANSWERED", disposition)

    @pytest.mark.parametrize("name", FAILED_OPENINGS)
    def test_a_failed_opening_decides_even_if_the_cdr_has_seconds(self, name: str) -> None:
        assert told(given(callstatus(name), cdr(SECOND, destduration="60"))) == ("ended", name, FAILED_OPENINGS[name])


class TestGivenNoOpeningNotice:
    def test_a_lone_input_is_in_progress_without_status(self) -> None:
        call = given(callstatus("USERDTMPINPUT", p="12"))
        assert told(call) == ("in-progress", "", "")
        assert call.flags == "missing-opening"

    def test_a_lone_cdr_without_status_is_answered_if_the_destination_spoke(self) -> None:
        assert told(given(cdr(destduration="5"))) == ("ended", "", "ANSWERED")
        assert told(given(cdr())) == ("ended", "", "UNKNOWN")

    def test_a_cdr_whose_status_is_srcanswered_is_no_opening_notice(self) -> None:
        call = given(cdr(status="SRCANSWERED", destduration="5"))
        assert told(call) == ("ended", "", "ANSWERED")
        assert (call.flags, call.answered_at) == ("missing-opening", None)

    def test_the_flag_goes_when_the_opening_arrives(self) -> None:
        assert flags(callstatus("COMPLETED", SECOND)) == "missing-opening"
        assert flags(callstatus("COMPLETED", SECOND), ANSWERED) == ""

    def test_the_flag_rests_on_the_event_that_was_recorded_first(self) -> None:
        (finding,) = given(callstatus("COMPLETED", SECOND), cdr(0, srccharge="1")).call_flags
        assert (finding.flag, finding.position, finding.received_at) == ("missing-opening", 1, START + SECOND)
        assert finding.charges == (None, None, 1_000_000, None, None, None)


class TestGivenOutcomesThatDiffer:
    @pytest.mark.parametrize(("one", "other"), [*itertools.permutations(OUTCOMES, 2)])
    def test_of_two_outcome_notices_the_one_that_stands_first_in_the_list_decides(self, one: str, other: str) -> None:
        call = given(ANSWERED, callstatus(one, SECOND), callstatus(other, 2 * SECOND))
        first = min(one, other, key=list(OUTCOMES).index)
        assert told(call) == ("ended", first, OUTCOMES[first])
        assert [(finding.flag, finding.position) for finding in call.call_flags] == [("contradictory-outcome", 3)]

    @pytest.mark.parametrize(("notice", "record"), [*itertools.permutations(OUTCOMES, 2)])
    def test_the_outcome_of_the_cdr_goes_before_that_of_a_notice(self, notice: str, record: str) -> None:
        call = given(ANSWERED, callstatus(notice, SECOND), cdr(2 * SECOND, record))
        assert told(call) == ("ended", record, OUTCOMES[record])
        assert call.flags == "contradictory-outcome"

    @pytest.mark.parametrize("name", FAILED_OPENINGS)
    @pytest.mark.parametrize("outcome", OUTCOMES)
    def test_an_outcome_notice_goes_before_a_cdr_that_failed_at_the_source(self, name: str, outcome: str) -> None:
        call = given(callstatus(outcome), cdr(SECOND, name))
        assert told(call) == ("ended", outcome, OUTCOMES[outcome])
        assert call.flags == "contradictory-outcome;missing-opening"

    @pytest.mark.parametrize("name", FAILED_OPENINGS)
    def test_a_cdr_that_failed_at_the_source_contradicts_an_answered_source(self, name: str) -> None:
        assert flags(ANSWERED, cdr(SECOND, name)) == "contradictory-outcome"
        assert flags(callstatus(name), cdr(SECOND, name)) == ""

    @pytest.mark.parametrize(("opening", "record"), [*itertools.permutations(FAILED_OPENINGS)])
    def test_two_failed_openings_that_differ_contradict_nothing(self, opening: str, record: str) -> None:
        call = given(callstatus(opening), cdr(SECOND, record))
        assert told(call) == ("ended", record, FAILED_OPENINGS[record])
        assert call.flags == ""

    def test_the_contradiction_rests_on_the_event_that_brought_it_and_names_the_calls_money(self) -> None:
        call = given(cdr(0, "COMPLETED", srccharge="1"), callstatus("DESTBUSY", SECOND), callstatus("DESTCONGESTED", 2))
        finding = next(found for found in call.call_flags if found.flag == "contradictory-outcome")
        assert (finding.position, finding.received_at) == (2, START + SECOND)
        assert finding.charges == (None, None, 1_000_000, None, None, None)


class TestGivenRepetition:
    def test_a_repeated_cdr_counts_for_nothing_but_its_flag(self) -> None:
        own = [ANSWERED, cdr(SECOND, "COMPLETED", srccharge="2")]
        call = given(*own, cdr(2 * SECOND, "SRCFAILED", srccharge="2"))
        assert told(call) == told(given(*own))
        assert call.cdr == given(*own).cdr
        assert call.ended_at == START + SECOND
        (finding,) = call.call_flags
        assert (finding.flag, finding.position, finding.charges) == ("repeated-cdr", 3, call.cdr and call.cdr.charges)

    def test_a_repeated_cdr_that_was_received_earlier_moves_no_end(self) -> None:
        call = given(ANSWERED, cdr(9 * SECOND), cdr(3 * SECOND))
        assert (call.ended_at, call.cdr and call.cdr.received_at) == (START + 9 * SECOND, START + 9 * SECOND)

    def test_an_outcome_said_again_is_a_repeated_status(self) -> None:
        assert flags(ANSWERED, callstatus("COMPLETED", 1), callstatus("COMPLETED", 2)) == "repeated-status"
        assert flags(ANSWERED, callstatus("COMPLETED", 1), cdr(2, "COMPLETED")) == ""

    def test_an_answer_said_again_is_a_repeated_status(self) -> None:
        assert flags(ANSWERED, callstatus("SRCANSWERED", 1)) == "repeated-status"

    def test_an_input_said_again_is_none(self) -> None:
        assert flags(ANSWERED, callstatus("USERDTMPINPUT", 1, p="1"), callstatus("USERDTMPINPUT", 2, p="1")) == ""

    def test_each_repetition_is_a_finding_of_its_own(self) -> None:
        call = given(ANSWERED, *[callstatus("COMPLETED", at) for at in (1, 2, 3)])
        assert [(finding.flag, finding.position) for finding in call.call_flags] == [
            ("repeated-status", 3),
            ("repeated-status", 4),
        ]
        assert call.flags == "repeated-status"


class TestGivenStatusesOutsideTheTable:
    @pytest.mark.parametrize("name", [None, "", "RINGING", "completed", "COMPLETED "])
    def test_a_callstatus_of_no_known_status_is_flagged(self, name: str | None) -> None:
        assert flags(ANSWERED, callstatus(name, 1)) == "unrecognised-status"

    @pytest.mark.parametrize(("name", "expected"), [(None, ""), ("", ""), ("RINGING", "unrecognised-status")])
    def test_a_cdr_without_status_is_in_order_and_one_of_an_unknown_status_is_flagged(
        self, name: str | None, expected: str
    ) -> None:
        assert flags(ANSWERED, cdr(1, name)) == expected

    @pytest.mark.parametrize("name", ["USERDTMPINPUT", "USERDTMFINPUT", "SRCANSWERED"])
    def test_a_cdr_may_carry_any_status_of_the_table(self, name: str) -> None:
        assert flags(ANSWERED, cdr(1, name)) == ""


CHARGED = {"srcduration": "60", "destduration": "50", "srccharge": "1.5", "destcharge": "2"}


def raised(*notices: SentNotice, nonce_reused: int = 0) -> list[CallFlag]:
    """Return the flags of the call that these notices are; ``nonce_reused`` is said of the last one."""
    events = [
        Notice(1, sent.at, sent.at, "callback", "off", "", sent.pairs, ("sales", "18585550001"), 1) for sent in notices
    ]
    events[-1] = msgspec.structs.replace(events[-1], nonce_reused=nonce_reused)
    call = calls.new_call("the-call", events[0])
    for position, event in enumerate(events, start=11):
        call.apply(position, event)
    return call.call_flags


def charges(notice: SentNotice) -> Charges | None:
    return read_call_notice(dict(notice.pairs), notice.at).charges


class TestTimesDigitsAndWhatWasSeen:
    def test_times_follow_received_at_and_not_the_order_of_recording(self) -> None:
        call = given(
            cdr(30), callstatus("COMPLETED", 20), callstatus("SRCANSWERED", 10), callstatus("USERDTMPINPUT", 40, p="1")
        )
        assert (call.head.first_at, call.head.last_at) == (START + 10, START + 40)
        assert (call.answered_at, call.ended_at, call.cdr and call.cdr.received_at) == (
            START + 10,
            START + 20,
            START + 30,
        )

    def test_of_two_answers_and_two_outcomes_the_earliest_counts(self) -> None:
        call = given(*[callstatus(name, at) for name in ("SRCANSWERED", "DESTBUSY") for at in (20, 10)])
        assert (call.answered_at, call.ended_at) == (START + 10, START + 10)

    def test_digits_of_both_spellings_are_joined_in_the_order_of_their_receipt_then_of_their_position(self) -> None:
        inputs = [
            ("USERDTMFINPUT", 30, "3"),
            ("USERDTMPINPUT", 10, "1*"),
            ("USERDTMPINPUT", 30, "#"),
            ("RINGING", 15, "9"),
        ]
        assert given(ANSWERED, *[callstatus(name, at, p=p) for name, at, p in inputs]).digits == "1*3#"

    def test_the_p_of_a_cdr_or_an_outcome_is_no_digits(self) -> None:
        assert given(cdr(1, "USERDTMPINPUT", p="5"), callstatus("COMPLETED", 2, p="6")).digits == ""

    def test_the_statuses_seen_are_all_that_were_said(self) -> None:
        call = given(ANSWERED, callstatus("RINGING", 1), callstatus(None, 2), cdr(3, "DESTBUSY"), cdr(4, "COMPLETED"))
        assert call.statuses == {"SRCANSWERED", "RINGING", "DESTBUSY", "COMPLETED"}

    def test_the_cdr_keeps_its_numbers_exactly_and_empty_ones_as_absent(self) -> None:
        amounts = {
            "srcduration": "060",
            "destduration": "",
            "srccharge": "01.50",
            "destcharge": "0",
            "srcsipcharge": "49.2",
        }
        call = given(cdr(**amounts))
        assert call.cdr
        assert call.cdr.charges == (60, None, 1_500_000, 0, 49_200_000, None)

    def test_the_number_of_a_cdr_is_as_delivered(self) -> None:
        call = given(cdr(src="+1 (858) 555-0001"))
        assert call.cdr
        assert call.cdr.src == "+1 (858) 555-0001"

    @pytest.mark.parametrize("position", [0, 7])
    def test_a_reused_nonce_is_flagged_where_the_event_says_so(self, position: int) -> None:
        notice = Notice(1, 1, 1, "callback", "md5-r-key", "", ANSWERED.pairs, ("a", "b"), 1, 5, position)
        call = calls.new_call("the-call", notice)
        call.apply(9, notice)
        assert call.flags == ("nonce-reused" if position else "")

    def test_every_status_that_ends_has_its_disposition(self) -> None:
        assert DISPOSITIONS == OUTCOMES | FAILED_OPENINGS

    def test_a_repeated_cdr_puts_its_own_charges_at_stake(self) -> None:
        other = cdr(2 * SECOND, **(CHARGED | {"destcharge": "3"}))
        assert raised(ANSWERED, cdr(SECOND, **CHARGED), other) == [
            CallFlag("repeated-cdr", 13, START + 2 * SECOND, charges(other))
        ]

    @pytest.mark.parametrize("name", ["SRCANSWERED", "COMPLETED"])
    def test_a_repeated_status_puts_nothing_at_stake(self, name: str) -> None:
        again = callstatus(name, 3 * SECOND)
        assert raised(ANSWERED, callstatus("COMPLETED", SECOND), again) == [
            CallFlag("repeated-status", 13, START + 3 * SECOND, None)
        ]

    def test_an_unrecognised_status_puts_the_charges_of_its_cdr_at_stake(self) -> None:
        unknown = cdr(SECOND, "RINGING", **CHARGED)
        assert raised(ANSWERED, unknown) == [CallFlag("unrecognised-status", 12, START + SECOND, charges(unknown))]
        assert raised(ANSWERED, callstatus("RINGING", SECOND)) == [
            CallFlag("unrecognised-status", 12, START + SECOND, None)
        ]

    def test_a_nonce_used_again_puts_the_charges_of_its_cdr_at_stake(self) -> None:
        last = cdr(SECOND, **CHARGED)
        assert raised(ANSWERED, last, nonce_reused=7) == [CallFlag("nonce-reused", 12, START + SECOND, charges(last))]

    @pytest.mark.parametrize("name", ["srccharge", "destcharge", "srcsipcharge", "destsipcharge"])
    def test_a_charge_that_was_rounded_is_flagged_on_a_cdr_alone_with_nothing_at_stake(self, name: str) -> None:
        finer = CHARGED | {name: "0.00000049"}
        assert raised(ANSWERED, cdr(SECOND, **finer)) == [CallFlag("rounded-charge", 12, START + SECOND, None)]
        assert raised(ANSWERED, callstatus("COMPLETED", SECOND, **finer)) == []
        assert raised(ANSWERED, cdr(SECOND, **(CHARGED | {name: "0.00015000"}))) == []

    def test_a_contradiction_and_a_missing_opening_put_the_calls_own_charges_at_stake(self) -> None:
        own = cdr(SECOND, "COMPLETED", **CHARGED)
        assert raised(callstatus("DESTBUSY"), own) == [
            CallFlag("contradictory-outcome", 12, START + SECOND, charges(own)),
            CallFlag("missing-opening", 11, START, charges(own)),
        ]


class TestTimesAndWhatTheCallKeepsOfItsCDR:
    def test_the_first_answer_and_the_first_end_count_in_whatever_order_they_come(self) -> None:
        late, early = callstatus("SRCANSWERED", 9 * SECOND), callstatus("SRCANSWERED", 4 * SECOND)
        for notices in ((late, early), (early, late)):
            assert given(*notices).answered_at == START + 4 * SECOND
        late, early = callstatus("COMPLETED", 9 * SECOND), callstatus("DESTBUSY", 4 * SECOND)
        for notices in ((late, early), (early, late)):
            assert given(ANSWERED, *notices).ended_at == START + 4 * SECOND
        assert given(ANSWERED, cdr(5 * SECOND), cdr(3 * SECOND)).ended_at == START + 5 * SECOND

    def test_the_cdr_is_kept_with_its_position_time_number_status_and_charges(self) -> None:
        own = cdr(SECOND, "COMPLETED", src="+1 858 555 0001", **CHARGED)
        assert given(ANSWERED, own, cdr(2 * SECOND)).cdr == Cdr(
            2, START + SECOND, "+1 858 555 0001", "COMPLETED", charges(own) or NO_CHARGES
        )
        nameless = given(cdr(SECOND, src=None)).cdr
        assert nameless
        assert nameless.src == ""

    def test_a_new_call_has_the_line_ordinal_and_moment_of_its_first_notice(self) -> None:
        notice = Notice(1, START, START + 7, "callback", "off", "", ANSWERED.pairs, ("sales", "18585550001"), 3)
        call = calls.new_call("the-call", notice)
        assert (call.id, call.line, call.ordinal) == ("the-call", ("sales", "18585550001"), 3)
        assert (call.head.ordinal, call.head.first_at, call.head.last_at) == (3, START, START)

    @pytest.mark.parametrize(
        ("params", "recognised", "nonce_reused", "expected"),
        [
            ([("type", "fax")], False, 0, ["unrecognised-type"]),
            ([("type", "voicemail")], True, 0, []),
            ([("status", "RINGING")], True, 0, ["unrecognised-status"]),
            ([("status", "COMPLETED")], True, 0, []),
            ([("status", "")], True, 7, ["nonce-reused"]),
            ([("status", "RINGING")], False, 7, ["unrecognised-type", "unrecognised-status", "nonce-reused"]),
        ],
    )
    def test_a_notice_of_no_call_has_flags_of_its_own(
        self, params: list[tuple[str, str]], expected: list[str], *, recognised: bool, nonce_reused: int
    ) -> None:
        notice = Notice(1, START, START, "callback", "off", "", params, nonce_reused=nonce_reused)
        assert calls.flags_without_call(notice, recognised=recognised) == expected
