"""One transaction on a SQLite log: the queries for decisions, and the rows that follow from them."""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any
from uuid import UUID

from domain.calls.correlation import CallHead
from domain.events.codec import decode_recorded_at
from domain.log.contract import Lookup, QuarantineEntry, QuarantineTotals
from domain.log.known_calls import KnownCalls
from domain.log.line_call_rows import row_of
from domain.log.sqlite.line_calls import PUT_CALLS, read_line
from domain.log.sqlite.schema import DROPPED_IN_ORDER, LAST_EVENT

# Each condition is that of an index.
_FIRST_TO_DROP = [
    f"SELECT id, length(raw) FROM quarantine WHERE {condition} ORDER BY id" for condition in DROPPED_IN_ORDER
]

_CLAIM_KEY = "INSERT INTO delivery_keys VALUES (?, ?) ON CONFLICT DO NOTHING"
_CLAIM_SIGNATURE = "INSERT INTO signatures VALUES (?, ?) ON CONFLICT DO NOTHING"
# A position after the last event's is one that this transaction has claimed.
_GIVE_UP_KEY = "DELETE FROM delivery_keys WHERE delivery_key = ? AND position = ?"
_GIVE_UP_SIGNATURE = "DELETE FROM signatures WHERE sig = ? AND position = ?"


