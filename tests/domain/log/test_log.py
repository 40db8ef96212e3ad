"""The log as every store must keep it: gapless, all or nothing, shared by processes, and honest when it cannot (SPEC 2, 4)."""

import json
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from eventsourcing.persistence import StoredEvent

from domain.errors import LedgerError, StoreUnavailable
from domain.events.codec import NoticeMapper, decode_notice
from domain.events.notice_events import CdrRecorded, Notice
from domain.events.streams import call_id
from domain.ledger import Ledger
from domain.log.sqlite import connections as sqlite_connections
from domain.log.sqlite import line_calls as sqlite_line_calls
from domain.log.urls import sqlite_path
from domain.outcomes import Duplicate, Quarantined, Recorded
from tests.support.database_roles import make_ledger_of_service
from tests.support.ledgers import opened, record
from tests.support.notices import GRACE, SRC, START, TAG, SentNotice, callstatus, cdr, notice, signed
from tests.support.recorder_process import crowd

ROOT = Path(__file__).parents[3]
MANY = 10**6


class Mishap(Exception):
    """Something that goes wrong in the middle of a transaction."""


def calls(count: int) -> list[SentNotice]:
    """Return the opening and the CDR of so many calls, each on a line of its own, all openings first."""
    openings = [callstatus("SRCANSWERED", number, tag=f"tag-{number}") for number in range(count)]
    return openings + [cdr(GRACE + number, tag=f"tag-{number}") for number in range(count)]


def positions(ledger: Ledger) -> list[int]:
    """Return the positions of the whole log, in its order."""
    return [row.position for row in ledger.store.page(0, MANY, MANY)]


def streams(ledger: Ledger) -> dict[str, list[int]]:
    """Return the versions of each stream, in the order of the log."""
    found: dict[str, list[int]] = {}
    for row in ledger.store.page(0, MANY, MANY):
        found.setdefault(row.stream, []).append(row.version)
    return found


