"""Which call a notice belongs to: the nine rules, each at its boundaries, on one line without a store (SPEC 6)."""

from collections.abc import Iterable

import pytest

from domain.calls.correlation import CallHead, CorrelationWindow, correlate
from domain.notices import call_notice
from domain.notices.line_number import LINE_RULE_2
from tests.support.notices import GRACE, MAX_AGE, SECOND, START, SentNotice, callstatus, cdr

OUTCOMES = ("COMPLETED", "DESTBUSY", "DESTNOTANSWERED", "DESTCONGESTED", "DESTNETWORKERROR")
FAILED_OPENINGS = ("SRCFAILED", "SRCNOTANSWERED")
OPENINGS = ("SRCANSWERED", *FAILED_OPENINGS)
SAY_NOTHING = (None, "", "USERDTMPINPUT", "USERDTMFINPUT", "RINGING", "SRCANSWERED")
PROGRESS = ("USERDTMPINPUT", "USERDTMFINPUT", "RINGING", None, "")
NEAR, NOT_NEAR, NOT_FAR, FAR = GRACE, GRACE + 1, MAX_AGE, MAX_AGE + 1
LONG_AGO = -10 * MAX_AGE
ANSWERED, COMPLETED = callstatus("SRCANSWERED"), callstatus("COMPLETED")


class Line:
    """The calls of one line as a list, in which every question is a scan of it."""

    def __init__(self, reach: CorrelationWindow) -> None:
        self._reach = reach
        self._heads: list[CallHead] = []

    def latest_begun(self, before: int) -> CallHead | None:
        begun = [head for head in self._heads if head.first_at <= before]
        return max(begun, key=lambda head: (head.first_at, head.ordinal), default=None)

    def overlapping(self, start: int, end: int) -> Iterable[CallHead]:
        return [head for head in self._heads if head.first_at <= end and head.last_at >= start]

    def hears(self, notice: SentNotice) -> tuple[int, int]:
        """Take the next notice; return the rule that placed it, and the ordinal of its call."""
        said = call_notice.read_call_notice(dict(notice.pairs), notice.at)
        rule, head = correlate(said, self, self._reach)
        if head is None:
            head = CallHead(len(self._heads) + 1, said.received_at, said.received_at)
            self._heads.append(head)
        head.apply(said)
        return rule, head.ordinal


def placed(*notices: SentNotice, reach: CorrelationWindow | None = None) -> list[tuple[int, int]]:
    """Return the rule and the ordinal that each notice gets, on a line that was silent before."""
    line = Line(reach or CorrelationWindow())
    return [line.hears(notice) for notice in notices]


def last(*notices: SentNotice, reach: CorrelationWindow | None = None) -> tuple[int, int]:
    """Return the rule and the ordinal that the last notice gets after the others."""
    return placed(*notices, reach=reach)[-1]


