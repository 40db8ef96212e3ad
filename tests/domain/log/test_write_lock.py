"""The write lock on PostgreSQL: maintenance of the tables goes on beside writers, and programs of two schemas never write together."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Event, Thread

import psycopg
import pytest

from domain.errors import LedgerError, StoreUnavailable
from domain.ledger import Ledger
from domain.log.postgres import connections as postgres_connections
from domain.log.postgres import schema as postgres_schema
from domain.outcomes import Recorded
from tests.domain.log.test_log import positions, process
from tests.support.ledgers import opened, record
from tests.support.notices import cdr, signed
from tests.support.recorder_process import throng

SECONDS_MAX = 60
TABLES = "tringledger.stored_events, tringledger.line_calls, tringledger.ledger"
MAINTENANCE = {
    "vacuum": (f"VACUUM (FREEZE) {TABLES}",),
    "analyze": (f"ANALYZE {TABLES}",),
    "index": (
        "CREATE INDEX CONCURRENTLY mine ON tringledger.stored_events (topic)",
        "DROP INDEX CONCURRENTLY tringledger.mine",
    ),
}
# What a program of schema 1 does first in each of its transactions.
OLD_BEGIN = "BEGIN; LOCK TABLE tringledger.stored_events IN EXCLUSIVE MODE"
INSERT = "INSERT INTO tringledger.stored_events VALUES (%s, 'a', 1, 'topic', ''::bytea)"


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with opened(database) as found:
        record(found, cdr(0))
        yield found


@pytest.fixture
def administrator(database: str) -> Iterator[psycopg.Connection]:
    """Return a superuser's connection that waits for no lock longer than two seconds."""
    with closing(psycopg.connect(database, autocommit=True, options="-c lock_timeout=2s")) as connection:
        yield connection


@contextmanager
def recorded_meanwhile(url: str) -> Iterator[list[object]]:
    """Record one notice after another in a thread, each in a transaction of its own, until the end."""
    outcomes: list[object] = []
    ending = Event()

    def run() -> None:
        with opened(url) as writer:
            while not ending.is_set():
                try:
                    outcomes.extend(record(writer, cdr(len(outcomes), tag="meanwhile")))
                except StoreUnavailable as error:
                    outcomes.append(error)

    thread = Thread(target=run)
    thread.start()
    try:
        yield outcomes
    finally:
        ending.set()
        thread.join(SECONDS_MAX)


# Maintenance beside writers


@pytest.mark.parametrize("name", ["vacuum", "analyze"])
def test_maintenance_does_not_wait_for_a_transaction_that_writes(
    ledger: Ledger, administrator: psycopg.Connection, name: str
) -> None:
    with ledger.recording() as recording:
        recording.record_all([])
        for statement in MAINTENANCE[name]:
            administrator.execute(statement.encode())


def test_a_writer_does_not_wait_for_maintenance_that_takes_long(
    ledger: Ledger, administrator: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres_connections._SESSION, "lock_timeout", "500ms")
    # The lock of VACUUM, ANALYZE and CREATE INDEX CONCURRENTLY, for as long as they run.
    administrator.execute(f"BEGIN; LOCK TABLE {TABLES} IN SHARE UPDATE EXCLUSIVE MODE".encode())
    with opened(ledger.url) as writer:
        assert [type(outcome) for outcome in record(writer, cdr(1), cdr(2))] == [Recorded, Recorded]


@pytest.mark.parametrize("statements", MAINTENANCE.values(), ids=MAINTENANCE)
def test_maintenance_and_callbacks_go_on_side_by_side_without_a_refusal(
    ledger: Ledger, administrator: psycopg.Connection, statements: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres_connections._SESSION, "lock_timeout", "2s")
    with recorded_meanwhile(ledger.url) as outcomes:
        rounds = 0
        while rounds < 3 or len(outcomes) < 20:
            for statement in statements:
                administrator.execute(statement.encode())
            rounds += 1
    assert {type(outcome) for outcome in outcomes} == {Recorded}
    assert positions(ledger) == list(range(1, 2 + len(outcomes)))


