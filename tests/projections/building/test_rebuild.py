"""Rebuild and check: they find what differs, mend it, and leave the live read models alone until they are done (SPEC 7)."""

import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from uuid import UUID

import msgspec
import psycopg
import pytest
from eventsourcing.persistence import StoredEvent

from domain.events.notice_events import CallStatusRecorded, Notice, VoicemailRecorded
from domain.events.streams import call_id
from domain.ledger import Ledger
from projections.building import rebuild as rebuilding
from projections.building.catch_up import ProjectionStopped, catch_up
from projections.building.comparison import RowDifference
from projections.building.rebuild import check_read_models, rebuild
from projections.schema.column_kinds import ColumnKind
from projections.schema.read_models import STORED_TABLES
from projections.schema.tables import CALLS, CHANNELS
from projections.stores.generations import ReadModelsUnusable, RebuildRunning, generation_of, generations, open_current
from projections.stores.sqlite import SQLiteGenerations
from projections.stores.upsert import put_rows
from tests.support.ledgers import opened, record, tables
from tests.support.notices import GRACE, SRC, START, TAG, callstatus, cdr, notice
from tests.support.operator_histories import followed

ROOT = Path(__file__).parents[3]
LOG = [
    callstatus("SRCANSWERED"),
    callstatus("COMPLETED", 1),
    cdr(2, srccharge="1.5", destduration="60"),
    callstatus("SRCFAILED", 9 * GRACE),
    notice(type="voicemail", email="bob@example.com"),
    notice(type="deletechannel"),
    notice(type="fax"),
]
CALL = str(call_id((TAG, SRC), 1))
GOOD = Notice(1, START, START, "callback", "off", "", [("f", "tm")], ("a", "b"), 1)
BUILDER = """
import sys
from domain.ledger import Ledger
from projections.building.rebuild import rebuild

def halt(done, total):
    print("half-way", flush=True)
    sys.stdin.read()

rebuild(Ledger(sys.argv[1]), halt)
"""


