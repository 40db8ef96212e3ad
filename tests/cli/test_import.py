"""``tringledger import``: every line counts, none twice, and what cannot be read stops nothing."""

import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from domain import times
from domain.ledger import Ledger
from tests.support.command import SECONDS_MAX, run, run_alone, spawn
from tests.support.ledger_inspection import NOON, exported, head, ids
from tests.support.notices import OTHER_KEY, callstatus, line, notices_of_call, priced_cdr, signed
from tests.support.sample_results import assert_yields
from tests.support.samples import SAMPLE_NAMES, SAMPLES, sample

DONE, FINDING = 0, 1
LINE_MAX_BYTES = 1024 * 1024


@pytest.mark.usefixtures("store")
class TestImport:
    @pytest.mark.parametrize("name", SAMPLE_NAMES)
    def test_the_samples_yield_counts_cdrs_and_billing_value_for_value(self, name: str, store: str) -> None:
        wanted = sample(name)
        counts = {kind: wanted.counts.get(kind, 0) for kind in ("recorded", "duplicate", "quarantined")}
        said = run("import", str(SAMPLES / f"{name}.ndjson"))
        assert (said.code, said.out) == (DONE, "")
        assert said.err == (
            "{recorded} recorded, {duplicate} duplicate, {quarantined} quarantined ({quarantined} new), 0 unreadable\n"
        ).format(**counts)
        assert_yields(wanted, store)

    def test_twice_changes_nothing(self, store: str) -> None:
        sample = str(SAMPLES / "edges.ndjson")
        run("import", sample)
        before = exported(), run("quarantine", "list", "--format", "json").json()
        said = run("import", sample)
        assert (said.code, said.err) == (DONE, "0 recorded, 143 duplicate, 23 quarantined (0 new), 0 unreadable\n")
        after = exported(), run("quarantine", "list", "--format", "json").json()
        assert (before[0], ids(before[1]), head(store)) == (after[0], ids(after[1]), 141)

    def test_a_dash_means_stdin(self, store: str) -> None:
        said = run("import", "-", stdin=line(signed(callstatus())))
        assert (said.code, said.err) == (DONE, "1 recorded, 0 duplicate, 0 quarantined (0 new), 0 unreadable\n")
        with Ledger(store) as ledger:
            assert ledger.notice_at(1).source == "import:stdin"

    def test_an_event_names_its_file_and_keeps_its_own_time(self, store: str, log: Callable[..., str]) -> None:
        run("import", log(line(signed(callstatus()), "2026-10-15T14:00:00+02:00"), name="october.ndjson"))
        with Ledger(store) as ledger:
            event = ledger.notice_at(1)
        assert (event.source, times.iso(event.received_at)) == ("import:october.ndjson", NOON)
        assert event.recorded_at > event.received_at

    def test_an_empty_file_is_done(self, log: Callable[..., str]) -> None:
        assert run("import", log()).code == DONE

    def test_the_last_line_needs_no_end(self, log: Callable[..., str]) -> None:
        assert run("import", log(line(signed(callstatus())).rstrip("\n"))).err.startswith("1 recorded")

    def test_lines_may_end_as_on_windows(self, log: Callable[..., str]) -> None:
        assert run("import", log(line(signed(callstatus())).replace("\n", "\r\n"))).err.startswith("1 recorded")

    def test_further_members_of_a_line_do_not_matter(self) -> None:
        row = line(signed(callstatus())).replace("{", '{"peer": "192.0.2.7", ')
        assert run("import", "-", stdin=row).err.startswith("1 recorded")

    def test_wrong_signatures_and_broken_values_are_no_finding_of_the_import(self) -> None:
        lines = line(signed(callstatus(), OTHER_KEY)) + line(signed(priced_cdr(srccharge="free")))
        said = run("import", "-", stdin=lines)
        assert (said.code, said.err) == (DONE, "0 recorded, 0 duplicate, 2 quarantined (2 new), 0 unreadable\n")

    def test_no_progress_bar_is_drawn_where_stderr_is_piped(self) -> None:
        said = run_alone("import", str(SAMPLES / "traffic.ndjson"))
        assert (said.code, said.out) == (DONE, "")
        assert said.err == "214 recorded, 0 duplicate, 0 quarantined (0 new), 0 unreadable\n"


