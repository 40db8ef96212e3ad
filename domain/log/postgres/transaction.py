"""One transaction on a PostgreSQL log: reads are prefetched for a whole batch, and writes are sent as arrays.

The transaction holds the one write lock, so all other writers wait for each of its round trips. There are few: to begin,
to prefetch, and to write and commit.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.calls.correlation import CallHead
from domain.errors import StoreUnavailable
from domain.events.codec import decode_recorded_at
from domain.log.advisory_lock import CHANNEL
from domain.log.contract import Lookup, QuarantineEntry, QuarantineTotals
from domain.log.postgres.line_calls import PUT_CALLS, PrefetchedLine, PrefetchedLines
from domain.log.postgres.quarantine import QuarantineTable
from domain.log.postgres.schema import SCHEMA
from domain.log.postgres.write_lock import WRITE_LOCK, lock_without_row
from domain.log.tables import COPYING, LAST_NUMBER

READ_STATE = (
    f"SELECT name, value FROM {SCHEMA}.ledger WHERE name IN ('id', '{COPYING}');"
    f" SELECT position, state FROM {SCHEMA}.stored_events ORDER BY position DESC LIMIT 1"
)
BEGIN = (
    f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = on; {WRITE_LOCK}; {READ_STATE}"
)
POSITIONS_OF_KEYS = f"SELECT delivery_key, position FROM {SCHEMA}.delivery_keys WHERE delivery_key = ANY(%b::bytea[])"
STATE = f"SELECT state FROM {SCHEMA}.stored_events WHERE position = %s"
LAST_VERSIONS = (
    f"SELECT w.stream, coalesce((SELECT max(version) FROM {SCHEMA}.stored_events e WHERE e.stream = w.stream), 0)"
    " FROM unnest(%b::text[]) AS w(stream)"
)
NONCES = (
    f"SELECT nonce, content, min(position) FROM {SCHEMA}.nonces WHERE nonce = ANY(%b::text[]) GROUP BY nonce, content"
)
POSITIONS_OF_SIGNATURES = f"SELECT sig, position FROM {SCHEMA}.signatures WHERE sig = ANY(%b::text[])"
INSERT_EVENTS = (
    f"INSERT INTO {SCHEMA}.stored_events"
    " SELECT * FROM unnest(%b::bigint[], %b::text[], %b::bigint[], %b::text[], %b::bytea[])"
)
INSERT_KEYS = f"INSERT INTO {SCHEMA}.delivery_keys SELECT * FROM unnest(%b::bytea[], %b::bigint[])"
# Imports come in batches of thousands; callbacks are too few at a time for a statement more.
COPIED_FROM = 500
COPY_EVENTS = f"COPY {SCHEMA}.stored_events FROM STDIN (FORMAT BINARY)"
EVENT_TYPES = ("int8", "text", "int8", "text", "bytea")
COPY_KEYS = f"COPY {SCHEMA}.delivery_keys FROM STDIN (FORMAT BINARY)"
KEY_TYPES = ("bytea", "int8")
INSERT_SIGNATURES = f"INSERT INTO {SCHEMA}.signatures SELECT * FROM unnest(%b::text[], %b::bigint[])"
INSERT_NONCES = f"INSERT INTO {SCHEMA}.nonces SELECT * FROM unnest(%b::text[], %b::bytea[], %b::bigint[])"
SET_FACT = f"INSERT INTO {SCHEMA}.ledger VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
GET_FACT = f"SELECT value FROM {SCHEMA}.ledger WHERE name = %s"

Statement = tuple[str, Sequence[Any]]
Rows = list[tuple[Any, ...]]


class PostgresTransaction:
    """See LogTransaction. Before the end it writes only what a later query depends on."""

    def __init__(self, connection: Connection[Any]) -> None:
        """Begin the transaction on a connection, and wait for the write lock."""
        self._connection = connection
        self._queued: list[Statement] = []
        self._events: Rows = []
        self._keys: dict[bytes, int] = {}
        self._claimed: Rows = []
        self._versions: dict[UUID, int] = {}
        self._signatures: dict[str, int] = {}
        self._signatures_claimed: Rows = []
        self._nonces: dict[str, dict[bytes, int]] = {}
        self._nonces_claimed: Rows = []
        self._facts: dict[str, str | None] = {"id": None, COPYING: None}
        self._lines = PrefetchedLines(self._ask)
        self._quarantine = QuarantineTable(self._ask_after_all_queued, self._queue)
        self.position, self.recorded_at, self.last_state = 0, 0, b""
        for position, state in self._begin():
            self.position, self.recorded_at, self.last_state = position, decode_recorded_at(state), state

    def _begin(self) -> Rows:
        locked, facts, last_event = self._run(BEGIN)
        if not locked:
            lock_without_row(self._connection)
            facts, last_event = self._run(READ_STATE)
        self._facts.update(facts)
        return last_event

    def _run(self, statements: str) -> list[Rows]:
        """Run statements in one round trip; return the rows of each that has any."""
        cursor = self._connection.execute(statements.encode(), prepare=False)
        results = [cursor.fetchall()] if cursor.description else []
        return results + [cursor.fetchall() for _ in iter(cursor.nextset, None) if cursor.description]

    # One by one, not in libpq's pipeline: after a pipeline the server no longer limits how long the transaction is idle, and
    # a host that stopped in the middle would keep the lock for good.
    def _ask(self, query: str, parameters: Sequence[Any]) -> Rows:
        return self._connection.execute(query.encode(), parameters, prepare=True, binary=True).fetchall()

    def _ask_after_all_queued(self, query: str, parameters: Sequence[Any]) -> Rows:
        self._run_queued()
        return self._ask(query, parameters)

    def _queue(self, statement: str, parameters: Sequence[Any]) -> None:
        self._queued.append((statement, parameters))

    def _run_queued(self) -> None:
        """Send all statements queued so far, and wait once for all of them."""
        if self._queued:
            with self._connection.pipeline():
                for statement, parameters in self._queued:
                    self._connection.execute(statement.encode(), parameters, prepare=True)
            self._queued.clear()

    def prefetch(self, lookups: Iterable[Lookup]) -> None:  # noqa: D102
        accepted: list[Lookup] = []
        refused: list[Lookup] = []
        for each in lookups:
            (refused if each.refused else accepted).append(each)
        if refused:
            self._quarantine.prefetch(refused)
        keys = [each.delivery_key for each in accepted if each.delivery_key not in self._keys]
        if keys:
            self._keys.update(dict.fromkeys(keys, 0))
            self._keys.update((key, position) for key, position in self._ask(POSITIONS_OF_KEYS, (keys,)))
        self._prefetch_versions([each.stream for each in accepted if each.stream])
        self._prefetch_signatures([each.claim for each in accepted if each.claim is not None])
        self._prefetch_nonces([each.nonce for each in accepted if each.nonce is not None])
        self._lines.prefetch([each for each in accepted if each.line])

    def state_at(self, position: int) -> bytes | None:
        """Return the stored state of the event at a position; None where there is none."""
        return next((row[0] for row in self._ask(STATE, (position,))), None)

    def claim_ahead(self, delivery_keys: Sequence[bytes], claims: Sequence[str | None]) -> None:
        """Do nothing: claims are gathered, and written at once, in any case."""

    def claim_delivery_key(self, delivery_key: bytes, position: int) -> int:  # noqa: D102
        if delivery_key not in self._keys:
            self._keys[delivery_key] = next((row[1] for row in self._ask(POSITIONS_OF_KEYS, ([delivery_key],))), 0)
        before = self._keys[delivery_key]
        if not before:
            self._keys[delivery_key] = position
            self._claimed.append((delivery_key, position))
        return before

    def release_delivery_key(self, delivery_key: bytes) -> None:  # noqa: D102
        position = self._keys[delivery_key]
        self._keys[delivery_key] = 0
        self._claimed.remove((delivery_key, position))

    def _prefetch_signatures(self, signatures: Sequence[str]) -> None:
        new = {signature for signature in signatures if signature not in self._signatures}
        if new:
            self._signatures.update(dict.fromkeys(new, 0))
            self._signatures.update(dict(self._ask(POSITIONS_OF_SIGNATURES, (list(new),))))

    def claim_signature(self, signature: str, position: int) -> int:  # noqa: D102
        self._prefetch_signatures([signature])
        before = self._signatures[signature]
        if not before:
            self._signatures[signature] = position
            self._signatures_claimed.append((signature, position))
        return before

    def _prefetch_nonces(self, nonces: Sequence[str]) -> None:
        new = {nonce for nonce in nonces if nonce not in self._nonces}
        if new:
            self._nonces.update((nonce, {}) for nonce in new)
            for nonce, content, position in self._ask(NONCES, (list(new),)):
                self._nonces[nonce][content] = position

    def claim_nonce(self, nonce: str, content: bytes, position: int) -> int:  # noqa: D102
        self._prefetch_nonces([nonce])
        used = self._nonces[nonce]
        if content not in used:
            used[content] = position
            self._nonces_claimed.append((nonce, content, position))
        return min((first for other, first in used.items() if other != content), default=0)

    def calls(self, line: str) -> PrefetchedLine:  # noqa: D102
        return self._lines.for_line(line)

    def _prefetch_versions(self, streams: Sequence[UUID]) -> None:
        new = {stream.hex: stream for stream in streams if stream not in self._versions}
        if new:
            for stream, version in self._ask(LAST_VERSIONS, (list(new),)):
                self._versions[new[stream]] = version

    def put_head(self, line: str, head: CallHead) -> None:  # noqa: D102
        self._lines.for_line(line).put(head)

    def last_versions(self, streams: Sequence[UUID]) -> dict[UUID, int]:  # noqa: D102
        self._prefetch_versions(streams)
        return {stream: self._versions[stream] for stream in streams}

    def last_version(self, stream: UUID) -> int:  # noqa: D102
        self._prefetch_versions([stream])
        return self._versions[stream]

    def append(self, stream: UUID, version: int, topic: str, state: bytes) -> None:  # noqa: D102
        self.position += 1
        self.last_state = state
        self._versions[stream] = version
        self._events.append((self.position, stream.hex, version, topic, state))

    def flush(self) -> None:
        """Do nothing: the commit writes all, in one round trip."""

    def commit(self) -> None:
        """Write all that was gathered and commit it durably; raises StoreUnavailable if the server did not."""
        if len(self._events) >= COPIED_FROM:
            self._run_queued()
            self._copy(COPY_EVENTS, EVENT_TYPES, self._events)
            self._copy(COPY_KEYS, KEY_TYPES, self._claimed)
        else:
            self._queue_rows(INSERT_EVENTS, self._events)
            self._queue_rows(INSERT_KEYS, self._claimed)
        self._queue_rows(INSERT_SIGNATURES, self._signatures_claimed)
        self._queue_rows(INSERT_NONCES, self._nonces_claimed)
        self._queue_rows(PUT_CALLS, self._lines.changed())
        if self._quarantine.last_number:
            self.set_fact(LAST_NUMBER, str(self._quarantine.last_number))
        if self._events:
            self._queue(f"NOTIFY {CHANNEL}", ())
        with self._connection.pipeline():
            for statement, parameters in self._queued:
                self._connection.execute(statement.encode(), parameters, prepare=True)
            committed = self._connection.execute("COMMIT")
        if committed.statusmessage != "COMMIT":
            msg = f"the store answered the commit with {committed.statusmessage}"
            raise StoreUnavailable(msg)

    def _copy(self, statement: str, types: Sequence[str], rows: Rows) -> None:
        with self._connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)

    def _queue_rows(self, statement: str, rows: Rows) -> None:
        if rows:
            self._queue(statement, [list(column) for column in zip(*rows, strict=True)])

    def set_fact(self, name: str, value: str) -> None:  # noqa: D102
        self._facts[name] = value
        self._queue(SET_FACT, (name, value))

    def get_fact(self, name: str) -> str | None:  # noqa: D102
        if name not in self._facts:
            rows = self._ask(GET_FACT, (name,))
            self._facts[name] = rows[0][0] if rows else None
        return self._facts[name]

    def count_repeat(self, entry: QuarantineEntry) -> int:  # noqa: D102
        return self._quarantine.count_repeat(entry)

    def quarantine(self, entry: QuarantineEntry) -> int:  # noqa: D102
        return self._quarantine.keep(entry)

    def unauthentic_totals(self) -> QuarantineTotals:  # noqa: D102
        return self._quarantine.unauthentic_totals()

    def drop_unauthentic(self, notices: int, size: int) -> int:  # noqa: D102
        return self._quarantine.drop_unauthentic(notices, size)

    def drop_settled(self, before: int) -> int:  # noqa: D102
        return self._quarantine.drop_settled(before)

    def mark_authentic(self, entry_id: int, reason: str) -> None:  # noqa: D102
        self._quarantine.mark_authentic(entry_id, reason)

    def mark_settled(self, entry_id: int, position: int) -> None:  # noqa: D102
        self._quarantine.mark_settled(entry_id, position)