@pytest.fixture
def url(store_url: str) -> str:
    """Return the address of the ledger's store, of each kind in turn."""
    return store_url


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """Return a ledger with a few events, and read models that know them."""
    yield from a_ledger(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return the address of a store in a file, for what is done to files."""
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def sqlite_ledger(sqlite_url: str) -> Iterator[Ledger]:
    """Return such a ledger in a file."""
    yield from a_ledger(sqlite_url)


def a_ledger(url: str) -> Iterator[Ledger]:
    with opened(url) as found:
        record(found, *LOG)
        follow(found)
        yield found


def follow(ledger: Ledger) -> int:
    """Catch up the current read models, and return their position."""
    store = open_current(ledger)
    try:
        return catch_up(ledger, store)
    finally:
        store.close()


def position(ledger: Ledger) -> int:
    """Return where the current read models are."""
    store = open_current(ledger)
    try:
        with store.snapshot() as connection:
            return store.position(connection, ledger.store)
    finally:
        store.close()


def tamper(ledger: Ledger, statement: str, *parameters: object) -> None:
    """Change the current read models behind their back."""
    with closing(open_current(ledger)) as store, store.transaction() as connection:
        placeholder = "?" if connection.dialect.name == "sqlite" else "%s"
        assert connection.exec_driver_sql(statement.replace("?", placeholder), parameters).rowcount == 1


def insert(ledger: Ledger, topic: str, state: bytes, stream: UUID = UUID(int=7), version: int = 1) -> int:  # noqa: B008
    """Put an event into the log as it stands, and a sound one after it; return the first one's position."""
    sound = StoredEvent(UUID(int=8), 1, CallStatusRecorded.TOPIC, msgspec.json.encode(GOOD))
    stored = [StoredEvent(stream, version, topic, state), sound]
    return ledger.store.insert_events(stored)[0]  # type: ignore[attr-defined, no-any-return]


def path_of(ledger: Ledger, generation: int) -> Path:
    """Return the file of a generation of the read models."""
    return SQLiteGenerations(Path(ledger.path), ledger.id).path(generation)


def kept(ledger: Ledger) -> set[int]:
    """Return which generations there are, in files or places."""
    if ledger.url.startswith("sqlite"):
        return {int(path.stem.rpartition("-")[2]) for path in Path(ledger.path).parent.glob("*.read-*.db")}
    with psycopg.connect(ledger.url) as connection:
        return {
            number
            for slot in (1, 2)
            for (number,) in connection.execute(f"SELECT number FROM tringledger_read_{slot}.generation".encode())
        }


class TestGivenNoReadModels:
    def test_a_rebuild_makes_them_once(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        expected = tables(ledger)
        generations(ledger).remove(generation_of(ledger))
        monkeypatch.setattr(
            rebuilding, "catch_up", lambda *_: pytest.fail("they were made a second time, to be compared")
        )
        report = rebuild(ledger)
        assert (report.position, report.found, report.certificate.last) == (None, 0, len(LOG))
        assert tables(ledger) == expected


class TestGivenReadModelsThatAreRight:
    def test_a_check_finds_nothing_and_leaves_no_file(self, ledger: Ledger) -> None:
        before = kept(ledger)
        assert check_read_models(ledger)[:3] == ([], 0, len(LOG))
        assert kept(ledger) == before

    def test_a_check_catches_up_first_unless_told_not_to(self, ledger: Ledger) -> None:
        record(ledger, cdr(20 * GRACE))
        assert check_read_models(ledger, catch_up_first=False)[:3] == ([], 0, len(LOG))
        assert position(ledger) == len(LOG)
        assert check_read_models(ledger)[:3] == ([], 0, len(LOG) + 1)
        assert position(ledger) == len(LOG) + 1

    def test_a_rebuild_shows_the_same_in_a_new_generation(self, ledger: Ledger) -> None:
        before, generation = tables(ledger), generation_of(ledger)
        assert rebuild(ledger)[:3] == ([], 0, len(LOG))
        assert tables(ledger) == before
        assert generation_of(ledger) == generation + 1
        assert kept(ledger) == {generation + 1}

    def test_a_rebuilt_generation_follows_on(self, ledger: Ledger) -> None:
        rebuild(ledger)
        record(ledger, cdr(20 * GRACE, srccharge="2"))
        assert follow(ledger) == len(LOG) + 1
        assert check_read_models(ledger).found == 0
        assert len(tables(ledger)["cdrs"]) == 2

    def test_the_progress_ends_with_all_events(self, ledger: Ledger) -> None:
        told: list[tuple[int, int]] = []
        rebuild(ledger, lambda done, total: told.append((done, total)))
        assert told[-1] == (len(LOG), len(LOG))
        assert told == sorted(told)

    def test_an_empty_ledger_can_be_checked_and_rebuilt(self, url: str) -> None:
        with opened(url) as ledger:
            assert check_read_models(ledger)[:3] == rebuild(ledger)[:3] == ([], 0, 0)
            assert not any(tables(ledger).values())

    def test_events_recorded_meanwhile_are_not_lost(self, ledger: Ledger) -> None:
        late = [cdr(30 * GRACE, srccharge="3"), cdr(40 * GRACE, srccharge="4")]

        def record_late(_done: int, _total: int) -> None:
            if late:
                record(ledger, late.pop())

        report = rebuild(ledger, record_late)
        assert report.found == 0
        follow(ledger)
        assert [row[11] for row in tables(ledger)["cdrs"]] == [1_500_000, 4_000_000]
        assert check_read_models(ledger).found == 0


class TestGivenReadModelsThatAreWrong:
    def test_a_tampered_row_is_found_with_what_it_is_and_what_it_should_be(self, ledger: Ledger) -> None:
        tamper(ledger, "UPDATE cdrs SET src_charge = 1500001")
        tamper(ledger, "UPDATE billing SET cost = 1")
        tamper(ledger, "UPDATE calls SET disposition = 'BUSY' WHERE call_id = ?", CALL)
        report = check_read_models(ledger)
        assert report.found == 3
        assert report.differences == [
            RowDifference("calls", "1", "disposition", "BUSY", "ANSWERED", ColumnKind.TEXT),
            RowDifference("cdrs", f"3, {CALL}", "src_charge", 1_500_001, 1_500_000, ColumnKind.AMOUNT),
            RowDifference("billing", "sales, 2026-10", "cost", 1, 1_500_000, ColumnKind.TOTAL),
        ]

    @pytest.mark.parametrize("name", STORED_TABLES)
    def test_a_missing_row_of_any_read_model_is_found(self, ledger: Ledger, name: str) -> None:
        with ledger.operator_session("kim", "so that every table has a row") as session:
            session.publish_tariff('[[rules]]\ntag = "*"\nmarkup_percent = 10')
            session.close_month("2026-01")
            session.adjust_account("acme", 5)
            session.resolve_exception("suspect", 3)
        followed(ledger)
        table = STORED_TABLES[name]
        keys = ", ".join(column.name for column in table.primary_key)
        tamper(
            ledger,
            f"DELETE FROM {table.name} WHERE ({keys}) IN (SELECT {keys} FROM {table.name} ORDER BY {keys} LIMIT 1)",
        )
        (difference,) = check_read_models(ledger).differences
        assert (difference.model, difference.column, difference.live, difference.fresh) == (
            name,
            "(row)",
            None,
            "present",
        )

    def test_a_row_too_many_is_found_wherever_it_stands(self, ledger: Ledger) -> None:
        for number in (0, 5, 999):
            tamper(ledger, "INSERT INTO channels VALUES (?, 1, 'a', 'b')", number)
        found = [(one.model, one.row, one.live, one.fresh) for one in check_read_models(ledger).differences]
        assert found == [("channels", number, "present", None) for number in ("0", "5", "999")]

    def test_a_float_where_a_whole_number_was_is_found(self, sqlite_ledger: Ledger) -> None:
        ledger = sqlite_ledger
        tamper(ledger, "UPDATE billing SET cost = cost + 0.5")
        (difference,) = check_read_models(ledger).differences
        assert (difference.model, difference.column, difference.fresh) == ("billing", "cost", 1_500_000)
        assert type(difference.live) is float
        assert type(difference.fresh) is int

    def test_a_rebuild_says_what_was_wrong_and_mends_it(self, ledger: Ledger) -> None:
        right = tables(ledger)
        tamper(ledger, "UPDATE cdrs SET src_charge = 0")
        tamper(ledger, "DELETE FROM exceptions")
        assert rebuild(ledger).found == 2
        assert tables(ledger) == right
        assert check_read_models(ledger).found == 0

    def test_only_so_many_differences_are_shown_and_all_are_counted(self, ledger: Ledger) -> None:
        store = open_current(ledger)
        with store.transaction() as connection:
            rows = [(number, 1, "", "") for number in range(1000, 1500)]
            put_rows(connection, CHANNELS, rows)
        store.close()
        report = check_read_models(ledger)
        assert (len(report.differences), report.found) == (200, 500)


def until_another_may_rebuild(ledger: Ledger) -> None:
    """Wait until a database has noticed that whoever rebuilt is gone."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        with suppress(RebuildRunning), generations(ledger).rebuild_lock():
            return
        time.sleep(0.02)


class TestBesideReadersAndBesideEachOther:
    def test_a_reader_of_the_old_generation_goes_on_while_new_ones_see_the_new(self, ledger: Ledger) -> None:
        old = open_current(ledger)
        with old.snapshot() as connection:
            before = connection.execute(CALLS.select()).fetchall()
            rebuild(ledger)
            record(ledger, cdr(20 * GRACE))
            follow(ledger)
            assert connection.execute(CALLS.select()).fetchall() == before
        old.close()
        assert len(tables(ledger)["calls"]) == len(before) + 1

    def test_two_rebuilds_at_once_are_refused_and_the_first_goes_on(self, ledger: Ledger) -> None:
        refusals: list[str] = []

        def again(_done: int, _total: int) -> None:
            for attempt in (rebuild, check_read_models):
                with pytest.raises(RebuildRunning, match="another rebuild is running") as refusal:
                    attempt(ledger)
                refusals.append(str(refusal.value))

        assert rebuild(ledger, again).found == 0
        assert refusals
        assert rebuild(ledger).found == 0

    def test_a_rebuild_that_is_killed_half_way_leaves_the_live_ones_and_the_next_one_works(
        self, ledger: Ledger
    ) -> None:
        before, generation = tables(ledger), generation_of(ledger)
        command = [sys.executable, "-c", BUILDER, ledger.url]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as building:
            assert building.stdout
            assert building.stdout.readline() == "half-way\n"
            with pytest.raises(RebuildRunning):
                rebuild(ledger)
            building.kill()
        until_another_may_rebuild(ledger)
        assert (tables(ledger), generation_of(ledger)) == (before, generation)
        assert check_read_models(ledger).found == 0
        assert rebuild(ledger).found == 0
        assert (tables(ledger), generation_of(ledger)) == (before, generation + 1)
        assert kept(ledger) == {generation + 1}

    def test_a_rebuild_that_fails_leaves_the_live_ones_and_no_file(self, ledger: Ledger) -> None:
        def fail(_done: int, _total: int) -> None:
            raise InterruptedError

        before, generations_before = tables(ledger), kept(ledger)
        with pytest.raises(InterruptedError):
            rebuild(ledger, fail)
        assert (tables(ledger), kept(ledger)) == (before, generations_before)

    def test_a_rebuild_that_begins_as_another_ends_builds_beside_what_that_one_made(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before, stores = tables(ledger), type(generations(ledger))
        only_one = stores.rebuild_lock

        @contextmanager
        def after_another(self: SQLiteGenerations) -> Iterator[None]:
            monkeypatch.setattr(stores, "rebuild_lock", only_one)
            rebuild(ledger)
            with only_one(self):
                yield

        monkeypatch.setattr(stores, "rebuild_lock", after_another)
        meanwhile: list[bool] = []
        rebuild(ledger, lambda _done, _total: meanwhile.append(tables(ledger) == before))
        assert meanwhile
        assert all(meanwhile)
        assert tables(ledger) == before
        assert kept(ledger) == {generation_of(ledger)}

    def test_a_check_throws_its_build_away_before_another_may_begin_its_own(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stores = type(generations(ledger))
        removed, free = stores.remove, []

        def remove(self: SQLiteGenerations, generation: int) -> None:
            with suppress(RebuildRunning), self.rebuild_lock():
                free.append(generation)
            removed(self, generation)

        monkeypatch.setattr(stores, "remove", remove)
        check_read_models(ledger)
        assert free == []

    def test_read_models_that_another_process_is_just_creating_are_waited_for(self, sqlite_url: str) -> None:
        with (
            opened(sqlite_url) as ledger,
            closing(sqlite3.connect(path_of(ledger, 1), isolation_level=None, check_same_thread=False)) as other,
        ):
            other.execute("BEGIN IMMEDIATE")
            done = threading.Timer(0.3, other.rollback)
            done.start()
            try:
                assert follow(ledger) == 0
            finally:
                done.join()


class TestGivenALogThatIsNotTheOneThatWasFollowed:
    def test_read_models_ahead_of_the_log_are_refused_by_name_and_a_rebuild_mends_them(self, ledger: Ledger) -> None:
        tamper(ledger, "UPDATE progress SET position = 99")
        ahead = "are at position 99, ahead of the log's head 7.*run `tringledger rebuild`"
        with pytest.raises(ReadModelsUnusable, match=ahead):
            follow(ledger)
        with pytest.raises(ReadModelsUnusable, match=ahead):
            check_read_models(ledger)
        assert rebuild(ledger).position is None
        assert (position(ledger), check_read_models(ledger).found) == (len(LOG), 0)

    def test_read_models_ahead_of_a_restored_log_are_refused_by_name_and_a_rebuild_mends_them(
        self, sqlite_url: str
    ) -> None:
        with opened(sqlite_url) as ledger:
            record(ledger, *LOG[:3])
        shutil.copy(ledger.path, ledger.path + ".copy")
        with opened(sqlite_url) as ledger:
            record(ledger, *LOG[3:])
            follow(ledger)
        for path in (Path(ledger.path + "-wal"), Path(ledger.path + "-shm")):
            path.unlink(missing_ok=True)
        shutil.copy(ledger.path + ".copy", ledger.path)
        with opened(sqlite_url) as ledger:
            assert ledger.head() == 3
            ahead = r"ledger\.db\.read-1\.db are at position 7, ahead of the log's head 3.*run `tringledger rebuild`"
            with pytest.raises(ReadModelsUnusable, match=ahead):
                follow(ledger)
            with pytest.raises(ReadModelsUnusable, match=ahead):
                check_read_models(ledger)
            rebuild(ledger)
            assert (position(ledger), len(tables(ledger)["calls"])) == (3, 1)
            record(ledger, *LOG[3:])
            assert follow(ledger) == 7
            assert check_read_models(ledger).found == 0

    def test_read_models_of_another_past_of_the_log_are_refused_by_a_check_and_mended_by_a_rebuild(
        self, sqlite_url: str
    ) -> None:
        with opened(sqlite_url) as ledger:
            record(ledger, *LOG[:3])
        shutil.copy(ledger.path, ledger.path + ".copy")
        with opened(sqlite_url) as ledger:
            record(ledger, *LOG[3:])
            follow(ledger)
        shutil.copy(ledger.path + ".copy", ledger.path)
        with opened(sqlite_url) as ledger:
            record(ledger, *[cdr(number * GRACE, srcduration=str(number)) for number in range(20, 30)])
            with pytest.raises(ReadModelsUnusable, match="the event at position 7 is not the one that they know"):
                check_read_models(ledger)
            assert rebuild(ledger).position is None
            assert check_read_models(ledger).found == 0
            assert len(tables(ledger)["calls"]) == 11

    def test_read_models_of_another_ledger_or_schema_are_refused_by_name_and_a_rebuild_mends_them(
        self, ledger: Ledger
    ) -> None:
        for change, named in (
            ("schema = 99", "have schema 99, and this version"),
            ("ledger = 'x'", "are those of ledger x"),
        ):
            tamper(ledger, f"UPDATE progress SET {change}")
            with pytest.raises(ReadModelsUnusable, match=named):
                follow(ledger)
            with pytest.raises(ReadModelsUnusable, match=named):
                check_read_models(ledger)
            rebuild(ledger)
            assert follow(ledger) == len(LOG)

    def test_read_models_that_are_gone_begin_anew(self, ledger: Ledger) -> None:
        before = tables(ledger)
        generations(ledger).remove(1)
        assert follow(ledger) == len(LOG)
        assert tables(ledger) == before

    def test_read_models_that_are_no_database_are_refused_by_name_with_their_cure(self, sqlite_ledger: Ledger) -> None:
        ledger = sqlite_ledger
        path = path_of(ledger, generation_of(ledger))
        for beside in path.parent.glob(path.name + "-*"):
            beside.unlink()
        path.write_bytes(b"somebody's text\n" * 999)
        with pytest.raises(ReadModelsUnusable, match=r"ledger\.db\.read-1\.db are damaged.*run `tringledger rebuild`"):
            open_current(ledger)


class TestGivenAnEventThatCannotBeProjected:
    @pytest.mark.parametrize(
        ("topic", "state"),
        [
            (CallStatusRecorded.TOPIC, b"{"),
            (CallStatusRecorded.TOPIC, b"{}"),
            (CallStatusRecorded.TOPIC, msgspec.json.encode(GOOD).replace(b'"v":1', b'"v":99')),
            (VoicemailRecorded.TOPIC, b"\xff"),
            (VoicemailRecorded.TOPIC, b'{"v":99}'),
            ("tringledger:from-a-later-version", msgspec.json.encode(GOOD)),
        ],
    )
    def test_an_event_that_cannot_be_read_stops_with_its_position_and_is_never_skipped(
        self, ledger: Ledger, topic: str, state: bytes
    ) -> None:
        before = tables(ledger)
        bad = insert(ledger, topic, state)
        for _ in range(2):
            with pytest.raises(ProjectionStopped, match=f"the event at position {bad} cannot be projected"):
                follow(ledger)
        assert position(ledger) < bad
        assert tables(ledger) == before
        with pytest.raises(ProjectionStopped, match=f"position {bad}"):
            rebuild(ledger)
        assert (tables(ledger), generation_of(ledger)) == (before, 1)

    def test_an_event_whose_values_no_read_model_can_hold_stops_with_its_position(self, ledger: Ledger) -> None:
        params = [("f", "tm"), ("type", "cdr"), ("srccharge", "much")]
        bad = insert(
            ledger, "tringledger:cdr-recorded", msgspec.json.encode(msgspec.structs.replace(GOOD, params=params))
        )
        with pytest.raises(ProjectionStopped, match=f"position {bad}"):
            follow(ledger)

    def test_an_event_in_a_call_that_is_known_already_stops_with_its_own_position(self, ledger: Ledger) -> None:
        bad = insert(ledger, CallStatusRecorded.TOPIC, b"{}", call_id((TAG, SRC), 1), 4)
        with pytest.raises(ProjectionStopped, match=f"position {bad}"):
            follow(ledger)
