"""``tringledger tail``: every event once, in order, however often the reader is interrupted, and whatever the store does."""

import os
import random
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from subprocess import PIPE
from threading import Thread
from typing import IO, Any

import msgspec
import pytest

from domain import times
from domain.ledger import CALLBACK, Ledger
from domain.notices.signature import Keyring
from tests.support.command import SECONDS_MAX, run, spawn
from tests.support.ledger_inspection import call_id
from tests.support.notices import KEY, callstatus, line, priced_cdr, signed

DONE, USAGE, UNAVAILABLE, INTERRUPTED = 0, 2, 3, 130
NOON = "2026-10-15T12:00:00.000000Z"


def record(store: str, *notices: Sequence[tuple[str, str]]) -> None:
    """Record notices in one transaction, from this process."""
    with Ledger(store, Keyring("md5-params", [KEY]), create=True) as ledger:
        ledger.record([ledger.verify_delivery(signed(each).encode(), times.now(), CALLBACK) for each in notices])


class Tail:
    """A running ``tringledger tail``."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        assert process.stdout
        assert process.stderr
        self.out: IO[bytes] = process.stdout
        self.err: IO[bytes] = process.stderr

    def started(self) -> str:
        """Wait until it follows; return what it said then."""
        return self.err.readline().decode()

    def positions(self, count: int) -> list[int]:
        """Wait for so many events, and return their positions."""
        return [msgspec.json.decode(self.out.readline())["position"] for _ in range(count)]

    def stop(self, number: int = signal.SIGINT) -> tuple[list[int], int, str]:
        """Tell it to end; return the positions it still had to write, its exit code, and what it said."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=SECONDS_MAX)
        assert not out or out.endswith(b"\n")
        return (
            [msgspec.json.decode(each)["position"] for each in out.splitlines()],
            self.process.returncode,
            err.decode(),
        )


@contextmanager
def tailing(*words: str, **environment: str) -> Iterator[Tail]:
    process = spawn("tail", "--format", "ndjson", *words, stdout=PIPE, stderr=PIPE, env=os.environ | environment)
    try:
        yield Tail(process)
    finally:
        process.kill()
        process.communicate()


def next_of(said: str) -> int:
    """Return where a reader that has ended says to continue."""
    found = re.search(r"^continue with --from (\d+)\n\Z", said, re.MULTILINE)
    assert found, said
    return int(found[1])


