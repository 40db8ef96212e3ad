"""The library's way to a read model, as its pages show it: a Projection and a view that tracks each event on its own.

The log side is in memory, because the library cannot follow SQLite, and reads events with our quick mapper. The view does
the main part of what ours does: a row for each call, one for each CDR, and the totals by month and by day. It can be told not
to wait for the disk, as ours does not: what is left to compare then is one transaction an event against one a page.
"""

import sqlite3
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID

import msgspec
from eventsourcing.application import Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.persistence import ApplicationRecorder, Mapper, StoredEvent, Tracking
from eventsourcing.popo import POPOApplicationRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.sqlite import (
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteTrackingRecorder,
)

from domain import times
from domain.calls.correlation import CallHead
from domain.events.codec import NoticeMapper
from domain.events.notice_events import CallStatusRecorded, CdrRecorded
from domain.ledger import Ledger
from domain.notices.call_notice import CallNotice, Charges, read_call_notice

Log = POPOApplicationRecorder

FOLLOW_SECONDS_MAX = 300

TABLES = (
    "CREATE TABLE IF NOT EXISTS calls (call_id TEXT PRIMARY KEY, tag TEXT, src TEXT, head TEXT) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS cdrs (
        call_id TEXT PRIMARY KEY, tag TEXT, src TEXT, status TEXT, cdr_at INTEGER, src_seconds INTEGER,
        dest_seconds INTEGER, src_charge INTEGER, dest_charge INTEGER, src_credits INTEGER, dest_credits INTEGER,
        cost INTEGER, day TEXT) WITHOUT ROWID""",
    *(
        f"""CREATE TABLE IF NOT EXISTS {table} (
            account TEXT, period TEXT, calls INTEGER, seconds INTEGER, cost INTEGER, PRIMARY KEY (account, period))
            WITHOUT ROWID"""
        for table in ("billing", "billing_days")
    ),
)
PUT_CALL = "INSERT INTO calls VALUES (?, ?, ?, ?) ON CONFLICT (call_id) DO UPDATE SET head = excluded.head"
PUT_CDR = "INSERT OR IGNORE INTO cdrs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
ADD_TOTALS = (
    "INSERT INTO {table} VALUES (?, ?, 1, ?, ?) ON CONFLICT (account, period) DO UPDATE SET"
    " calls = calls + 1, seconds = seconds + excluded.seconds, cost = cost + excluded.cost"
)

_encode = msgspec.json.encode
_decode_head = msgspec.json.Decoder(CallHead).decode


def log_of(ledger: Ledger, count: int) -> Log:
    """Return a log in memory with the first events of a ledger."""
    log = Log()
    rows = ledger.store.page(0, count, count)
    log.insert_events([StoredEvent(UUID(row.stream), row.version, row.topic, row.state) for row in rows])
    return log


def follow(log: Log, path: Path, *, waits_for_disk: bool) -> None:
    """Bring a new view in a file up to the end of a log; raises TimeoutError where that takes minutes."""
    last, done = log.max_notification_id() or 0, Event()

    class Notices(Application[UUID]):
        def construct_recorder(self) -> ApplicationRecorder:
            return log

        def construct_mapper(self) -> Mapper[UUID]:
            return NoticeMapper()

    class Calls(CallsProjection):
        def process_event(self, domain_event: Any, tracking: Tracking) -> None:
            super().process_event(domain_event, tracking)
            if tracking.notification_id == last:
                done.set()

    settings = {"CALLS_PERSISTENCE_MODULE": "eventsourcing.sqlite", "CALLS_SQLITE_DBNAME": str(path)}
    view = CallsView if waits_for_disk else HastyCallsView
    with ProjectionRunner(application_class=Notices, projection_class=Calls, view_class=view, env=settings):
        if not done.wait(FOLLOW_SECONDS_MAX):
            raise TimeoutError


class CallsView(SQLiteTrackingRecorder):
    """Tables of calls, CDRs and totals, and how far they have come; connections as the library makes them."""

    def construct_create_table_statements(self) -> list[str]:
        """Return the statements that make the tables."""
        return [*super().construct_create_table_statements(), *TABLES]

    def apply(self, call_id: UUID, said: CallNotice, tracking: Tracking) -> None:
        """Fold a notice into its call's rows and note that it was done, in one transaction."""
        with self.datastore.transaction(commit=True) as cursor:
            head = self._head(cursor, call_id) or CallHead(0, said.received_at, said.received_at)
            head.apply(said)
            cursor.execute(PUT_CALL, (call_id.hex, said.tag, said.src, _encode(head)))
            if said.charges is not None:
                self._bill(cursor, call_id, said, said.charges)
            self._insert_tracking(cursor, tracking)

    def _head(self, cursor: SQLiteCursor, call_id: UUID) -> CallHead | None:
        cursor.execute("SELECT head FROM calls WHERE call_id = ?", (call_id.hex,))
        row: sqlite3.Row | None = cursor.fetchone()
        return None if row is None else _decode_head(row["head"])

    def _bill(self, cursor: SQLiteCursor, call_id: UUID, said: CallNotice, numbers: Charges) -> None:
        day, cost = times.day(said.received_at, "UTC"), numbers.cost
        cursor.execute(PUT_CDR, (call_id.hex, said.tag, said.src, said.status, said.received_at, *numbers, cost, day))
        for table, period in (("billing", day[:7]), ("billing_days", day)):
            cursor.execute(ADD_TOTALS.format(table=table), (said.tag, period, numbers.dest_seconds or 0, cost))


class HastyCallsView(CallsView):
    """The same, with connections that do not wait for the disk at each commit."""

    def __init__(self, datastore: SQLiteDatastore, **options: Any) -> None:
        """Take the library's datastore, and make its connections anew."""
        datastore.pool = _HastyPool(db_name=datastore.pool.db_name)
        super().__init__(datastore, **options)


class _HastyPool(SQLiteConnectionPool):
    def _create_connection(self) -> SQLiteConnection:
        connection = super()._create_connection()
        connection.cursor().execute("PRAGMA synchronous=NORMAL")
        return connection


class CallsProjection(Projection[CallsView]):
    """Follows the notices into the table of calls."""

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:  # noqa: ARG002
        self.view.insert_tracking(tracking)

    @process_event.register(CallStatusRecorded)
    @process_event.register(CdrRecorded)
    def _(self, domain_event: CallStatusRecorded | CdrRecorded, tracking: Tracking) -> None:
        said = read_call_notice(dict(domain_event.notice.params), domain_event.notice.received_at)
        self.view.apply(domain_event.originator_id, said, tracking)
