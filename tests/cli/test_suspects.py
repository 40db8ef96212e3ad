"""A day that was sent again (SPEC 9.7): what commands and the page of exceptions say of it, and how it is settled."""

from collections.abc import Sequence

import pytest

from domain import times
from tests.support.command import Said, run
from tests.support.ledgers import opened, record
from tests.support.notices import START, SentNotice, priced_cdr

DONE, FINDING = 0, 1
DAY = times.DAY
WEEK = 7 * DAY
MONTH = "2026-10"
BY = ("--by", "kim", "--reason", "they took place")
# Three calls of two lines; each costs 3 cents.
CALLS = ((0, "1", 61), (100 * times.SECOND, "2", 62), (4000 * times.SECOND, "1", 63))

REPEATED: dict[str, str | int | None] = {
    "srcduration": None,
    "destduration": 61,
    "srccharge": "1",
    "destcharge": "2",
}


def calls(shift: int = 0, lines: Sequence[tuple[int, str, int]] = CALLS, **more: str | int | None) -> list[SentNotice]:
    charges = {"srcduration": None, "srccharge": "1", "destcharge": "2"} | more
    return [
        priced_cdr(at + shift, tag="acme", src=src, destduration=seconds, r=at + shift, **charges)
        for at, src, seconds in lines
    ]


def heard(store: str, *notices: SentNotice) -> None:
    with opened(store, clock=lambda: START + 60 * DAY) as ledger:
        record(ledger, *notices)


def found(*arguments: str) -> dict[str, list[dict[str, object]]]:
    said: dict[str, list[dict[str, object]]] = run("exception", "suspects", "--format", "json", *arguments).json()
    return said


def runs_and_alone(*arguments: str) -> tuple[int, int]:
    told = found(*arguments)
    return len(told["runs"]), len(told["alone"])