class TestWithoutFollowing:
    @pytest.fixture(autouse=True)
    def recorded(self, store: str) -> None:
        lines = [
            line(signed(each), NOON)
            for each in (
                callstatus(r=1),
                callstatus(r=2, status="COMPLETED"),
                priced_cdr(r=3),
                callstatus(r=4, tag="Zürich\x1b[2J", p=""),
                callstatus(r=5, type="voicemail", status=None, tag="TRINGME", email="a@x.example"),
                callstatus(r=6, type=None, status=None, tag=None),
            )
        ]
        assert run("import", "-", "--store", store, stdin="".join(lines)).code == DONE

    def tail(self, *words: str) -> list[dict[str, Any]]:
        said = run("tail", "--from", "1", "--no-follow", "--format", "ndjson", *words)
        assert (said.code, said.err) == (DONE, "continue with --from 7\n")
        return [msgspec.json.decode(each) for each in said.out.splitlines()]

    def test_an_event_tells_all_that_the_ledger_knows_of_it(self) -> None:
        first = self.tail()[0]
        sig = first["parameters"].pop()
        assert first.pop("recorded_at") > NOON
        assert first == {
            "position": 1,
            "call_id": call_id("sales", "18585550001", 1),
            "received_at": NOON,
            "source": "import:stdin",
            "type": "callstatus",
            "status": "SRCANSWERED",
            "tag": "sales",
            "src": "18585550001",
            "rule": 7,
            "parameters": [list(pair) for pair in callstatus(r=1)],
        }
        assert sig[0] == "sig"

    def test_what_is_no_calls_has_no_call_and_what_is_missing_is_empty(self) -> None:
        voicemail, stranger = self.tail()[4:]
        assert (voicemail["call_id"], voicemail["rule"], voicemail["status"]) == (None, None, "")
        assert (stranger["type"], stranger["status"], stranger["tag"]) == ("", "", "")

    @pytest.mark.parametrize(
        ("words", "positions"),
        [
            ((), [1, 2, 3, 4, 5, 6]),
            (("--from", "3"), [3, 4, 5, 6]),
            (("--from", "7"), []),
            (("--tag", "sales"), [1, 2, 3]),
            (("--tag", "acm"), []),
            (("--tag", "Zürich\x1b[2J"), [4]),
            (("--tag", ""), [6]),
            (("--type", "cdr"), [3]),
            (("--type", "cdr", "--type", "voicemail"), [3, 5]),
            (("--type", ""), [6]),
            (("--status", "COMPLETED"), [2]),
            (("--status", "completed"), []),
            (("--tag", "sales", "--type", "callstatus", "--status", "SRCANSWERED"), [1]),
        ],
    )
    def test_tag_type_status_and_position_select_exactly(self, words: tuple[str, ...], positions: list[int]) -> None:
        assert [each["position"] for each in self.tail(*words)] == positions

    def test_the_text_is_a_line_an_event_that_moves_no_cursor(self) -> None:
        said = run("tail", "--from", "3", "--no-follow")
        numbers = "srcduration=60 destduration=50 srccharge=1.5 destcharge=2"
        assert said.out.splitlines() == [
            f"3  {NOON}  cdr                          tag=sales src=18585550001 {numbers}",
            f"4  {NOON}  callstatus SRCANSWERED       tag=Zürich\\x1b[2J src=18585550001 p=",
            f"5  {NOON}  voicemail                    tag=TRINGME src=18585550001 email=a@x.example",
            f"6  {NOON}  (no type)                    src=18585550001",
        ]

    def test_beyond_the_head_there_is_nothing_yet(self) -> None:
        said = run("tail", "--from", "100", "--no-follow")
        assert (said.code, said.out) == (DONE, "")
        assert said.err == "the log ends at position 6; showing events from position 100 on\ncontinue with --from 100\n"

    @pytest.mark.parametrize("words", [("--no-follow",), ("--from", "0"), ("--from", "now"), ("--from", "9" * 30)])
    def test_wrong_usage(self, words: tuple[str, ...]) -> None:
        assert run("tail", *words).code == USAGE


@pytest.mark.only_on("sqlite")
def test_without_a_ledger_it_is_unavailable(store: str) -> None:
    assert store
    said = run("tail")
    assert (said.code, "there is no ledger at" in said.err) == (UNAVAILABLE, True)


