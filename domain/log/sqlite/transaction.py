"""One transaction on a SQLite log: the queries that decide, and the rows that follow from the decision."""

import sqlite3
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any
from uuid import UUID

from eventsourcing.persistence import StoredEvent

from domain.calls.correlation import CallHead
from domain.events.codec import decode_recorded_at
from domain.log.contract import Lookup, QuarantineEntry
from domain.log.line_call_rows import HEAD, SPANS, UNBOUNDED, head_of, row_of

LAST_EVENT = "SELECT position, state FROM stored_events ORDER BY position DESC LIMIT 1"

_BEGAN_LAST = " UNION ALL ".join(
    f"SELECT * FROM (SELECT {HEAD} FROM line_calls INDEXED BY line_calls_by_beginning WHERE line = ?1 AND span = {span} AND first_at <= ?2"
    " ORDER BY first_at DESC, ordinal DESC LIMIT 1)"
    for span in range(len(SPANS) + 1)
)
# Named, because SQLite would else walk the whole line by its primary key.
_TOUCHING = " UNION ALL ".join(
    f"SELECT {HEAD} FROM line_calls INDEXED BY line_calls_by_beginning WHERE line = ?1 AND span = {span}"
    f" AND first_at BETWEEN ?2 - {longest} AND ?3 AND last_at >= ?2"
    for span, longest in enumerate((*SPANS, UNBOUNDED))
)
# A line that has no more is known as a whole, by one look at its last calls.
SHORT_LINE_CALLS_MAX = 8
_LAST_CALLS = f"SELECT {HEAD} FROM line_calls WHERE line = ? ORDER BY ordinal DESC LIMIT {SHORT_LINE_CALLS_MAX + 1}"
_LAST_ORDINAL = "SELECT max(ordinal) FROM line_calls WHERE line = ?"
_beginning = attrgetter("first_at", "ordinal")
_ordinal = attrgetter("ordinal")
_PUT_CALL = "INSERT OR REPLACE INTO line_calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class _ShortLine:
    """The calls of a line that has had but a few: all are known, so that no search needs the table."""

    def __init__(self, line: str, heads: Iterable[CallHead]) -> None:
        self._line = line
        self._calls = {head.ordinal: head for head in heads}
        self._changed: set[int] = set()

    def latest_begun(self, before: int) -> CallHead | None:
        began = [head for head in self._calls.values() if head.first_at <= before]
        return max(began, key=_beginning) if len(began) > 1 else began[0] if began else None

    def overlapping(self, start: int, end: int) -> Iterable[CallHead]:
        found = [head for head in self._calls.values() if head.first_at <= end and head.last_at >= start]
        return sorted(found, key=_ordinal)

    def last_ordinal(self) -> int:
        return max(self._calls, default=0)

    def put(self, head: CallHead) -> None:
        self._calls[head.ordinal] = head
        self._changed.add(head.ordinal)

    def changed(self) -> list[tuple[Any, ...]]:
        """Return the rows of the calls that have changed since it was last asked."""
        rows = [row_of(self._line, self._calls[ordinal]) for ordinal in self._changed]
        self._changed.clear()
        return rows


class _LongLine:
    """The calls of a line that has had many, as SPEC 6 looks for them.

    Most notices concern the call that began last. It is read once, and a call is written once for all its notices of
    the transaction: before the next search in the table, which must find it, or at the end.
    """

    def __init__(self, cursor: sqlite3.Cursor, line: str) -> None:
        self._cursor = cursor
        self._line = line
        self._unwritten: dict[int, CallHead] = {}
        self._find_latest()

    def _find_latest(self) -> None:
        self._write()
        latest = self._latest_begun_in_table(UNBOUNDED)
        assert latest
        self._latest, self._latest_first_at = latest, latest.first_at

    def latest_begun(self, before: int) -> CallHead | None:
        if self._latest.first_at <= before:
            return self._latest
        self._write()
        return self._latest_begun_in_table(before)

    def _latest_begun_in_table(self, before: int) -> CallHead | None:
        rows = self._cursor.execute(_BEGAN_LAST, (self._line, before)).fetchall()
        return head_of(max(rows, key=lambda row: (row[1], row[0]))) if rows else None

    def overlapping(self, start: int, end: int) -> Iterable[CallHead]:
        self._write()
        rows = self._cursor.execute(_TOUCHING, (self._line, start, end)).fetchall()
        return [head_of(row) for row in sorted(rows)]

    def last_ordinal(self) -> int:
        self._write()
        last: int = self._cursor.execute(_LAST_ORDINAL, (self._line,)).fetchone()[0]
        return last

    def put(self, head: CallHead) -> None:
        self._unwritten[head.ordinal] = head
        latest = self._latest
        if latest.ordinal == head.ordinal:
            self._latest = head
            if head.first_at < self._latest_first_at:
                self._find_latest()  # It began earlier than was known, and so perhaps before another.
        elif _beginning(head) > _beginning(latest):
            self._latest, self._latest_first_at = head, head.first_at

    def _write(self) -> None:
        self._cursor.executemany(_PUT_CALL, self.changed())

    def changed(self) -> list[tuple[Any, ...]]:
        """Return the rows of the calls that have changed since it was last asked."""
        rows = [row_of(self._line, head) for head in self._unwritten.values()]
        self._unwritten.clear()
        return rows


