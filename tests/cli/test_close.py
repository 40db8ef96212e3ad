"""``tringledger close``: a month is closed once nothing is open in it, and the refusal says what is, and the money at risk."""

from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.support.command import Said, Server, run, serving
from tests.support.ledger_inspection import head
from tests.support.notices import callstatus, line, priced_cdr, signed

DONE, FINDING, USAGE = 0, 1, 2
BY = ("--by", "kim")
WHY = ("--reason", "so it is")
OCTOBER, AT = "2024-10", "2024-10-15T12:00:00.000000Z"


def later(minutes: int, day: str = "15", month: str = OCTOBER) -> str:
    return f"{month}-{day}T12:{minutes:02}:00.000000Z"


def heard(*notices: tuple[str, list[tuple[str, str]]]) -> None:
    run("import", "-", stdin="".join(line(signed(pairs), at) for at, pairs in notices))


A_CALL = (
    (AT, callstatus(r=1)),
    (later(1), callstatus(r=2, status="COMPLETED")),
    (later(1), priced_cdr(r=3, status="COMPLETED")),
)


def opened(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run("close", OCTOBER, "--check", "--format", "json", *arguments).json()["open"]
    return found


def closed(*arguments: str, month: str = OCTOBER) -> Said:
    return run("close", month, *BY, *arguments)


class TestClosing:
    @pytest.fixture(autouse=True)
    def called(self, store: str) -> None:
        """Record one whole call, on a store of each kind."""
        self.store = store
        run("migrate")
        heard(*A_CALL)

    def test_a_month_in_which_nothing_is_open_is_closed_once(self) -> None:
        assert (closed("--check").code, head(self.store)) == (DONE, 3)
        said = closed()
        assert (said.code, said.out, said.err) == (DONE, "", "2024-10 is closed, at position 4\n")
        said = closed()
        assert (said.code, head(self.store)) == (FINDING, 4)
        assert "2024-10 is closed already; expected a month from 2024-11 on" in said.err

    def test_a_call_that_misses_its_cdr_hinders_it(self) -> None:
        heard((later(20), callstatus(r=4)), (later(21), callstatus(r=5, status="COMPLETED")))
        said = closed()
        assert (said.code, head(self.store)) == (FINDING, 5)
        assert "2024-10 not closed: 1 open items" in said.err
        (found,) = opened()
        assert (found["kind"], found["cost"]) == ("missing-cdr", None)

    @pytest.mark.parametrize(("charge", "cost"), [("1.25", "3.25"), ("-4", None)], ids=["readable", "broken"])
    def test_a_cdr_in_quarantine_hinders_it_until_it_is_settled(self, charge: str, cost: str | None) -> None:
        broken = priced_cdr(r=9, srccharge=charge, srcduration="much", tag="x")
        heard((later(30), broken), (later(31), callstatus(r=10, status="COMPLETED", tag="y" * 300)))
        (found,) = opened()
        assert found == {"kind": "quarantined", "where": "1", "tag": "x", "cost": cost, "sip_credits": cost and "0"}
        assert run("quarantine", "resolve", "1", *BY, *WHY).code == DONE
        assert opened() == []
        assert "1 in quarantine" in run("quarantine", "list").err

    def test_an_exception_that_touches_money_hinders_it_until_it_is_resolved(self) -> None:
        heard((later(2), priced_cdr(r=4, status="COMPLETED")))
        assert opened() == [{"kind": "repeated-cdr", "where": "4", "tag": "sales", "cost": "3.5", "sip_credits": "0"}]
        run("exception", "resolve", "repeated-cdr", "4", *BY, *WHY)
        assert closed().code == DONE

    def test_an_exception_that_touches_no_money_does_not(self) -> None:
        heard((later(2), callstatus(r=4, status="RINGING")))
        assert opened() == []

    def test_an_earlier_month_with_entries_hinders_it_until_that_is_closed(self) -> None:
        heard(*((at.replace("2024-10", "2024-09"), pairs) for at, pairs in ((AT, priced_cdr(r=7, tag="old")),)))
        assert opened() == [{"kind": "open-month", "where": "2024-09", "tag": "", "cost": "3.5", "sip_credits": "0"}]
        assert closed(month="2024-09").code == DONE
        assert closed().code == DONE

    def test_what_is_open_can_be_accepted_and_is_kept_with_the_closing(self) -> None:
        heard((later(2), priced_cdr(r=4, status="COMPLETED")))
        assert closed("--accept", "sent twice, they say").code == DONE
        (row,) = run("export", "closings", "--format", "json").json()
        assert (row["closed_by"], row["reason"], row["accepted"]) == ("kim", "sent twice, they say", "repeated-cdr 4")

    def test_what_is_open_later_hinders_another_month_only(self) -> None:
        heard((later(2, month="2024-11"), priced_cdr(r=4, status="COMPLETED", tag="z")))
        heard((later(3, month="2024-11"), priced_cdr(r=5, status="COMPLETED", tag="z")))
        assert opened() == []
        assert closed("--check").err == "2024-10 can be closed\n"

    def test_the_money_at_risk_is_added_up(self) -> None:
        heard(
            (later(2), priced_cdr(r=4, status="COMPLETED")),
            (later(20), callstatus(r=5)),
            (later(21), callstatus(r=6, status="COMPLETED")),
        )
        said = closed()
        assert "at risk: 3.5 US cents, 0 SIP credits, and 1 with unknown amounts\n" in said.err
        document = run("close", OCTOBER, "--check", "--format", "json").json()
        assert document["at_risk"] == {"cost": "3.5", "sip_credits": "0", "unknown": 1}

    def test_a_month_that_is_not_over_is_not_closed_whatever_is_accepted(self) -> None:
        for arguments in (("--accept", "I cannot wait"), ("--check",)):
            said = closed(*arguments, month="9998-12")
            assert (said.code, head(self.store)) == (FINDING, 3)
            assert "9998-12 is not over yet in UTC" in said.err

    @pytest.mark.parametrize("words", [("2026-13", *BY), ("2024-10",), (), ("2024-10", "--by", " ")], ids=" ".join)
    def test_what_cannot_be_meant_is_wrong_usage(self, words: tuple[str, ...]) -> None:
        assert run("close", *words).code == USAGE

    def test_a_closed_month_stays_the_same_byte_for_byte(self) -> None:
        closed()
        before = [run("export", model, "--period", OCTOBER).out for model in ("cdrs", "billing")]
        (row,) = run("export", "cdrs", "--format", "json").json()
        heard((later(40), priced_cdr(r=8, tag="late")))
        run("call", "void", row["call_id"], *BY, *WHY)
        run("adjust", "sales", "250", "--period", OCTOBER, *BY, *WHY)
        run("call", "split", row["call_id"], "3", *BY, *WHY)
        assert [run("export", model, "--period", OCTOBER).out for model in ("cdrs", "billing")] == before
        assert run("rebuild", "--check").code == DONE
        november = run("export", "entries", "--period", "2024-11", "--format", "json").json()
        assert {entry["original_period"] for entry in november} == {OCTOBER}

    def test_it_is_closed_beside_a_service_that_records_and_follows(self, tmp_path: Path) -> None:
        with serving(tmp_path) as server:
            for number in (20, 21):
                assert b"recorded" in told(server, priced_cdr(r=number, tag=str(number)))
            assert closed().code == DONE
            assert b"recorded" in told(server, priced_cdr(r=22, tag="22"))
        assert run("rebuild", "--check").code == DONE


def told(server: Server, pairs: list[tuple[str, str]]) -> bytes:
    """Let a service know a notice, and return its answer."""
    with urlopen(f"http://127.0.0.1:{server.port}/notify?{signed(pairs)}", timeout=20) as answer:
        body: bytes = answer.read()
    return body
