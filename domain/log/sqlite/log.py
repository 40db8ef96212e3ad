"""The log in one SQLite file: events, delivery keys, calls of lines and quarantine, in write-ahead mode, durable on commit.

It is the library's recorder on the library's connection pool. The schema is ours, and so is the transaction, which locks
before it reads.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore, SQLiteFactory

from domain.errors import StoreLost
from domain.events.log_row import POSITION_MAX, LogRow
from domain.log.contract import QuarantineEntry, StreamExtents
from domain.log.sqlite.connections import SQLitePool
from domain.log.sqlite.copy_access import SQLiteFill, SQLiteSnapshot
from domain.log.sqlite.lock import SQLiteLock
from domain.log.sqlite.schema import EVENT, LAST_EVENT, SCHEMA, SCHEMA_NUMBER
from domain.log.sqlite.transaction import SQLiteTransaction
from domain.log.tables import COPYING, check_not_copying, oldest_open_query

_log_row = partial(tuple.__new__, LogRow)  # As LogRow._make does, without a call of a Python function for each row.

STREAMS_AT_ONCE = 400
KEYS_AT_ONCE = 1000
SAMPLED_BEFORE = "04"  # A stream's id is a hash: these are a sixty-fourth of all.
EXTENT_MIN = 128


class SQLiteLog(SQLiteApplicationRecorder):
    """The log in a SQLite file; see Log for what each method does."""

    is_remote = False
    schema = SCHEMA_NUMBER

    def construct_create_table_statements(self) -> list[str]:
        """Return the statements that create the log's tables."""
        return list(SCHEMA)

    def create(self) -> None:  # noqa: D102
        # The library's own way begins with a read: what then has to write fails at once where another process is writing.
        with self._begin_immediate() as cursor:
            for statement in self.create_table_statements:
                cursor.execute(statement)

    @property
    def _pool(self) -> SQLitePool:
        return cast("SQLitePool", self.datastore.pool)

    @contextmanager
    def transaction(self) -> Iterator[SQLiteTransaction]:  # noqa: D102
        continuity = self._pool.continuity
        with self._begin_immediate() as cursor:
            transaction = SQLiteTransaction(cursor)
            continuity.check_continues(transaction.position, transaction.last_state, transaction.state_at)
            check_not_copying(transaction.get_fact(COPYING))
            yield transaction
            transaction.flush()
        continuity.note(transaction.position, transaction.last_state)

    @contextmanager
    def _begin_immediate(self) -> Iterator[sqlite3.Cursor]:
        with (
            self._pool.map_errors(),
            self._pool.turn_to_write(),
            self.datastore.get_connection(commit=True) as connection,
        ):
            cursor = connection.cursor().sqlite_cursor
            try:
                cursor.execute("BEGIN IMMEDIATE")
                self._pool.watch(cursor)
                self._pool.check_in_place()
                self._pool.sync_names()
                yield cursor
                self._pool.check_in_place()
                cursor.execute("COMMIT")
                self._pool.check_in_place()
            except BaseException as error:
                # A full disk may have ended the transaction already, with nothing left to roll back.
                with suppress(sqlite3.Error):
                    connection.rollback()
                if isinstance(error, StoreLost):
                    self._pool.rescue_wal(cursor)
                raise
            finally:
                cursor.close()

    @contextmanager
    def fill(self) -> Iterator[SQLiteFill]:  # noqa: D102
        with self._begin_immediate() as cursor:
            yield SQLiteFill(cursor)

    @contextmanager
    def snapshot(self) -> Iterator[SQLiteSnapshot]:  # noqa: D102
        with self._reading() as cursor:
            cursor.execute("BEGIN")
            try:
                cursor.execute(LAST_EVENT)  # The snapshot begins with the first read.
                yield SQLiteSnapshot(cursor.connection)
            finally:
                with suppress(sqlite3.Error):
                    cursor.connection.rollback()

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int]:
        """Append events that were decided elsewhere; return their positions. A version that exists already is refused."""
        with self.transaction() as log:
            first = log.position + 1
            for stored in stored_events:
                assert isinstance(stored.originator_id, UUID)
                log.append(stored.originator_id, stored.originator_version, stored.topic, stored.state)
        return range(first, first + len(stored_events))

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Cursor]:
        with self._pool.map_errors(), self.datastore.get_connection(commit=False) as connection:
            cursor = connection.cursor().sqlite_cursor
            try:
                self._pool.watch(cursor)
                self._pool.check_in_place()
                yield cursor
            except StoreLost:
                self._pool.rescue_wal(cursor)
                raise
            finally:
                cursor.close()

    def _rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        with self._reading() as cursor:
            return cursor.execute(statement, parameters).fetchall()

    def find_damage(self) -> list[str]:  # noqa: D102
        try:
            return [text for (text,) in self._rows("PRAGMA quick_check(10)") if text != "ok"]
        except StoreLost as error:
            return [str(error)]

    def durability_problem(self) -> str:
        """Return nothing: every connection of ours syncs its commits."""
        return ""

    def reserve_writer(self) -> None:
        """Do nothing: a file has no limit of connections."""

    def keep_few_pages(self) -> None:  # noqa: D102
        with self._pool.map_errors():
            self._pool.keep_few_pages()

    def checkpoint(self) -> None:  # noqa: D102
        self._rows("PRAGMA wal_checkpoint(PASSIVE)")

    def facts(self) -> dict[str, str]:  # noqa: D102
        if not self._rows("SELECT 1 FROM sqlite_master WHERE name = 'ledger'"):
            return {}
        return dict(self._rows("SELECT name, value FROM ledger"))

    def head(self) -> int:  # noqa: D102
        rows: list[tuple[int]] = self._rows("SELECT coalesce(max(position), 0) FROM stored_events")
        return rows[0][0]

    def page(self, after: int, limit: int, until: int) -> list[LogRow]:  # noqa: D102
        statement = f"SELECT {EVENT} FROM stored_events WHERE position > ? AND position <= ? ORDER BY position LIMIT ?"
        return [*map(_log_row, self._rows(statement, (after, until, limit)))]

    def stream(self, stream: UUID, until: int) -> list[LogRow]:  # noqa: D102
        statement = (
            f"SELECT {EVENT} FROM stored_events WHERE originator_id = ? AND position <= ? ORDER BY originator_version"
        )
        return [LogRow(*row) for row in self._rows(statement, (stream.hex, until))]

    def events_before_versions(self, pages: Sequence[tuple[str, int]]) -> list[LogRow]:  # noqa: D102
        found: list[LogRow] = []
        for start in range(0, len(pages), STREAMS_AT_ONCE):
            chunk = pages[start : start + STREAMS_AT_ONCE]
            wanted = ",".join(["(?,?)"] * len(chunk))
            statement = (
                f"WITH wanted(stream, version) AS (VALUES {wanted}) SELECT {EVENT} FROM wanted CROSS JOIN stored_events"
                " ON originator_id = stream AND originator_version < version ORDER BY originator_id, originator_version"
            )
            found += [LogRow(*row) for row in self._rows(statement, [value for page in chunk for value in page])]
        return found

    def read_by_stream(self, until: int, first: str, last: str, after: int = 0) -> Iterator[LogRow]:  # noqa: D102
        statement = (
            f"SELECT {EVENT} FROM stored_events INDEXED BY sqlite_autoindex_stored_events_1"
            " WHERE (originator_id, originator_version) > (?, ?) AND originator_id < ? AND position <= ?"
            " ORDER BY originator_id, originator_version"
        )
        with self._reading() as cursor:
            cursor.execute(statement, (first, after, last, until))
            while rows := cursor.fetchmany(1000):
                yield from map(_log_row, rows)

    def find_stream_extents(self, until: int, near_max: int, far_max: int) -> StreamExtents | None:  # noqa: D102
        near = min(self._usual_extent(until) * 2, near_max)
        statement = (
            "SELECT count(first), iif(count(first) <= ?, group_concat(first), NULL), coalesce(sum(events), 0), min(begun)"
            " FROM (SELECT count(*) AS events, min(position) AS begun, iif(max(position) - min(position) < ? AND min(originator_version) = 1, NULL, min(position)) AS first FROM stored_events INDEXED BY"
            " sqlite_autoindex_stored_events_1 WHERE position <= ? GROUP BY originator_id)"
        )
        ((count, far, events, begun),) = self._rows(statement, (far_max, near, until))
        # An event before the first position is found where streams are read: spans begin behind it.
        if count > far_max or (events and begun < 1):
            return None
        return StreamExtents(near, sorted(map(int, far.split(","))) if far else [], events)

    def _usual_extent(self, until: int) -> int:
        """Return how many positions the events of nearly all streams are apart at most, by the streams of a sample."""
        statement = (
            "SELECT max(position) - min(position) FROM stored_events INDEXED BY sqlite_autoindex_stored_events_1"
            " WHERE position <= ? AND originator_id < ? GROUP BY originator_id ORDER BY 1"
        )
        extents: list[int] = [extent for (extent,) in self._rows(statement, (until, SAMPLED_BEFORE))]
        return max([EXTENT_MIN, *extents[: -len(extents) // 50 or None]])

    def last_ordinal(self, line: str) -> int:  # noqa: D102
        rows = self._rows("SELECT coalesce(max(ordinal), 0) FROM line_calls WHERE line = ?", (line,))
        ordinal: int = rows[0][0]
        return ordinal

    def _by_key(
        self, columns: str, table: str, keys: Sequence[bytes | str], key: str = "delivery_key"
    ) -> Iterator[Any]:
        for start in range(0, len(keys), KEYS_AT_ONCE):
            chunk = keys[start : start + KEYS_AT_ONCE]
            marks = ",".join("?" * len(chunk))
            yield from self._rows(f"SELECT {columns} FROM {table} WHERE {key} IN ({marks})", chunk)

    def positions(self, delivery_keys: Sequence[bytes]) -> dict[bytes, int]:  # noqa: D102
        return dict(self._by_key("delivery_key, position", "delivery_keys", delivery_keys))

    def claimed_positions(self, claims: Sequence[str]) -> dict[str, int]:  # noqa: D102
        return dict(self._by_key("sig, position", "signatures", claims, "sig"))

    def quarantined_keys(self, delivery_keys: Sequence[bytes]) -> set[bytes]:  # noqa: D102
        return {row[0] for row in self._by_key("delivery_key", "quarantine", delivery_keys)}

    def count_quarantined(self) -> tuple[int, int]:  # noqa: D102
        counts = dict(self._rows("SELECT authentic, notices FROM quarantine_totals"))
        return counts[0], counts[1]

    def oldest_quarantined_at(self) -> int | None:  # noqa: D102
        rows = self._rows(oldest_open_query("quarantine", ("0", "1")))
        return rows[0][0] if rows else None

    def quarantined(self, *, settled: bool, after: int = 0) -> Iterator[QuarantineEntry]:  # noqa: D102
        where = "" if settled else "AND position = 0"
        statement = f"SELECT * FROM quarantine WHERE id > ? {where} ORDER BY id"
        with self._reading() as cursor:
            yield from map(_entry, cursor.execute(statement, (after,)))

    def newest_quarantined(self, *, settled: bool, before: int = 0) -> Iterator[QuarantineEntry]:  # noqa: D102
        where = "" if settled else "AND position = 0"
        statement = f"SELECT * FROM quarantine WHERE id < ? {where} ORDER BY id DESC"
        with self._reading() as cursor:
            yield from map(_entry, cursor.execute(statement, (before or POSITION_MAX,)))

    def quarantined_one(self, entry_id: int) -> QuarantineEntry | None:  # noqa: D102
        return self._quarantined_where("id", entry_id)

    def quarantined_at(self, position: int) -> QuarantineEntry | None:  # noqa: D102
        return self._quarantined_where("position", position)

    def _quarantined_where(self, column: str, number: int) -> QuarantineEntry | None:
        rows = self._rows(f"SELECT * FROM quarantine WHERE {column} = ?", (number,))
        return _entry(rows[0]) if rows else None

    def lock(self, purpose: str) -> SQLiteLock:  # noqa: D102
        return SQLiteLock(self._pool.path, purpose)

    def close(self) -> None:  # noqa: D102
        self.datastore.close()


def _entry(row: Sequence[Any]) -> QuarantineEntry:
    entry = QuarantineEntry(*row)
    return entry._replace(authentic=bool(entry.authentic))


class SQLiteLogFactory(SQLiteFactory):
    """Creates the log of a SQLite file for the library's Application."""

    application_recorder_class = SQLiteLog

    def __init__(self, path: str) -> None:
        """Begin without a connection; the first one creates the file if it is missing."""
        pool = SQLitePool(Path(path).absolute())
        super().__init__({self.SQLITE_DBNAME: pool.db_name, self.CREATE_TABLE: "no"})
        self.datastore = SQLiteDatastore(pool.db_name)
        self.datastore.pool = pool