class TestWhileAnotherProcessRecords:
    @pytest.fixture(autouse=True)
    def recorded(self, store: str) -> None:
        record(store, callstatus(r=1), callstatus(r=2))

    def test_by_default_it_shows_what_comes_in_from_now_on(self, store: str) -> None:
        with tailing() as tail:
            assert tail.started() == "events from position 3 on; stop with Ctrl-C\n"
            record(store, callstatus(r=3))
            assert tail.positions(1) == [3]
            record(store, callstatus(r=4), callstatus(r=5))
            assert tail.positions(2) == [4, 5]
            assert tail.stop() == ([], INTERRUPTED, "continue with --from 6\n")

    def test_an_event_is_shown_within_seconds(self, store: str) -> None:
        with tailing() as tail:
            tail.started()
            record(store, callstatus(r=3))
            began = time.monotonic()
            tail.positions(1)
            assert time.monotonic() - began < 5

    def test_it_goes_on_behind_events_that_it_does_not_show(self, store: str) -> None:
        with tailing("--type", "cdr") as tail:
            tail.started()
            record(store, callstatus(r=3), priced_cdr(r=4), callstatus(r=5))
            assert tail.positions(1) == [4]
            assert next_of(tail.stop()[2]) == 6

    @pytest.mark.thorough
    def test_interrupted_again_and_again_it_misses_nothing_and_repeats_nothing(self, store: str) -> None:
        total, after = 3000, 2
        recorder = Thread(target=_record_many, args=[store, range(3, total + 1)])
        recorder.start()
        seen, dice, rounds = list[int](), random.Random(6), 0
        while after < total and rounds < 60:
            with tailing("--from", str(after + 1)) as tail:
                tail.started()
                time.sleep(dice.random() / 4)
                positions, code, said = tail.stop()
            assert code == INTERRUPTED
            seen += positions
            after, rounds = next_of(said) - 1, rounds + 1
        recorder.join()
        assert seen == list(range(3, total + 1))
        assert rounds > 1

    @pytest.mark.parametrize("unbuffered", ["", "1"])
    def test_interrupted_while_nobody_reads_it_ends_with_whole_lines(self, store: str, unbuffered: str) -> None:
        record(store, *(callstatus(r=r) for r in range(3, 3000)))
        with tailing("--from", "1", PYTHONUNBUFFERED=unbuffered) as tail:
            tail.started()
            time.sleep(0.5)  # The pipe is full by now, in the midst of a page.
            positions, code, said = tail.stop()
        assert code == INTERRUPTED
        assert positions == list(range(1, next_of(said)))
        assert len(positions) < 2999, "it did not wait for a reader"

    @pytest.mark.parametrize("unbuffered", ["", "1"])
    def test_interrupted_twice_it_ends_though_nobody_reads(self, store: str, unbuffered: str) -> None:
        record(store, *(callstatus(r=r) for r in range(3, 3000)))
        with tailing("--from", "1", PYTHONUNBUFFERED=unbuffered) as tail:
            tail.started()
            for _ in range(2):
                time.sleep(0.5)
                tail.process.send_signal(signal.SIGINT)
            assert tail.process.wait(SECONDS_MAX) == INTERRUPTED

    def test_told_to_end_it_says_where_to_continue_too(self) -> None:
        with tailing() as tail:
            tail.started()
            assert tail.stop(signal.SIGTERM) == ([], 128 + signal.SIGTERM, "continue with --from 3\n")

    def test_a_reader_that_goes_away_ends_it_quietly_even_while_nothing_comes_in(self) -> None:
        with tailing("--from", "1") as tail:
            tail.started()
            tail.positions(1)
            tail.out.close()
            tail.process.wait(SECONDS_MAX)
            assert tail.err.read() == b""

    def test_a_reader_that_goes_away_in_the_midst_of_a_page_ends_it_quietly(self, store: str) -> None:
        record(store, *(callstatus(r=r) for r in range(3, 3000)))
        with tailing("--from", "1") as tail:
            tail.started()
            tail.out.close()
            tail.process.wait(SECONDS_MAX)
            assert tail.err.read() == b""

    @pytest.mark.only_on("sqlite")
    def test_a_store_that_is_away_for_a_moment_is_told_of_and_asked_again(self, store: str) -> None:
        path = Path(store.removeprefix("sqlite:///"))
        with tailing() as tail:
            tail.started()
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("ALTER TABLE stored_events RENAME TO gone")
                assert re.fullmatch(r"the store .* cannot be used now: .*; retrying\n", tail.started())
                time.sleep(0.6)
                connection.execute("ALTER TABLE gone RENAME TO stored_events")
            assert tail.started() == "the store is available again; no event was missed\n"
            record(store, callstatus(r=3))
            assert tail.positions(1) == [3]


def _record_many(store: str, numbers: range) -> None:
    for number in numbers[::60]:
        record(store, *(callstatus(r=each) for each in numbers if number <= each < number + 60))