class TestGivenASilentLine:
    @pytest.mark.parametrize(
        ("notice", "rule"),
        [(cdr(), 4), (cdr(status="COMPLETED"), 4), (cdr(status="SRCANSWERED"), 4)]
        + [(callstatus(name), 7) for name in OPENINGS]
        + [(callstatus(name), 9) for name in (*OUTCOMES, *PROGRESS)],
    )
    def test_any_notice_opens_the_first_call(self, notice: SentNotice, rule: int) -> None:
        assert placed(notice) == [(rule, 1)]

    @pytest.mark.parametrize("name", ["COMPLETED", *SAY_NOTHING])
    def test_a_cdr_that_says_the_outcome_or_nothing_is_the_awaited_one(self, name: str | None) -> None:
        assert last(ANSWERED, COMPLETED, cdr(status=name)) == (1, 1)

    @pytest.mark.parametrize("name", ["DESTBUSY", *FAILED_OPENINGS])
    def test_a_cdr_that_says_otherwise_is_not_awaited_and_still_joins_the_latest_call(self, name: str) -> None:
        assert last(ANSWERED, COMPLETED, cdr(status=name)) == (3, 1)

    @pytest.mark.parametrize("name", ["COMPLETED", "DESTBUSY"])
    def test_of_two_outcomes_either_is_awaited(self, name: str) -> None:
        assert last(ANSWERED, COMPLETED, callstatus("DESTBUSY"), cdr(status=name)) == (1, 1)

    @pytest.mark.parametrize(("at", "rule"), [(NEAR, 1), (NOT_NEAR, 3), (-NEAR, 1), (NOT_FAR, 3)])
    def test_the_awaited_cdr_is_near(self, at: int, rule: int) -> None:
        assert last(ANSWERED, COMPLETED, cdr(at)) == (rule, 1)

    @pytest.mark.parametrize("at", [FAR, -NOT_NEAR, -FAR])
    def test_a_far_cdr_or_one_of_an_earlier_time_opens_a_call(self, at: int) -> None:
        assert last(ANSWERED, COMPLETED, cdr(at)) == (4, 2)

    def test_near_is_measured_from_the_end_of_the_span(self) -> None:
        assert last(ANSWERED, callstatus("COMPLETED", NOT_FAR), cdr(NOT_FAR + NEAR)) == (1, 1)
        assert last(ANSWERED, callstatus("COMPLETED", NOT_FAR), cdr(NOT_FAR // 2)) == (1, 1)

    def test_of_two_calls_that_await_it_the_lower_ordinal_gets_it_whichever_began_first(self) -> None:
        two = [callstatus("SRCANSWERED", NOT_NEAR), callstatus("COMPLETED", NOT_NEAR), ANSWERED, COMPLETED]
        expected = [(7, 1), (8, 1), (7, 2), (8, 2), (1, 1), (1, 2)]
        assert placed(*two, cdr(SECOND), cdr(SECOND, srccharge="1")) == expected

    def test_an_earlier_call_that_awaits_it_goes_before_the_latest_one(self) -> None:
        both = [ANSWERED, COMPLETED, callstatus("SRCANSWERED", SECOND)]
        assert placed(*both, cdr(2 * SECOND)) == [(7, 1), (8, 1), (7, 2), (1, 1)]

    @pytest.mark.parametrize("notices", [[ANSWERED], [COMPLETED], [ANSWERED, callstatus("USERDTMPINPUT")]])
    def test_a_call_without_answer_or_without_outcome_awaits_nothing_yet(self, notices: list[SentNotice]) -> None:
        assert last(*notices, cdr(status="COMPLETED")) == (3, 1)


AMOUNTS = {"srcduration": "60", "destduration": "50", "srccharge": "1.5", "destsipcharge": "0"}


class TestGivenACallThatFailedAtTheSource:
    @pytest.mark.parametrize("name", FAILED_OPENINGS)
    def test_a_failed_call_awaits_a_cdr_of_just_its_status(self, name: str) -> None:
        assert last(callstatus(name), cdr(NEAR, name)) == (1, 1)

    @pytest.mark.parametrize("name", [*SAY_NOTHING, "SRCNOTANSWERED"])
    def test_another_cdr_that_is_no_outcome_joins_it_while_near(self, name: str | None) -> None:
        assert last(callstatus("SRCFAILED"), cdr(NEAR, name)) == (3, 1)
        assert last(callstatus("SRCFAILED"), cdr(NOT_NEAR, name)) == (4, 2)

    @pytest.mark.parametrize("name", OUTCOMES)
    def test_a_cdr_with_an_outcome_never_joins_it(self, name: str) -> None:
        assert last(callstatus("SRCFAILED"), cdr(status=name)) == (4, 2)

    @pytest.mark.parametrize("name", OUTCOMES)
    def test_an_outcome_notice_never_joins_it(self, name: str) -> None:
        assert last(callstatus("SRCFAILED"), callstatus(name)) == (9, 2)

    @pytest.mark.parametrize("name", PROGRESS)
    def test_an_input_or_unknown_status_joins_it_while_near(self, name: str | None) -> None:
        assert last(callstatus("SRCFAILED"), callstatus(name, NEAR)) == (8, 1)
        assert last(callstatus("SRCFAILED"), callstatus(name, NOT_NEAR)) == (9, 2)

    @pytest.mark.parametrize("name", OPENINGS)
    def test_another_opening_opens_the_next_call(self, name: str) -> None:
        assert last(callstatus("SRCFAILED"), callstatus(name, 1)) == (7, 2)

    @pytest.mark.parametrize("name", [None, *OUTCOMES, *FAILED_OPENINGS])
    def test_a_cdr_of_the_same_numbers_is_repeated_whatever_its_status(self, name: str | None) -> None:
        assert last(cdr(**AMOUNTS), cdr(1, name, **AMOUNTS)) == (2, 1)

    def test_numbers_are_compared_as_numbers_and_an_empty_one_is_absent(self) -> None:
        spelt = {
            "srcduration": "060",
            "destduration": "50",
            "srccharge": "01.500",
            "destsipcharge": "0.0",
            "destcharge": "",
        }
        assert last(cdr(**AMOUNTS), cdr(1, **spelt)) == (2, 1)

    @pytest.mark.parametrize("name", AMOUNTS)
    def test_a_cdr_that_differs_in_one_number_is_another_calls(self, name: str) -> None:
        assert last(cdr(**AMOUNTS), cdr(1, **AMOUNTS | {name: "2"})) == (4, 2)

    @pytest.mark.parametrize("name", [*AMOUNTS, "destcharge", "srcsipcharge"])
    def test_absent_equals_absent_only_and_never_nought(self, name: str) -> None:
        without = {key: value for key, value in AMOUNTS.items() if key != name}
        assert last(cdr(**without | {name: "0"}), cdr(1, **without)) == (4, 2)

    @pytest.mark.parametrize(
        ("at", "expected"), [(NEAR, (2, 1)), (NOT_NEAR, (4, 2)), (-NEAR, (2, 1)), (-NOT_NEAR, (4, 2))]
    )
    def test_a_repeated_cdr_is_near(self, at: int, expected: tuple[int, int]) -> None:
        assert last(cdr(**AMOUNTS), cdr(at, **AMOUNTS)) == expected

    def test_a_repeated_cdr_repeats_the_lowest_of_several_calls_that_it_equals(self) -> None:
        assert placed(cdr(**AMOUNTS), cdr(NOT_NEAR, **AMOUNTS), cdr(SECOND, **AMOUNTS)) == [(4, 1), (4, 2), (2, 1)]

    def test_a_call_that_awaits_it_goes_before_one_that_it_repeats(self) -> None:
        assert last(ANSWERED, cdr(**AMOUNTS), callstatus("SRCFAILED", 1), cdr(2, "SRCFAILED", **AMOUNTS)) == (1, 2)

    def test_one_that_it_repeats_goes_before_the_latest_call_that_lacks_its_cdr(self) -> None:
        assert last(ANSWERED, cdr(**AMOUNTS), callstatus("SRCANSWERED", 1), cdr(2, **AMOUNTS)) == (2, 1)

    def test_a_repetition_stretches_the_span_of_its_call(self) -> None:
        assert last(cdr(**AMOUNTS), cdr(NEAR, **AMOUNTS), cdr(2 * NEAR, **AMOUNTS)) == (2, 1)


class TestGivenACallInProgressWithoutACDRRule3:
    @pytest.mark.parametrize(
        "notices", [[ANSWERED], [COMPLETED], [callstatus("RINGING")], [ANSWERED, callstatus("DESTBUSY")]]
    )
    @pytest.mark.parametrize(("at", "expected"), [(NOT_FAR, (3, 1)), (FAR, (4, 2))])
    def test_any_cdr_joins_the_latest_call_unless_far(
        self, notices: list[SentNotice], at: int, expected: tuple[int, int]
    ) -> None:
        assert last(*notices, cdr(at, "COMPLETED")) == expected

    def test_only_the_latest_call_is_asked(self) -> None:
        assert last(
            ANSWERED, callstatus("SRCANSWERED", NOT_NEAR), cdr(NOT_NEAR + 1), cdr(NOT_NEAR + 2, srccharge="1")
        ) == (
            4,
            3,
        )


class TestGivenACallWithoutAnOpeningRule5:
    @pytest.mark.parametrize(
        "first", [COMPLETED, callstatus("USERDTMPINPUT"), callstatus("RINGING"), cdr(), cdr(status="COMPLETED")]
    )
    @pytest.mark.parametrize(
        ("at", "expected"), [(NEAR, (5, 1)), (-NEAR, (5, 1)), (NOT_NEAR, (7, 2)), (-NOT_NEAR, (7, 2))]
    )
    def test_a_late_answer_joins_it_while_near(self, first: SentNotice, at: int, expected: tuple[int, int]) -> None:
        assert last(first, callstatus("SRCANSWERED", at)) == expected

    @pytest.mark.parametrize("name", FAILED_OPENINGS)
    @pytest.mark.parametrize("first", [COMPLETED, callstatus("DESTBUSY"), cdr(status="COMPLETED")])
    def test_a_failed_opening_does_not_join_what_has_an_outcome(self, name: str, first: SentNotice) -> None:
        assert last(first, callstatus(name, 1)) == (7, 2)

    @pytest.mark.parametrize("name", FAILED_OPENINGS)
    @pytest.mark.parametrize(
        "first", [callstatus("RINGING"), cdr(), cdr(status="SRCFAILED"), cdr(status="SRCANSWERED")]
    )
    def test_a_failed_opening_joins_what_has_none(self, name: str, first: SentNotice) -> None:
        assert last(first, callstatus(name, 1)) == (5, 1)


class TestGivenAnAnsweredCallRules6And7:
    @pytest.mark.parametrize(("at", "expected"), [(NEAR, (6, 1)), (-NEAR, (6, 1)), (NOT_NEAR, (7, 2))])
    def test_a_second_answer_is_the_first_one_again_while_near(self, at: int, expected: tuple[int, int]) -> None:
        assert last(ANSWERED, callstatus("SRCANSWERED", at)) == expected

    @pytest.mark.parametrize("between", [callstatus("COMPLETED", 1), cdr(1)])
    def test_after_an_outcome_or_a_cdr_a_second_answer_opens_the_next_call(self, between: SentNotice) -> None:
        assert last(ANSWERED, between, callstatus("SRCANSWERED", 2)) == (7, 2)

    def test_after_an_input_it_is_still_the_first_one_again(self) -> None:
        assert last(ANSWERED, callstatus("USERDTMPINPUT", 1), callstatus("SRCANSWERED", 2)) == (6, 1)

    @pytest.mark.parametrize("name", FAILED_OPENINGS)
    def test_a_failed_opening_opens_the_next_call(self, name: str) -> None:
        assert last(ANSWERED, callstatus(name, 1)) == (7, 2)


class TestOutcomesInputsAndUnknownStatusesRules8And9:
    @pytest.mark.parametrize("name", [*OUTCOMES, *PROGRESS])
    @pytest.mark.parametrize(
        ("at", "expected"), [(NOT_FAR, (8, 1)), (FAR, (9, 2)), (-NEAR, (8, 1)), (-NOT_NEAR, (9, 2))]
    )
    def test_they_join_a_call_without_its_cdr_unless_far(
        self, name: str | None, at: int, expected: tuple[int, int]
    ) -> None:
        assert last(ANSWERED, callstatus(name, at)) == expected

    @pytest.mark.parametrize("name", [*OUTCOMES, *PROGRESS])
    @pytest.mark.parametrize(("at", "expected"), [(NEAR, (8, 1)), (NOT_NEAR, (9, 2))])
    def test_they_join_a_call_with_its_cdr_only_while_near(
        self, name: str | None, at: int, expected: tuple[int, int]
    ) -> None:
        assert last(ANSWERED, cdr(0, srcduration="1"), callstatus(name, at)) == expected


class TestTheCallThatBeganLast:
    def test_a_call_that_begins_later_than_grace_after_the_notice_is_not_its_own(self) -> None:
        assert last(
            callstatus("SRCANSWERED", LONG_AGO), callstatus("SRCANSWERED", NOT_NEAR), callstatus("COMPLETED")
        ) == (
            9,
            3,
        )
        assert last(
            callstatus("SRCANSWERED", -SECOND), callstatus("SRCANSWERED", NOT_NEAR), callstatus("COMPLETED")
        ) == (
            8,
            1,
        )
        assert last(callstatus("SRCANSWERED", -SECOND), callstatus("SRCANSWERED", NEAR), callstatus("COMPLETED")) == (
            8,
            2,
        )

    def test_of_two_calls_that_began_together_the_higher_ordinal_is_the_last(self) -> None:
        assert last(callstatus("SRCFAILED"), callstatus("SRCNOTANSWERED"), callstatus("RINGING")) == (8, 2)

    def test_an_old_notice_recorded_late_finds_the_calls_of_its_own_time(self) -> None:
        earlier = [callstatus("SRCANSWERED", LONG_AGO), callstatus("SRCANSWERED")]
        assert last(*earlier, cdr(LONG_AGO + SECOND)) == (3, 1)
        assert last(*earlier, callstatus("SRCFAILED", LONG_AGO - NOT_NEAR)) == (7, 3)

    def test_an_earlier_notice_moves_the_beginning_of_its_call(self) -> None:
        moved = [callstatus("SRCFAILED", 10), callstatus("SRCFAILED", 20), callstatus("RINGING", 5)]
        assert placed(*moved, callstatus("RINGING", 30)) == [(7, 1), (7, 2), (8, 2), (8, 1)]


class TestOtherReaches:
    def test_grace_and_max_age_are_settings(self) -> None:
        reach = CorrelationWindow(grace=SECOND, max_age=2 * SECOND)
        assert last(ANSWERED, callstatus("SRCANSWERED", SECOND), reach=reach) == (6, 1)
        assert last(ANSWERED, callstatus("SRCANSWERED", SECOND + 1), reach=reach) == (7, 2)
        assert last(ANSWERED, callstatus("COMPLETED", 2 * SECOND), reach=reach) == (8, 1)
        assert last(ANSWERED, callstatus("COMPLETED", 2 * SECOND + 1), reach=reach) == (9, 2)

    def test_the_default_grace_is_300_seconds_and_the_default_max_age_a_day(self) -> None:
        assert CorrelationWindow() == CorrelationWindow(grace=300 * SECOND, max_age=24 * 3600 * SECOND)


class TestLines:
    @pytest.mark.parametrize(("by", "line"), [("tag-src", ("sales", "18585550001")), ("tag", ("sales", None))])
    def test_the_line_is_tag_and_number_or_the_tag_alone(self, by: str, line: tuple[str, str | None]) -> None:
        notice = callstatus("SRCANSWERED", src="+1 (858) 555-0001")
        assert call_notice.read_call_notice(dict(notice.pairs), START).line(by, LINE_RULE_2) == line

    def test_a_missing_tag_or_number_is_an_empty_one(self) -> None:
        notice = callstatus("SRCANSWERED", tag=None, src=None)
        assert call_notice.read_call_notice(dict(notice.pairs), START).line("tag-src", LINE_RULE_2) == ("", "")

    @pytest.mark.parametrize(("at", "distance"), [(9, 1), (0, 10), (10, 0), (15, 0), (20, 0), (21, 1), (50, 30)])
    def test_the_distance_of_a_call_is_0_in_its_span_and_else_that_to_its_nearer_end(
        self, at: int, distance: int
    ) -> None:
        assert CallHead(1, 10, 20).distance(at) == distance

    def test_a_call_counts_its_events_and_spans_them(self) -> None:
        head = CallHead(1, START, START)
        for at in (5, -3, 9):
            notice = callstatus("RINGING", at)
            head.apply(call_notice.read_call_notice(dict(notice.pairs), notice.at))
        assert (head.events, head.first_at, head.last_at) == (3, START - 3, START + 9)
