"""The log in one PostgreSQL database, shared by any number of processes and hosts: one writes at a time, readers never wait.

The tables and the transaction are ours, as on SQLite. The library's recorder numbers events by a sequence, which leaves
gaps, and writes a recorder's own rows before it takes the lock, which deadlocks.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import psycopg
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    Notification,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    TrackingRecorder,
)
from eventsourcing.utils import Environment

from domain.events.log_row import POSITION_MAX, LogRow
from domain.log.continuity import Continuity
from domain.log.contract import QuarantineEntry
from domain.log.postgres.connections import ConnectionPool, check_url
from domain.log.postgres.copy_access import PostgresFill, PostgresSnapshot
from domain.log.postgres.lock import PostgresLock
from domain.log.postgres.schema import SCHEMA, SCHEMA_NUMBER, create
from domain.log.postgres.transaction import POSITIONS_OF_KEYS, POSITIONS_OF_SIGNATURES, PostgresTransaction
from domain.log.tables import COPYING, TABLES, check_not_copying, oldest_open_query

__all__ = ["PostgresLog", "PostgresLogFactory", "check_url"]

EVENT = "position, stream, version, topic, state"
ROWS_AT_ONCE = 1000
# A table without an index in the wanted order is sorted as a whole before its first row arrives.
SORTING_SECONDS_MAX = 3600


class PostgresLog(ApplicationRecorder):
    """The log in a PostgreSQL database; see Log for what each method does."""

    is_remote = True
    schema = SCHEMA_NUMBER

    def __init__(self, connections: ConnectionPool) -> None:
        """Use the connections of a pool."""
        self._connections = connections
        self._continuity = Continuity()

    def create(self) -> None:  # noqa: D102
        with self._connections.borrow() as connection:
            create(connection)

    @contextmanager
    def transaction(self) -> Iterator[PostgresTransaction]:  # noqa: D102
        with self._connections.borrow_for_writing() as connection:
            try:
                transaction = PostgresTransaction(connection)
                self._continuity.check_continues(transaction.position, transaction.last_state, transaction.state_at)
                check_not_copying(transaction.get_fact(COPYING))
                yield transaction
                transaction.commit()
                self._continuity.note(transaction.position, transaction.last_state)
            except BaseException:
                with suppress(psycopg.Error):
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[PostgresSnapshot]:  # noqa: D102
        with self._connections.borrow_long(SORTING_SECONDS_MAX) as connection, connection.transaction():
            yield PostgresSnapshot(connection)

    @contextmanager
    def fill(self) -> Iterator[PostgresFill]:  # noqa: D102
        with self._connections.borrow_long() as connection, connection.transaction():
            yield PostgresFill(connection)

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int]:
        """Append events that were decided elsewhere; return their positions. A version that exists already is refused."""
        with self.transaction() as log:
            first = log.position + 1
            for stored in stored_events:
                assert isinstance(stored.originator_id, UUID)
                log.append(stored.originator_id, stored.originator_version, stored.topic, stored.state)
        return range(first, first + len(stored_events))

    def _rows(self, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        self._continuity.check()
        with self._connections.borrow() as connection:
            return connection.execute(query.encode(), parameters, prepare=True, binary=True).fetchall()

    def durability_problem(self) -> str:  # noqa: D102
        if self._rows("SHOW fsync") == [("on",)]:
            return ""
        return "the server of the store has fsync=off: a crash of its machine may lose or damage what was answered 200; expected fsync=on"

    def find_damage(self) -> list[str]:
        """Read every row: the server checks each page that it reads, where it keeps checksums."""
        found = []
        for table in ("ledger", *(table.name for table in TABLES)):
            with self._connections.borrow_long(SORTING_SECONDS_MAX) as connection, connection.transaction():
                connection.execute("SET LOCAL statement_timeout = 0")
                try:
                    connection.execute(f"SELECT sum(length(t::text)) FROM {SCHEMA}.{table} t".encode())
                except psycopg.InternalError as error:
                    found.append(f"{table}: {error}")
        return found

    def reserve_writer(self) -> None:  # noqa: D102
        self._connections.reserve_writer()

    def keep_few_pages(self) -> None:
        """Do nothing: the server keeps the pages."""

    def checkpoint(self) -> None:
        """Do nothing: the server does its own housekeeping."""

    def facts(self) -> dict[str, str]:  # noqa: D102
        if self._rows("SELECT to_regclass(%s) IS NULL", (f"{SCHEMA}.ledger",)) == [(True,)]:
            return {}
        return dict(self._rows(f"SELECT name, value FROM {SCHEMA}.ledger"))

    def head(self) -> int:  # noqa: D102
        rows: list[tuple[int]] = self._rows(f"SELECT coalesce(max(position), 0) FROM {SCHEMA}.stored_events")
        return rows[0][0]

    def page(self, after: int, limit: int, until: int) -> list[LogRow]:  # noqa: D102
        query = (
            f"SELECT {EVENT} FROM {SCHEMA}.stored_events WHERE position > %s AND position <= %s"
            " ORDER BY position LIMIT %s"
        )
        return [LogRow._make(row) for row in self._rows(query, (after, until, limit))]

    def stream(self, stream: UUID, until: int) -> list[LogRow]:  # noqa: D102
        query = f"SELECT {EVENT} FROM {SCHEMA}.stored_events WHERE stream = %s AND position <= %s ORDER BY version"
        return [LogRow._make(row) for row in self._rows(query, (stream.hex, until))]

    def events_before_versions(self, pages: Sequence[tuple[str, int]]) -> list[LogRow]:  # noqa: D102
        if not pages:
            return []
        query = (
            f"SELECT e.* FROM unnest(%b::text[], %b::bigint[]) AS w(stream, version) CROSS JOIN LATERAL"
            f" (SELECT {EVENT} FROM {SCHEMA}.stored_events WHERE stream = w.stream AND version < w.version) e"
            " ORDER BY e.stream, e.version"
        )
        return [LogRow._make(row) for row in self._rows(query, [list(column) for column in zip(*pages, strict=True)])]

    def read_by_stream(self, until: int, first: str, last: str, after: int = 0) -> Iterator[LogRow]:  # noqa: D102
        query = (
            f"SELECT {EVENT} FROM {SCHEMA}.stored_events WHERE (stream, version) > (%s, %s) AND stream < %s"
            " AND position <= %s ORDER BY stream, version"
        )
        with self._connections.borrow_long() as connection, connection.transaction():
            # A reader may take long over each event: it holds no lock that anything waits for.
            connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            with connection.cursor("by_stream", binary=True) as cursor:
                cursor.itersize = ROWS_AT_ONCE
                yield from map(LogRow._make, cursor.execute(query.encode(), (first, after, last, until)))

    def find_stream_extents(self, until: int, near_max: int, far_max: int) -> None:  # noqa: ARG002, D102 - no index has positions
        return None

    def last_ordinal(self, line: str) -> int:  # noqa: D102
        rows = self._rows(f"SELECT coalesce(max(ordinal), 0) FROM {SCHEMA}.line_calls WHERE line = %s", (line,))
        ordinal: int = rows[0][0]
        return ordinal

    def positions(self, delivery_keys: Sequence[bytes]) -> dict[bytes, int]:  # noqa: D102
        return dict(self._rows(POSITIONS_OF_KEYS, (list(delivery_keys),)))

    def claimed_positions(self, claims: Sequence[str]) -> dict[str, int]:  # noqa: D102
        return dict(self._rows(POSITIONS_OF_SIGNATURES, (list(claims),)))

    def quarantined_keys(self, delivery_keys: Sequence[bytes]) -> set[bytes]:  # noqa: D102
        query = f"SELECT delivery_key FROM {SCHEMA}.quarantine WHERE delivery_key = ANY(%b::bytea[])"
        return {row[0] for row in self._rows(query, (list(delivery_keys),))}

    def count_quarantined(self) -> tuple[int, int]:  # noqa: D102
        query = f"SELECT authentic, notices FROM {SCHEMA}.quarantine_totals"
        counts = dict(self._rows(query))
        return counts[False], counts[True]

    def oldest_quarantined_at(self) -> int | None:  # noqa: D102
        rows = self._rows(oldest_open_query(f"{SCHEMA}.quarantine", ("false", "true")))
        return rows[0][0] if rows else None

    def quarantined(self, *, settled: bool, after: int = 0) -> Iterator[QuarantineEntry]:  # noqa: D102
        where = "" if settled else "AND position = 0"
        query = f"SELECT * FROM {SCHEMA}.quarantine WHERE id > %s {where} ORDER BY id LIMIT {ROWS_AT_ONCE}"
        while rows := self._rows(query, (after,)):
            yield from map(QuarantineEntry._make, rows)
            after = rows[-1][0]

    def newest_quarantined(self, *, settled: bool, before: int = 0) -> Iterator[QuarantineEntry]:  # noqa: D102
        where, before = "" if settled else "AND position = 0", before or POSITION_MAX
        query = f"SELECT * FROM {SCHEMA}.quarantine WHERE id < %s {where} ORDER BY id DESC LIMIT {ROWS_AT_ONCE}"
        while rows := self._rows(query, (before,)):
            yield from map(QuarantineEntry._make, rows)
            before = rows[-1][0]

    def quarantined_one(self, entry_id: int) -> QuarantineEntry | None:  # noqa: D102
        rows = self._rows(f"SELECT * FROM {SCHEMA}.quarantine WHERE id = %s", (entry_id,))
        return QuarantineEntry._make(rows[0]) if rows else None

    def quarantined_at(self, position: int) -> QuarantineEntry | None:  # noqa: D102
        # The second condition is that of the index: the planner does not know the value when it plans.
        rows = self._rows(f"SELECT * FROM {SCHEMA}.quarantine WHERE position = %s AND position > 0", (position,))
        return QuarantineEntry._make(rows[0]) if rows else None

    def lock(self, purpose: str) -> PostgresLock:  # noqa: D102
        return PostgresLock(self._connections, purpose)

    def close(self) -> None:  # noqa: D102
        self._connections.close()

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Not supported: the ledger reads a stream's rows."""
        raise NotImplementedError

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Not supported: readers page by position."""
        raise NotImplementedError

    def max_notification_id(self) -> int | None:
        """Not supported: the ledger asks for the head."""
        raise NotImplementedError

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """Not supported: readers poll, and NOTIFY wakes them."""
        raise NotImplementedError


class PostgresLogFactory(InfrastructureFactory[TrackingRecorder]):
    """Creates the log of a PostgreSQL database for the library's Application."""

    def __init__(self, url: str, connections_max: int | None = None) -> None:
        """Begin without a connection; raises UnknownStore for a URL that the driver cannot read."""
        check_url(url)
        super().__init__(Environment())
        self._connections = ConnectionPool(url, connections_max)

    def application_recorder(self) -> ApplicationRecorder:
        """Return the log."""
        return PostgresLog(self._connections)

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """Not supported: there are no snapshots."""
        raise NotImplementedError

    def tracking_recorder(self, tracking_recorder_class: type[TrackingRecorder] | None = None) -> TrackingRecorder:
        """Not supported: read models keep their own positions."""
        raise NotImplementedError

    def process_recorder(self) -> ProcessRecorder:
        """Not supported: read models keep their own positions."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()