class SQLiteTransaction:
    """See LogTransaction. Events and calls are gathered and written late, all else at once, since the next decision reads it."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        """Take a cursor in a transaction that holds the write lock."""
        self._cursor = cursor
        self._pending: list[tuple[int, str, int, str, bytes]] = []
        self._versions: dict[UUID, int] = {}
        self._lines: dict[str, _ShortLine | _LongLine] = {}
        self._unauthentic: int | None = None  # Counted once: a flood of them must not count again for each.
        self.position = self.recorded_at = 0
        for position, state in cursor.execute(LAST_EVENT):
            self.position, self.recorded_at = position, decode_recorded_at(state)

    def prefetch(self, lookups: Iterable[Lookup]) -> None:
        """Do nothing: what a decision asks is but a function call away."""

    def _one(self, statement: str, parameters: Sequence[Any]) -> Any:
        row = self._cursor.execute(statement, parameters).fetchone()
        return row[0] if row else None

    def claim_delivery_key(self, delivery_key: bytes, position: int) -> int:  # noqa: D102
        self._cursor.execute("INSERT INTO delivery_keys VALUES (?, ?) ON CONFLICT DO NOTHING", (delivery_key, position))
        if self._cursor.rowcount:
            return 0
        before: int = self._one("SELECT position FROM delivery_keys WHERE delivery_key = ?", (delivery_key,))
        return before

    def claim_nonce(self, nonce: str, content: bytes, position: int) -> int:  # noqa: D102
        self._cursor.execute("INSERT INTO nonces VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (nonce, content, position))
        return self._one("SELECT min(position) FROM nonces WHERE nonce = ? AND content <> ?", (nonce, content)) or 0

    def calls(self, line: str) -> _ShortLine | _LongLine:  # noqa: D102
        calls = self._lines.get(line)
        if calls is None:
            rows = self._cursor.execute(_LAST_CALLS, (line,)).fetchall()
            is_short = len(rows) <= SHORT_LINE_CALLS_MAX
            calls = _ShortLine(line, map(head_of, rows)) if is_short else _LongLine(self._cursor, line)
            self._lines[line] = calls
        return calls

    def last_version(self, stream: UUID) -> int:  # noqa: D102
        if stream not in self._versions:
            statement = "SELECT max(originator_version) FROM stored_events WHERE originator_id = ?"
            self._versions[stream] = self._one(statement, (stream.hex,)) or 0
        return self._versions[stream]

    def append(self, stored: StoredEvent) -> None:  # noqa: D102
        assert isinstance(stored.originator_id, UUID)
        self.position += 1
        self._versions[stored.originator_id] = stored.originator_version
        self._pending.append(
            (self.position, stored.originator_id.hex, stored.originator_version, stored.topic, stored.state)
        )

    def flush(self) -> None:
        """Write the events and calls gathered so far."""
        self._cursor.executemany("INSERT INTO stored_events VALUES (?, ?, ?, ?, ?)", self._pending)
        self._pending.clear()
        changed = [row for calls in self._lines.values() for row in calls.changed()]
        self._cursor.executemany(_PUT_CALL, changed)

    def set_fact(self, name: str, value: str) -> None:  # noqa: D102
        self._cursor.execute("INSERT OR REPLACE INTO ledger VALUES (?, ?)", (name, value))

    def get_fact(self, name: str) -> str | None:  # noqa: D102
        value: str | None = self._one("SELECT value FROM ledger WHERE name = ?", (name,))
        return value

    def count_repeat(self, entry: QuarantineEntry) -> int:  # noqa: D102
        # A wrong signature never hides that the notice was once found authentic.
        self._cursor.execute(
            "UPDATE quarantine SET times = times + 1, last_received_at = max(last_received_at, ?1),"
            " reason = iif(?2 >= authentic, ?3, reason), authentic = max(authentic, ?2) WHERE delivery_key = ?4",
            (entry.received_at, entry.authentic, entry.reason, entry.delivery_key),
        )
        if not self._cursor.rowcount:
            return 0
        self._unauthentic = None
        known: int = self._one("SELECT id FROM quarantine WHERE delivery_key = ?", (entry.delivery_key,))
        return known

    def quarantine(self, entry: QuarantineEntry) -> int:  # noqa: D102
        self._cursor.execute("INSERT INTO quarantine VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", entry[1:])
        assert self._cursor.lastrowid
        if self._unauthentic is not None:
            self._unauthentic += not entry.authentic
        return self._cursor.lastrowid

    def count_unauthentic(self) -> int:  # noqa: D102
        if self._unauthentic is None:
            statement = "SELECT count(*) FROM quarantine WHERE position = 0 AND authentic = 0"
            self._unauthentic = int(self._one(statement, ()))
        return self._unauthentic

    def drop_oldest_unauthentic(self, count: int) -> None:  # noqa: D102
        self._cursor.execute(
            "DELETE FROM quarantine WHERE id IN"
            " (SELECT id FROM quarantine WHERE position = 0 AND authentic = 0 ORDER BY id LIMIT ?)",
            (count,),
        )
        self._unauthentic = None if self._unauthentic is None else self._unauthentic - self._cursor.rowcount

    def mark_authentic(self, entry_id: int, reason: str) -> None:  # noqa: D102
        self._cursor.execute("UPDATE quarantine SET authentic = 1, reason = ? WHERE id = ?", (reason, entry_id))

    def mark_settled(self, entry_id: int, position: int) -> None:  # noqa: D102
        self._cursor.execute("UPDATE quarantine SET position = ? WHERE id = ?", (position, entry_id))