@pytest.mark.thorough
def test_positions_of_two_processes_have_no_gap_while_the_tables_are_vacuumed(
    ledger: Ledger, administrator: psycopg.Connection
) -> None:
    with process("throng", ledger.url, 1) as one, process("throng", ledger.url, 2) as other:
        for writer in (one, other):
            assert writer.stdin
            writer.stdin.write("begin\n")
            writer.stdin.flush()
        while one.poll() is None or other.poll() is None:
            administrator.execute(MAINTENANCE["vacuum"][0].encode())
        assert [writer.communicate(timeout=SECONDS_MAX)[1] for writer in (one, other)] == ["", ""]
    assert positions(ledger) == list(range(1, len(throng()) + 2))


# One writer at a time


def test_a_transaction_sees_what_the_one_that_it_waited_for_has_committed(ledger: Ledger) -> None:
    waited: list[int] = []

    def run() -> None:
        with opened(ledger.url) as second, second.store.transaction() as transaction:
            waited.append(transaction.position)

    with ledger.recording() as recording:
        thread = Thread(target=run)
        thread.start()
        thread.join(0.3)
        assert waited == []
        notice = cdr(1)
        recording.record_all([ledger.verify_delivery(signed(notice).encode(), notice.at)])
    thread.join(SECONDS_MAX)
    assert waited == [2]


def test_a_program_of_the_schema_before_excludes_ours_while_it_holds_its_lock(
    ledger: Ledger, administrator: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres_connections._SESSION, "lock_timeout", "500ms")
    administrator.execute(OLD_BEGIN.encode())
    with opened(ledger.url, clock=lambda: 1) as writer:
        # Before it reads, whatever it is going to write.
        with pytest.raises(StoreUnavailable, match="lock timeout"), writer.store.transaction():
            pass
        administrator.execute("ROLLBACK")
        assert isinstance(record(writer, cdr(1))[0], Recorded)


def test_a_program_of_the_schema_before_that_still_runs_can_append_nothing(
    ledger: Ledger, administrator: psycopg.Connection
) -> None:
    administrator.execute(OLD_BEGIN.encode())
    with pytest.raises(psycopg.errors.RaiseException, match="log schema 3; got a program that does not know it"):
        administrator.execute(INSERT, (2,))
    assert positions(ledger) == [1]


def test_a_ledger_of_the_schema_before_is_refused_until_it_is_migrated(
    ledger: Ledger, administrator: psycopg.Connection
) -> None:
    for table, name in postgres_schema.TRIGGERS:
        administrator.execute(f"DROP TRIGGER {name} ON tringledger.{table}".encode())
    functions = ("refuse_change", "check_writer", "count_quarantined")
    administrator.execute(f"DROP FUNCTION {', '.join(f'tringledger.{name}' for name in functions)}".encode())
    administrator.execute("UPDATE tringledger.ledger SET value = '1' WHERE name = 'schema'")
    with pytest.raises(
        LedgerError, match="has schema 1, and this version of tringledger knows 3: run `tringledger mig"
    ):
        Ledger(ledger.url)
    with closing(Ledger(ledger.url, create=True)) as upgraded:
        assert upgraded.found_schema == 1
        assert upgraded.id == ledger.id
    with opened(ledger.url) as writer:
        assert isinstance(record(writer, cdr(1))[0], Recorded)
    with pytest.raises(psycopg.errors.RaiseException):
        administrator.execute(INSERT, (3,))
    assert positions(ledger) == [1, 2]


def test_creating_the_tables_again_changes_nothing_and_waits_for_no_writer(ledger: Ledger) -> None:
    with opened(ledger.url) as other, ledger.recording() as recording:
        other.store.create()
        notice = cdr(1)
        recording.record_all([ledger.verify_delivery(signed(notice).encode(), notice.at)])
    assert positions(ledger) == [1, 2]


# Events never change


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tringledger.stored_events SET topic = 'other'",
        "UPDATE tringledger.stored_events SET topic = 'other' WHERE position = 9",
        "DELETE FROM tringledger.stored_events WHERE position = 1",
        "TRUNCATE tringledger.stored_events",
    ],
)
def test_not_even_a_superuser_changes_or_deletes_events(
    ledger: Ledger, administrator: psycopg.Connection, statement: str
) -> None:
    before = ledger.store.page(0, 9, 9)
    with pytest.raises(psycopg.errors.RaiseException, match="events are never changed or deleted"):
        administrator.execute(statement.encode())
    assert ledger.store.page(0, 9, 9) == before