@contextmanager
def process(mode: str, url: str, seed: int = 0) -> Iterator[subprocess.Popen[str]]:
    """Start a recorder and wait until it could begin; it begins when told to."""
    make_ledger_of_service(url)
    command = [sys.executable, "-m", "tests.support.recorder_process", mode, url, str(seed)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as started:
        try:
            assert started.stdout
            assert started.stdout.readline() == "ready\n"
            yield started
        finally:
            started.kill()


# Reading


def test_a_page_is_the_events_after_a_position_up_to_another_and_no_more_than_asked_for(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(ledger, *calls(3))
        pages = [ledger.store.page(*asked) for asked in ((0, 4, 99), (4, 4, 99), (4, 4, 5), (2, 9, 2), (6, 4, 99))]
    assert [[row.position for row in page] for page in pages] == [[1, 2, 3, 4], [5, 6], [5], [], []]


def test_a_stream_is_its_events_up_to_a_position_in_order(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(ledger, *calls(3))
        stream = call_id(("tag-1", SRC), 1)
        found = [[(row.position, row.version) for row in ledger.store.stream(stream, until)] for until in (9, 4, 1)]
    assert found == [[(2, 1), (5, 2)], [(2, 1)], []]


def test_beginnings_are_the_earlier_events_of_any_number_of_streams(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(ledger, *calls(1000))
        wanted = [(call_id((f"tag-{number}", SRC), 1).hex, 2) for number in range(0, 1000, 2)]
        first = wanted[0][0]
        rows = ledger.store.events_before_versions(wanted)
        assert sorted(row.stream for row in rows) == sorted(stream for stream, _ in wanted)
        assert {row.version for row in rows} == {1}
        assert [row.version for row in ledger.store.events_before_versions([(first, 3)])] == [1, 2]
        assert ledger.store.events_before_versions([(first, 1)]) == ledger.store.events_before_versions([]) == []


def test_by_stream_gives_each_event_once_and_streams_unbroken_however_the_ids_are_divided(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(ledger, *calls(40))
        until = 60
        whole = list(ledger.store.read_by_stream(until, "", "g"))
        bounds = ["", "2", "8f", "c", "g"]
        parts = [row for pair in pairwise(bounds) for row in ledger.store.read_by_stream(until, *pair)]
    assert parts == whole
    assert sorted(row.position for row in whole) == list(range(1, until + 1))
    assert [(row.stream, row.version) for row in whole] == sorted((row.stream, row.version) for row in whole)


def test_by_stream_goes_on_after_any_event_even_within_a_stream(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(ledger, *calls(12))
        until = ledger.head() - 1
        whole = list(ledger.store.read_by_stream(until, "", "g"))
        for number, row in enumerate(whole, start=1):
            assert list(ledger.store.read_by_stream(until, row.stream, "g", row.version)) == whole[number:]
        last = [row for row in whole if row.stream == whole[-1].stream]
        assert list(ledger.store.read_by_stream(until, last[0].stream, "g")) == last


def test_an_event_read_back_is_the_one_that_was_recorded(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(ledger, cdr(p="Zürich\r\n=1+1"))
        (row,) = ledger.store.page(0, 9, 9)
        assert isinstance(row.state, bytes)
        assert dict(decode_notice(row.state).params)["p"] == "Zürich\r\n=1+1"
        assert UUID(row.stream) == call_id((TAG, SRC), 1)
        assert row.stream_id == str(call_id((TAG, SRC), 1))


def test_a_readers_page_does_not_wait_for_a_writer_and_sees_nothing_unfinished(store_url: str) -> None:
    with opened(store_url) as ledger, opened(store_url) as reader:
        record(ledger, *calls(1))
        with ledger.store.transaction() as log:
            log.claim_delivery_key(b"k" * 32, 3)
            assert positions(reader) == [1, 2]
            assert (reader.head(), list(reader.store.quarantined(settled=True))) == (2, [])


# All or nothing


def test_a_transaction_that_fails_leaves_nothing_and_the_next_positions_have_no_gap(store_url: str) -> None:
    moment = START
    with opened(store_url, clock=lambda: moment) as ledger:
        record(ledger, cdr())
        lost = [callstatus("RINGING", GRACE), notice(type="fax"), cdr(9, srccharge="broken")]
        deliveries = [ledger.verify_delivery(signed(notice.pairs).encode(), notice.at) for notice in lost]
        moment = START + 10**12
        with pytest.raises(Mishap), ledger.recording() as recording:  # noqa: PT012
            assert [type(answer) for answer in recording.record_all(deliveries)] == [Recorded, Recorded, Quarantined]
            raise Mishap
        moment = START + 1
        assert positions(ledger) == [1]
        assert list(ledger.store.quarantined(settled=True)) == []
        answers = record(ledger, *lost[:2], cdr())
        assert [answer.position for answer in answers if isinstance(answer, Recorded | Duplicate)] == [2, 3, 1]
        assert ledger.notice_at(3).recorded_at == START + 1


def test_a_fact_noted_in_a_transaction_that_fails_is_not_kept(store_url: str) -> None:
    with opened(store_url) as ledger:
        with pytest.raises(Mishap), ledger.store.transaction() as log:  # noqa: PT012
            log.set_fact("mishap", "yes")
            assert log.get_fact("mishap") == "yes"
            raise Mishap
        assert "mishap" not in ledger.store.facts()


def test_a_version_that_is_taken_is_refused_and_nothing_beside_it_is_kept(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(ledger, cdr())
        stream = call_id((TAG, SRC), 1)
        notice = Notice(1, 1, 1, "callback", "off", "", [], (TAG, SRC), 1)
        events = [CdrRecorded(UUID(int=1), 1, notice), CdrRecorded(stream, 1, notice)]
        stored: list[StoredEvent] = [NoticeMapper().to_stored_event(event) for event in events]
        with pytest.raises(Exception, match=r"UNIQUE|unique|duplicate"):
            ledger.store.insert_events(stored)  # type: ignore[attr-defined]
        assert positions(ledger) == [1]


# Several at once


def test_processes_and_threads_that_create_and_record_at_one_moment_agree_on_everything(store_url: str) -> None:
    with process("share", store_url, 1) as one, process("share", store_url, 2) as two:
        for started in (one, two):
            assert started.stdin
            started.stdin.write("begin\n")
            started.stdin.flush()
        outputs = [started.communicate(timeout=60) for started in (one, two)]
    assert [errors for _, errors in outputs] == ["", ""]
    found = [json.loads(output) for output, _ in outputs]
    answers = [answer for process_found in found for answer in process_found["answers"]]
    wanted = {dict(notice.pairs)["r"] for notice in crowd()}

    assert found[0]["id"] == found[1]["id"]
    recorded = {r: position for r, kind, position in answers if kind == "Recorded"}
    assert Counter(r for r, kind, _ in answers if kind == "Recorded") == Counter(wanted)
    assert Counter(r for r, _, _ in answers) == Counter(dict.fromkeys(wanted, 4))
    assert all(position == recorded[r] for r, _, position in answers)
    with opened(store_url) as ledger:
        assert positions(ledger) == list(range(1, len(wanted) + 1))
        assert all(versions == list(range(1, len(versions) + 1)) for versions in streams(ledger).values())
        notices = [ledger.notice_at(position) for position in positions(ledger)]
        assert [notice.recorded_at for notice in notices] == sorted(notice.recorded_at for notice in notices)
        opening = Counter((notice.line, notice.ordinal) for notice in notices if notice.rule in (4, 7, 9))
        assert set(opening.values()) == {1}
        for tag in ("one", "two", "three"):
            ordinals = sorted(ordinal for (line, ordinal) in opening if line == (tag, SRC))
            assert ordinals == list(range(1, ledger.last_ordinal((tag, SRC)) + 1))


def test_what_was_promised_before_a_kill_is_there_after_it(store_url: str) -> None:
    with process("endless", store_url) as started:
        assert started.stdin
        assert started.stdout
        started.stdin.write("begin\n")
        started.stdin.flush()
        promised = [int(started.stdout.readline()) for _ in range(50)]
        started.kill()
        promised += [int(line) for line in started.stdout.read().splitlines() if line]
    with opened(store_url) as ledger:
        assert set(promised) <= set(positions(ledger))
        assert positions(ledger) == list(range(1, ledger.head() + 1))
        assert isinstance(record(ledger, cdr())[0], Recorded)


# A store that cannot: SQLite's own cases


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """Return a ledger in a file, which does not wait long for a lock."""
    monkeypatch.setattr(sqlite_connections, "LOCK_TIMEOUT_SECONDS", 0.05)
    with opened(f"sqlite:///{tmp_path}/ledger.db") as found:
        yield found


def test_a_locked_store_is_unavailable_keeps_nothing_and_works_once_it_is_free(ledger: Ledger) -> None:
    record(ledger, cdr())
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match=r"ledger\.db cannot be used now: database is locked"):
            record(ledger, *calls(2))
        assert ledger.head() == 1
    assert [type(answer) for answer in record(ledger, *calls(2))] == [Recorded] * 4
    assert positions(ledger) == [1, 2, 3, 4, 5]


def test_a_store_that_another_process_is_just_creating_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = threading.Timer(0.3, other.rollback)
        done.start()
        try:
            with opened(f"sqlite:///{path}") as ledger:
                assert isinstance(record(ledger, cdr())[0], Recorded)
        finally:
            done.join()


def test_a_full_store_is_unavailable_keeps_nothing_and_works_once_there_is_room(ledger: Ledger) -> None:
    record(ledger, cdr())
    large = [cdr(number, p="x" * 10_000) for number in range(1, 90)]
    limit(ledger, 60)
    with pytest.raises(StoreUnavailable, match="full"):
        record(ledger, *large)
    assert positions(ledger) == [1]
    assert list(ledger.store.quarantined(settled=True)) == []
    assert isinstance(record(ledger, callstatus("RINGING", 0))[0], Recorded)
    limit(ledger, MANY)
    assert [type(answer) for answer in record(ledger, *large)] == [Recorded] * len(large)
    assert positions(ledger) == list(range(1, len(large) + 3))


def limit(ledger: Ledger, pages: int) -> None:
    """Let the ledger's file have no more than so many pages."""
    with ledger.store.datastore.get_connection(commit=False) as connection:  # type: ignore[attr-defined]
        connection.cursor().sqlite_cursor.execute(f"PRAGMA max_page_count={pages}")


def test_a_disk_that_takes_no_more_bytes_is_unavailable_and_works_once_it_does(tmp_path: Path) -> None:
    with process("full", f"sqlite:///{tmp_path}/ledger.db") as started:
        output, errors = started.communicate("begin\n", timeout=60)
    assert errors == ""
    found = json.loads(output)
    assert found["kept"] > 0
    assert found["head"] == 3 * found["kept"]
    assert "cannot be used now" in found["refusal"]
    assert found["after"] == [found["head"] + 1, found["head"] + 2, found["head"] + 3]


def test_a_file_that_is_no_database_is_unavailable_and_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"no database, but somebody's text\n" * 99)
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match=r"ledger\.db cannot be used now: file is not a database"):
        Ledger(f"sqlite:///{path}", create=True)
    assert path.read_bytes() == before


def test_a_store_in_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="unable to open database file"):
        Ledger(f"sqlite:///{tmp_path}/missing/ledger.db", create=True)


@pytest.mark.parametrize("name", ["a b.db", "100%25.db", "what?mode=ro.db", "héllo#1.db"])
def test_a_path_with_awkward_characters_is_just_that_path(tmp_path: Path, name: str) -> None:
    with opened(f"sqlite:///{tmp_path}/{name}") as ledger:
        record(ledger, cdr())
    assert (tmp_path / name).exists()


def test_every_commit_waits_for_the_disk(ledger: Ledger) -> None:
    with ledger.store.datastore.get_connection(commit=False) as connection:  # type: ignore[attr-defined]
        cursor = connection.cursor().sqlite_cursor
        assert cursor.execute("PRAGMA synchronous").fetchone() == (2,)
        assert cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_process_that_reads_all_of_it_keeps_few_pages_in_every_connection(ledger: Ledger) -> None:
    record(ledger, callstatus())
    ledger.store.keep_few_pages()
    with ledger.store.snapshot() as one, ledger.store.snapshot() as other:
        sizes = [each._connection.execute("PRAGMA cache_size").fetchall() for each in (one, other)]  # type: ignore[attr-defined]
    assert sizes == [[(-2048,)], [(-2048,)]]
    assert [event.position for event in ledger.store.page(0, 10, 10)] == [1]


def test_the_head_of_a_line_is_found_without_walking_the_line(ledger: Ledger) -> None:
    with closing(sqlite3.connect(ledger.path)) as connection:
        for statement in (sqlite_line_calls._BY_SPAN, sqlite_line_calls._OVERLAPPING):
            plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", ("line", 1, 2)).fetchall()
            searches = [row[3] for row in plan if "line_calls" in row[3]]
            assert len(searches) == 4
            assert all("USING INDEX line_calls_by_beginning (line=? AND span=? AND first_at" in row for row in searches)


def test_a_url_is_the_path_after_three_slashes() -> None:
    assert sqlite_path("sqlite:///a/b.db") == "a/b.db"
    assert sqlite_path("sqlite:////a/b.db") == "/a/b.db"
    with pytest.raises(LedgerError):
        sqlite_path("postgresql://host/name")


def test_a_quarantine_number_is_never_given_twice(ledger: Ledger) -> None:
    first, second = record(ledger, cdr(1, srccharge="x"), cdr(2, srccharge="x"))
    assert isinstance(first, Quarantined)
    assert isinstance(second, Quarantined)
    with closing(sqlite3.connect(ledger.path)) as connection, connection:
        connection.execute("DELETE FROM quarantine WHERE id = ?", (second.entry,))
    (third,) = record(ledger, cdr(3, srccharge="x"))
    assert isinstance(third, Quarantined)
    assert third.entry > second.entry


def test_a_connection_to_a_file_is_used_again_before_another_one(tmp_path: Path) -> None:
    """Each would read again all pages that the other has written since."""
    with closing(sqlite_connections.SQLitePool(tmp_path / "ledger.db")) as pool:
        first, second = pool.get_connection(), pool.get_connection()
        pool.put_connection(second)
        pool.put_connection(first)
        for _ in range(3):
            again = pool.get_connection()
            assert again is first
            pool.put_connection(again)