class SQLiteTransaction:
    """See LogTransaction. Events and calls are gathered and written late.

    All else is written at once, because the next decision reads it. What is written for every event passes its bytes as
    bytearrays: the driver looks for an adapter of every ``bytes``, which takes longer than to store them.
    """

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        """Open on a cursor whose transaction holds the write lock already."""
        self._cursor = cursor
        self._pending: list[tuple[int, str, int, str, bytearray]] = []
        self._versions: dict[str, int] = {}
        # What was claimed ahead: the position of each delivery key, and of each signature.
        self._key_positions: dict[bytes, int] = {}
        self._claim_positions: dict[str, int] = {}
        self._lines: dict[str, KnownCalls] = {}
        # Rows of calls whose lines were not read.
        self._heads: list[tuple[Any, ...]] = []
        self.position, self.recorded_at, self.last_state = 0, 0, b""
        for position, state in cursor.execute(LAST_EVENT):
            self.position, self.recorded_at, self.last_state = position, decode_recorded_at(state), state

    def prefetch(self, lookups: Iterable[Lookup]) -> None:
        """Do nothing: a query on SQLite is a function call, not a round trip."""

    def _one(self, statement: str, parameters: Sequence[Any]) -> Any:
        row = self._cursor.execute(statement, parameters).fetchone()
        return row[0] if row else None

    def state_at(self, position: int) -> bytes | None:
        """Return the stored state of the event at a position, or None."""
        state: bytes | None = self._one("SELECT state FROM stored_events WHERE position = ?", (position,))
        return state

    def claim_ahead(self, delivery_keys: Sequence[bytes], claims: Sequence[str | None]) -> None:
        """Claim all at once, or nothing: one statement for many rows costs less than one for each."""
        keys = list(zip(map(bytearray, delivery_keys), count(self.position + 1)))
        named = [(claim, position) for claim, position in zip(claims, count(self.position + 1)) if claim is not None]
        if self._claims_all(_CLAIM_KEY, _GIVE_UP_KEY, keys):
            if self._claims_all(_CLAIM_SIGNATURE, _GIVE_UP_SIGNATURE, named):
                self._key_positions = dict(zip(delivery_keys, count(self.position + 1)))
                self._claim_positions = dict(named)
            else:
                self._cursor.executemany(_GIVE_UP_KEY, keys)

    def _claims_all(self, claim: str, give_up: str, rows: Sequence[tuple[bytearray | str, int]]) -> bool:
        if not rows:
            return True
        if self._cursor.executemany(claim, rows).rowcount == len(rows):
            return True
        self._cursor.executemany(give_up, rows)
        return False

    def claim_delivery_key(self, delivery_key: bytes, position: int) -> int:  # noqa: D102
        if self._key_positions.get(delivery_key) == position:
            return 0
        self._cursor.execute(_CLAIM_KEY, (delivery_key, position))
        if self._cursor.rowcount:
            return 0
        known: int = self._one("SELECT position FROM delivery_keys WHERE delivery_key = ?", (delivery_key,))
        return known

    def release_delivery_key(self, delivery_key: bytes) -> None:  # noqa: D102
        self._cursor.execute("DELETE FROM delivery_keys WHERE delivery_key = ?", (delivery_key,))

    def claim_signature(self, signature: str, position: int) -> int:  # noqa: D102
        if self._claim_positions.get(signature) == position:
            return 0
        self._cursor.execute(_CLAIM_SIGNATURE, (signature, position))
        if self._cursor.rowcount:
            return 0
        before: int = self._one("SELECT position FROM signatures WHERE sig = ?", (signature,))
        return before

    def claim_nonce(self, nonce: str, content: bytes, position: int) -> int:  # noqa: D102
        self._cursor.execute("INSERT INTO nonces VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (nonce, content, position))
        return self._one("SELECT min(position) FROM nonces WHERE nonce = ? AND content <> ?", (nonce, content)) or 0

    def calls(self, line: str) -> KnownCalls:  # noqa: D102
        calls = self._lines.get(line)
        if calls is None:
            self._write_heads()
            calls = self._lines[line] = read_line(self._cursor, line)
        return calls

    def put_head(self, line: str, head: CallHead) -> None:  # noqa: D102
        if line in self._lines:
            self._lines[line].put(head)
        else:
            self._heads.append(row_of(line, head))

    def _write_heads(self) -> None:
        if self._heads:
            self._cursor.executemany(PUT_CALLS, self._heads)
            self._heads.clear()

    def last_versions(self, streams: Sequence[UUID]) -> dict[UUID, int]:  # noqa: D102
        return {stream: self.last_version(stream) for stream in streams}

    def last_version(self, stream: UUID) -> int:  # noqa: D102
        name = stream.hex
        if name not in self._versions:
            statement = "SELECT max(originator_version) FROM stored_events WHERE originator_id = ?"
            self._versions[name] = self._one(statement, (name,)) or 0
        return self._versions[name]

    def append(self, stream: UUID, version: int, topic: str, state: bytes) -> None:  # noqa: D102
        self.position += 1
        self.last_state = state
        name = stream.hex
        self._versions[name] = version
        self._pending.append((self.position, name, version, topic, bytearray(state)))

    def flush(self) -> None:
        """Write the events and calls gathered so far."""
        self._cursor.executemany("INSERT INTO stored_events VALUES (?, ?, ?, ?, ?)", self._pending)
        self._pending.clear()
        self._write_heads()
        changed = [row for calls in self._lines.values() for row in calls.changed()]
        self._cursor.executemany(PUT_CALLS, changed)

    def set_fact(self, name: str, value: str) -> None:  # noqa: D102
        self._cursor.execute("INSERT OR REPLACE INTO ledger VALUES (?, ?)", (name, value))

    def get_fact(self, name: str) -> str | None:  # noqa: D102
        value: str | None = self._one("SELECT value FROM ledger WHERE name = ?", (name,))
        return value

    def count_repeat(self, entry: QuarantineEntry) -> int:  # noqa: D102
        # A notice that was found authentic once stays authentic, whatever signature comes later.
        self._cursor.execute(
            "UPDATE quarantine SET times = times + 1, last_received_at = max(last_received_at, ?1),"
            " reason = iif(?2 >= authentic, ?3, reason), authentic = max(authentic, ?2) WHERE delivery_key = ?4",
            (entry.received_at, entry.authentic, entry.reason, entry.delivery_key),
        )
        if not self._cursor.rowcount:
            return 0
        entry_id: int = self._one("SELECT id FROM quarantine WHERE delivery_key = ?", (entry.delivery_key,))
        return entry_id

    def quarantine(self, entry: QuarantineEntry) -> int:  # noqa: D102
        self._cursor.execute("INSERT INTO quarantine VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", entry[1:])
        assert self._cursor.lastrowid
        return self._cursor.lastrowid

    def unauthentic_totals(self) -> QuarantineTotals:  # noqa: D102
        row = self._cursor.execute("SELECT notices, bytes FROM quarantine_totals WHERE authentic = 0").fetchone()
        return QuarantineTotals(*row)

    def drop_unauthentic(self, notices: int, size: int) -> int:  # noqa: D102
        found: list[tuple[int]] = []
        for first in _FIRST_TO_DROP:
            self._cursor.execute(first)
            while (notices > len(found) or size > 0) and (row := self._cursor.fetchone()):
                found.append(row[:1])
                size -= row[1]
        self._cursor.executemany("DELETE FROM quarantine WHERE id = ?", found)
        return len(found)

    def drop_settled(self, before: int) -> int:  # noqa: D102
        self._cursor.execute("DELETE FROM quarantine WHERE position > 0 AND last_received_at < ?", (before,))
        return self._cursor.rowcount

    def mark_authentic(self, entry_id: int, reason: str) -> None:  # noqa: D102
        self._cursor.execute("UPDATE quarantine SET authentic = 1, reason = ? WHERE id = ?", (reason, entry_id))

    def mark_settled(self, entry_id: int, position: int) -> None:  # noqa: D102
        self._cursor.execute("UPDATE quarantine SET position = ? WHERE id = ?", (position, entry_id))