UNREADABLE = {
    "no JSON": "one, two\n",
    "no object": "[1]\n",
    "no query": '{"received_at": "2026-10-01T00:00:00Z"}\n',
    "no received_at": '{"query": "f=tm"}\n',
    "a query that is no text": '{"received_at": "2026-10-01T00:00:00Z", "query": 7}\n',
    "bytes that are no UTF-8": '{"received_at": "2026-10-01T00:00:00Z", "query": "\udce9"}\n',
    "half a surrogate": '{"received_at": "2026-10-01T00:00:00Z", "query": "\\ud800"}\n',
    "no time": line(signed(callstatus(r=7)), "yesterday"),
    "a time without an offset": line(signed(callstatus(r=7)), "2026-10-01T00:00:00"),
    "a day that there is not": line(signed(callstatus(r=7)), "2026-02-30T00:00:00Z"),
    "a time beyond the calendar": line(signed(callstatus(r=7)), "9999-12-31T23:59:59-01:00"),
    "a time before the calendar": line(signed(callstatus(r=7)), "0001-01-01T00:00:00+01:00"),
    "no notification": line(signed(callstatus(r=7, f="xx"))),
    "an empty query": line(""),
    "too many parameters": line(signed([*callstatus(r=7), *((f"x{number}", "") for number in range(60))])),
    "too long a query": line(signed(callstatus(r=7, filler="x" * 17_000))),
    "too long a line": "x" * (2 * LINE_MAX_BYTES + 5) + "\n",
}


@pytest.mark.usefixtures("store")
class TestImportOfUnreadableLines:
    @pytest.mark.parametrize("bad", UNREADABLE.values(), ids=UNREADABLE)
    def test_each_is_reported_by_number_and_the_rest_is_imported(self, bad: str, store: str) -> None:
        lines = line(signed(callstatus(r=1))) + bad + line(signed(callstatus(r=2)))
        said = run("import", "-", stdin=lines.encode(errors="surrogateescape"))
        assert (said.code, said.out, head(store)) == (FINDING, "", 2)
        report, summary = said.err.splitlines()
        assert report.startswith("stdin, line 2 is unreadable: ")
        assert summary == "2 recorded, 0 duplicate, 0 quarantined (0 new), 1 unreadable"

    def test_what_is_imported_can_be_shown(self) -> None:
        """No time that a line may carry stops the read models later."""
        for number, moment in enumerate(("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z")):
            run(
                "import", "-", stdin=line(signed(priced_cdr(r=number)), moment), TRINGLEDGER_TIMEZONE="Pacific/Auckland"
            )
        assert run("status", "--check", "--missing-cdrs", "9").code == DONE

    def test_bytes_that_are_no_utf8_in_a_name_are_quarantined(self) -> None:
        lines = line(signed([*callstatus(r=1), ("caf\udce9", "1")])) + line(signed(callstatus(r=2)))
        said = run("import", "-", stdin=lines)
        assert (said.code, said.err) == (DONE, "1 recorded, 0 duplicate, 1 quarantined (1 new), 0 unreadable\n")

    def test_a_full_quarantine_that_may_drop_nothing_stops_the_import_and_says_why(self) -> None:
        lines = [line(signed(callstatus(r=number), OTHER_KEY)) for number in range(4)]
        said = run("import", "-", stdin="".join(lines), TRINGLEDGER_QUARANTINE_MAX="2")
        assert said.code == FINDING
        assert "no signature has ever fitted" in said.err


class TestAnInterruptedImport:
    @pytest.mark.only_on("sqlite")
    def test_run_again_it_gives_what_an_uninterrupted_one_gives(
        self, store: str, tmp_path: Path, log: Callable[..., str]
    ) -> None:
        lines = [line(signed(pairs)) for number in range(4000) for pairs in notices_of_call(number)]
        file = log(*lines)
        run("import", file, "--store", f"sqlite:///{tmp_path}/whole.db")
        importing = spawn("import", file, stderr=subprocess.PIPE)
        self.kill_half_way(importing, store)
        reached = head(store)
        assert 0 < reached < len(lines)
        said = run("import", file)
        assert (
            said.err == f"{len(lines) - reached} recorded, {reached} duplicate, 0 quarantined (0 new), 0 unreadable\n"
        )
        assert exported() == exported("--store", f"sqlite:///{tmp_path}/whole.db")

    def kill_half_way(self, importing: "subprocess.Popen[bytes]", store: str) -> None:
        deadline = time.monotonic() + SECONDS_MAX
        while self.head_of(store) < 1000 and time.monotonic() < deadline:
            time.sleep(0.002)
        importing.kill()
        importing.communicate(timeout=SECONDS_MAX)
        assert importing.returncode == -signal.SIGKILL

    def head_of(self, store: str) -> int:
        try:
            with closing(sqlite3.connect(f"file:{store.removeprefix('sqlite:///')}?mode=ro", uri=True)) as connection:
                found: int = connection.execute("SELECT coalesce(max(position), 0) FROM stored_events").fetchone()[0]
                return found
        except sqlite3.OperationalError:
            return 0
