"""``tringledger status``: how the ledger is, and ``--check`` with each limit held and passed."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command import run
from tests.support.ledger_inspection import change
from tests.support.notices import OTHER_KEY, callstatus, line, priced_cdr, signed
from tests.support.samples import SAMPLES

DONE, FINDING = 0, 1


ANSWERED_CALL = (signed(callstatus(r=1)), signed(callstatus(r=2, status="COMPLETED")))


@pytest.mark.usefixtures("store")
class TestStatus:
    def test_it_tells_what_the_ledger_holds(self, store: str) -> None:
        run("import", str(SAMPLES / "adverse.ndjson"))
        said = run("status")
        assert (said.code, said.err) == (DONE, "")
        for told in (store, "1428, head at position 1428", "25 broken values", "correlation tag-src", "zone UTC"):
            assert told in said.out
        rows = {row.split()[0]: row.split()[-1] for row in said.out.splitlines() if row}
        assert (rows["calls"], rows["voicemails"], rows["channels"]) == ("400", "28", "7")

    def test_it_tells_the_lag_that_it_found_and_then_catches_up(self) -> None:
        run("import", str(SAMPLES / "edges.ndjson"))
        found = run("status", "--format", "json").json()["read_models"]
        assert (found["found_lag"], found["lag"], found["position"]) == (141, 0, 141)
        assert run("status", "--format", "json").json()["read_models"]["found_lag"] == 0

    def test_without_catching_up_it_leaves_the_read_models_alone(self) -> None:
        run("import", str(SAMPLES / "edges.ndjson"))
        for _ in range(2):
            found = run("status", "--no-catch-up", "--format", "json").json()["read_models"]
            assert (found["found_lag"], found["lag"], found["position"]) == (141, 141, 0)

    def test_it_counts_calls_that_are_open_stale_and_without_their_cdr(self, aged: Callable[..., None]) -> None:
        aged(30, *(signed(callstatus(r=1, src="1")), signed(callstatus(r=2, src="2")), *ANSWERED_CALL))
        aged(1, signed(callstatus(r=4, src="4")))
        waiting = run("status", "--format", "json").json()["waiting"]
        assert waiting == {"in_progress": 3, "stale": 2, "missing_cdr": 1}

    def test_a_longer_max_age_makes_fewer_calls_stale(self, aged: Callable[..., None]) -> None:
        aged(30, signed(callstatus(r=1)))
        found = run("status", "--format", "json", TRINGLEDGER_MAX_AGE_SECONDS="200000").json()
        assert found["waiting"]["stale"] == 0

    def test_it_points_out_tags_whose_calls_lack_their_opening(self) -> None:
        lines = [line(signed(callstatus(r=r, src=str(r), status="COMPLETED"))) for r in range(10)]
        run("import", "-", stdin="".join(lines))
        said = run("status")
        assert "10 of 10 calls of tag 'sales' lack their opening" in said.err
        assert "correlation=tag" in said.err

    def test_an_empty_ledger_has_a_status_too(self, log: Callable[..., str]) -> None:
        run("import", log())
        assert run("status", "--check").code == DONE
        assert run("status", "--format", "json").json()["last_recorded_at"] is None

    def test_it_needs_no_private_key(self, log: Callable[..., str]) -> None:
        run("import", log())
        assert run("status", TRINGME_PRIVATE_KEY="").code == DONE


@pytest.mark.usefixtures("store")
class TestStatusCheck:
    def test_a_ledger_in_order_passes_all_limits(self, aged: Callable[..., None]) -> None:
        aged(0, signed(callstatus(r=1)))
        said = run("status", "--check", "--silent-hours", "1")
        assert (said.code, said.err) == (DONE, "")

    def test_the_lag_has_a_limit(self, aged: Callable[..., None]) -> None:
        aged(2, signed(callstatus(r=1)))
        said = run("status", "--check", "--no-catch-up")
        assert said.code == FINDING
        assert re.fullmatch(r"read models were 1 events and 72\d\d s behind; the limit is 60 s\n", said.err)
        assert run("status", "--check", "--no-catch-up", "--lag-seconds", "8000").code == DONE

    def test_silence_has_a_limit_if_one_is_given(self, aged: Callable[..., None]) -> None:
        aged(2, signed(callstatus(r=1)))
        run("status")
        said = run("status", "--check", "--silent-hours", "1")
        assert (said.code, said.err) == (FINDING, "no callback recorded for 1 h\n")
        assert run("status", "--check", "--silent-hours", "3").code == DONE
        assert run("status", "--check").code == DONE

    def test_an_import_is_no_callback(self, aged: Callable[..., None]) -> None:
        aged(2, signed(callstatus(r=1)))
        run("import", "-", stdin="".join(line(signed(callstatus(r=r, status="SRCFAILED"))) for r in range(2, 1500)))
        assert run("status", "--check", "--silent-hours", "1").code == FINDING

    @pytest.mark.parametrize("query", [signed(callstatus(), OTHER_KEY), signed(priced_cdr(srccharge="free"))])
    def test_the_quarantine_has_a_limit(self, query: str) -> None:
        run("import", "-", stdin=line(query))
        said = run("status", "--check")
        assert (said.code, said.err) == (FINDING, "1 notices in quarantine; the limit is 0\n")
        assert run("status", "--check", "--quarantine", "1").code == DONE

    def test_missing_cdrs_have_a_limit(self, aged: Callable[..., None]) -> None:
        aged(1, *ANSWERED_CALL)
        run("status")
        said = run("status", "--check")
        assert (said.code, said.err) == (FINDING, "1 calls miss their CDR; the limit is 0\n")
        assert run("status", "--check", "--missing-cdrs", "1").code == DONE

    def test_a_cdr_that_may_still_come_is_not_missed(self, aged: Callable[..., None]) -> None:
        aged(0.05, *ANSWERED_CALL)
        run("status")
        assert run("status", "--check").code == DONE
        assert run("status", "--check", TRINGLEDGER_GRACE_SECONDS="60").code == FINDING

    @pytest.mark.only_on("sqlite")
    def test_read_models_that_cannot_move_are_a_finding(self, aged: Callable[..., None], tmp_path: Path) -> None:
        aged(0, signed(callstatus(r=1)))
        run("status")
        change(tmp_path / "ledger.db.read-1.db", "UPDATE progress SET position = 7")
        said = run("status", "--check")
        assert (said.code, "read models stopped at position" in said.err) == (FINDING, True)
        assert "tringledger rebuild" in said.err
        assert run("status").out.count("not known: the read models cannot be used") == 2

    def test_all_findings_are_told_in_json_too(self, aged: Callable[..., None]) -> None:
        aged(2, *ANSWERED_CALL, signed(priced_cdr(srccharge="free")))
        said = run("status", "--check", "--silent-hours", "1", "--format", "json")
        assert (said.code, len(said.json()["findings"])) == (FINDING, 4)
        assert said.err.splitlines() == said.json()["findings"]
