"""``tringledger history``: a call by its id or line, event by event, as it is or as it was."""

import re
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import pytest

from domain import times
from tests.support.command import run
from tests.support.ledger_inspection import NOON, call_id, head
from tests.support.notices import callstatus, line, priced_cdr, signed

# test_reading_postgres compares what this command says of one log on both kinds of store.

DONE, FINDING, USAGE = 0, 1, 2


class TestHistory:
    """A call of three notices, recorded in three imports, and one of another line."""

    @pytest.fixture(autouse=True)
    def imported(self, store: str) -> None:
        for pairs, second in (
            (callstatus(r=1, src="+1 (858) 555-0001"), "00"),
            (callstatus(r=9, tag="other"), "01"),
            (callstatus(r=2, status="COMPLETED"), "30"),
            (priced_cdr(r=3), "31"),
        ):
            stdin = line(signed(pairs), f"2026-10-15T12:00:{second}Z")
            assert run("import", "-", "--store", store, stdin=stdin).code == DONE

    CALL = call_id("sales", "18585550001", 1)

    def history(self, *words: str) -> Any:
        said = run("history", *words, "--format", "json")
        assert (said.code, said.err) == (DONE, "")
        return said.json()

    def test_by_id_it_shows_every_event_and_the_state_after_each(self) -> None:
        found = self.history(self.CALL)
        assert found["call_id"] == self.CALL
        events = found["events"]
        assert [(each["position"], each["type"], each["status"], each["rule"]) for each in events] == [
            (1, "callstatus", "SRCANSWERED", 7),
            (3, "callstatus", "COMPLETED", 8),
            (4, "cdr", "", 1),
        ]
        assert [each["call"]["state"] for each in events] == ["in-progress", "ended", "ended"]
        assert events[0]["received_at"] == NOON
        assert events[0]["parameters"][4] == ["src", "+1 (858) 555-0001"]
        assert {each["source"] for each in events} == {"import:stdin"}

    def test_it_ends_with_the_cdr_in_exact_amounts(self) -> None:
        found = self.history(self.CALL)["cdr"]
        assert (found["cost"], found["src_charge"], found["dest_charge"]) == ("3.5", "1.5", "2")
        assert (found["src_sip_charge"], found["sip_credits"], found["src_duration"]) == (None, "0", 60)
        assert (found["cdr_at"], found["period"]) == ("2026-10-15T12:00:31.000000Z", "2026-10")

    @pytest.mark.parametrize(
        "words",
        [
            ("--src", "18585550001"),
            ("--src", "+1 858.555-0001"),
            ("--src", "18585550001", "--ordinal", "1"),
        ],
        ids=" ".join,
    )
    def test_it_is_found_by_tag_and_number_in_any_spelling(self, words: tuple[str, ...]) -> None:
        assert self.history("--tag", "sales", *words)["call_id"] == self.CALL

    def test_the_last_call_of_a_line_is_meant_unless_told_otherwise(self) -> None:
        run("import", "-", stdin=line(signed(callstatus(r=8)), "2026-10-20T12:00:00Z"))
        said = run("history", "--tag", "sales", "--src", "18585550001", "--format", "json")
        assert said.json()["call_id"] == call_id("sales", "18585550001", 2)
        assert said.err == "call 2 of 2 on this line; --ordinal shows another\n"
        assert self.history("--tag", "sales", "--src", "18585550001", "--ordinal", "1")["call_id"] == self.CALL

    def test_at_a_position_only_what_was_known_then_is_shown(self) -> None:
        found = self.history(self.CALL, "--at", "3")
        assert ([each["position"] for each in found["events"]], found["cdr"]) == ([1, 3], None)
        refused = run("history", self.CALL, "--at", "999")
        assert refused.code == USAGE
        assert re.search(
            r"--at got position 999; expected one from 0 to \d+, the head of the log, or a time", refused.err
        )

    def test_at_a_time_counts_when_it_was_recorded_not_received(self) -> None:
        recorded = [each["recorded_at"] for each in self.history(self.CALL)["events"]]
        found = self.history(self.CALL, "--at", recorded[1])
        assert [each["position"] for each in found["events"]] == [1, 3]
        just_before = times.iso(times.parse(recorded[1]) - 1)
        assert [each["position"] for each in self.history(self.CALL, "--at", just_before)["events"]] == [1]
        assert run("history", self.CALL, "--at", "2026-10-15T12:00:59Z").code == FINDING

    def test_a_day_and_a_month_mean_their_beginning(self) -> None:
        for at in ("2100-01-01", "2100-01"):
            assert self.history(self.CALL, "--at", at) == self.history(self.CALL)
        assert run("history", self.CALL, "--at", "2026-10").code == FINDING

    def test_before_its_first_event_there_is_no_such_call(self) -> None:
        said = run("history", self.CALL, "--at", "0")
        assert (said.code, said.out, said.err) == (FINDING, "", f"no call {self.CALL} in this ledger at 0\n")

    @pytest.mark.parametrize(
        "words",
        [
            (call_id("sales", "18585550001", 2),),
            ("--tag", "sales"),
            ("--tag", "nobody", "--src", "1"),
            ("--tag", "sales", "--src", "18585550001", "--ordinal", "2"),
            ("--tag", "sales", "--src", "18585550001", "--ordinal", "9" * 30),
        ],
        ids=" ".join,
    )
    def test_an_unknown_call_is_a_finding(self, words: tuple[str, ...]) -> None:
        said = run("history", *words)
        assert (said.code, said.out) == (FINDING, "")
        named = [word for word in words if not word.startswith("--")]
        assert re.fullmatch(r"no call .* in this ledger\n", said.err)
        assert [word for word in named if word not in said.err] == []

    @pytest.mark.parametrize(
        "words",
        [(), ("not-an-id",), (CALL, "--tag", "sales"), ("--tag", "sales", "--ordinal", "0"), (CALL, "--at", "noon")],
        ids=" ".join,
    )
    def test_what_names_no_call_is_wrong_usage(self, words: tuple[str, ...]) -> None:
        said = run("history", *words)
        assert (said.code, said.out) == (USAGE, "")

    def test_a_position_beyond_all_numbers_is_no_crash(self) -> None:
        assert run("history", self.CALL, "--at", "9" * 30).code == USAGE

    def test_the_table_shows_what_the_json_says(self) -> None:
        said = run("history", self.CALL)
        assert said.out.startswith(f"call {self.CALL}: tag 'sales', src '18585550001', ordinal 1\n")
        assert "src=+1 (858) 555-0001" in said.out
        assert re.search(
            r"^3 +2026-10-15T12:00:30.000000Z +30 +callstatus COMPLETED +8 +ended +ANSWERED", said.out, re.MULTILINE
        )
        assert re.search(r"^cost +3\.5$", said.out, re.MULTILINE)

    def test_a_call_without_cdr_says_so(self) -> None:
        assert run("history", "--tag", "other", "--src", "18585550001").out.endswith("\nno CDR\n")


@pytest.mark.only_on("sqlite")
class TestHistoryWhereTagsAreUnique:
    def test_a_tag_alone_names_the_call(self, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TRINGLEDGER_CORRELATION", "tag")
        run(
            "import",
            "-",
            stdin=line(signed(callstatus(r=1, src="1"))) + line(signed(callstatus(r=2, src="2", status="COMPLETED"))),
        )
        found = run("history", "--tag", "sales", "--format", "json").json()
        assert [each["position"] for each in found["events"]] == [1, 2]
        name = uuid5(uuid5(NAMESPACE_DNS, "tringledger"), '["sales",null,1]')
        assert (found["call_id"], head(store)) == (str(name), 2)