class TestADayThatWasSentAgain:
    def test_is_a_run_with_its_twins_and_the_money_at_stake(self, store: str) -> None:
        heard(store, *calls(), *calls(WEEK))
        (run_,) = found()["runs"]
        assert (run_["shift_seconds"], run_["cost"], run_["sip_credits"]) == ("604800", "9", "0")
        suspects = run_["suspects"]
        assert isinstance(suspects, list)
        assert [(each["position"], each["twin_position"]) for each in suspects] == [(4, 1), (5, 2), (6, 3)]
        said = run("exception", "suspects")
        assert said.out.startswith("run 1: 3 calls, 7 d after their twins, 9 US cents and 0 SIP credits at stake\n")
        assert said.err == "runs: 1, suspects in no run: 0\n"

    def test_is_recorded_and_billed(self, store: str) -> None:
        heard(store, *calls(), *calls(WEEK))
        assert [row["cost"] for row in run("export", "cdrs", "--format", "json").json()] == ["3"] * 6

    @pytest.mark.parametrize(
        "others",
        [
            calls(WEEK, destcharge="3"),
            calls(WEEK, srcsipcharge="0"),
            calls(WEEK, status="DESTBUSY"),
            calls(32 * DAY),
            calls(WEEK, [(at, "9" + src, seconds) for at, src, seconds in CALLS]),
        ],
        ids=["charge", "absent is not 0", "status", "too far", "line"],
    )
    def test_is_none_where_its_calls_differ_or_lie_too_far(self, others: list[SentNotice], store: str) -> None:
        heard(store, *calls(), *others)
        assert runs_and_alone() == (0, 0)

    def test_may_be_further_away_where_a_setting_says_so(self, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
        heard(store, *calls(), *calls(32 * DAY))
        monkeypatch.setenv("TRINGLEDGER_SUSPECT_DAYS", "32")
        assert runs_and_alone() == (1, 0)

    def test_has_seconds_or_money(self, store: str) -> None:
        nothing = {"srccharge": "0", "destcharge": None}
        heard(store, *calls(0, [(at, src, 0) for at, src, _ in CALLS], **nothing))
        heard(store, *calls(WEEK, [(at, src, 0) for at, src, _ in CALLS], **nothing))
        assert runs_and_alone() == (0, 0)

    def test_of_one_or_two_calls_is_suspects_in_no_run(self, store: str) -> None:
        heard(store, *calls(), *calls(WEEK)[:2])
        assert runs_and_alone() == (0, 2)
        assert run("exception", "suspects").out.startswith("in no run\n")

    def test_is_counted_by_status(self, store: str) -> None:
        heard(store, *calls(), *calls(WEEK))
        assert "runs of calls that were perhaps sent again" in run("status").out
        assert isinstance(run("status", "--format", "json").json()["suspect_runs"], int)

    def test_is_asked_for_by_month(self, store: str) -> None:
        heard(store, *calls(), *calls(WEEK))
        assert runs_and_alone("--period", MONTH) == (1, 0)
        assert runs_and_alone("--period", "2026-11") == (0, 0)


class TestSettling:
    def test_one_or_a_run_takes_it_from_the_suspects_and_is_kept_in_the_call(self, store: str) -> None:
        heard(store, *calls(), *calls(WEEK))
        said = run("exception", "resolve", "suspect", "4", *BY)
        assert (said.code, runs_and_alone()) == (DONE, (0, 2))
        assert run("exception", "reopen", "suspect", "4", *BY).code == DONE
        assert runs_and_alone() == (1, 0)
        assert run("exception", "settle-run", "5", *BY).code == DONE
        assert runs_and_alone() == (0, 0)
        kept = run("export", "resolutions").out.splitlines()
        assert [line.split(",")[:2] for line in kept[1:]] == [["suspect", "4"], ["suspect", "5"], ["suspect", "6"]]

    def test_a_twin_or_voiding_a_call_does_so_too(self, store: str) -> None:
        heard(store, *calls(), *calls(WEEK))
        run("exception", "resolve", "suspect", "1", *BY)
        assert runs_and_alone() == (0, 2)
        run("call", "void", str(found()["alone"][0]["call_id"]), *BY)
        assert runs_and_alone() == (0, 1)

    def test_survives_a_rebuild(self, store: str) -> None:
        heard(store, *calls(), *calls(WEEK))
        run("exception", "settle-run", "4", *BY)
        assert run("rebuild", "--jobs", "1").code == DONE
        assert runs_and_alone() == (0, 0)

    def test_what_is_no_cdr_of_a_call_or_in_no_run_is_refused(self, store: str) -> None:
        heard(store, *calls()[:1])
        heard(store, priced_cdr(0, tag="acme", src="1", r="again", **REPEATED))
        for said, why in (
            (run("exception", "resolve", "suspect", "2", *BY), "there is no exception suspect at position 2"),
            (run("exception", "settle-run", "1", *BY), "no run has a suspect at position 1"),
        ):
            assert (said.code, why in said.err) == (FINDING, True), said


class TestClosing:
    def closed(self, *arguments: str) -> Said:
        return run("close", MONTH, *arguments)

    def test_shows_runs_and_refuses_them_unless_accepted(self, store: str) -> None:
        heard(store, *calls(), *calls(WEEK))
        said = self.closed("--by", "kim")
        assert (said.code, "suspect-run  4" in said.out, "at risk: 9 US cents" in said.err) == (FINDING, True, True)
        assert self.closed("--by", "kim", "--accept", "it is so").code == DONE
        assert "suspect-run 4" in run("export", "closings").out

    def test_only_counts_suspects_in_no_run(self, store: str) -> None:
        heard(store, *calls(), *calls(WEEK)[:2])
        said = self.closed("--by", "kim")
        assert (said.code, "2 suspects that are in no run" in said.err) == (DONE, True), said

    def test_finds_a_run_whose_twins_are_in_a_closed_month_and_none_of_a_later_month(self, store: str) -> None:
        heard(store, *calls(-30 * DAY), *calls())
        assert run("close", "2026-09", "--by", "kim").code == DONE
        assert "suspect-run  4" in run("close", MONTH, "--check").out
