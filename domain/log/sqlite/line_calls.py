"""The calls of a line during a transaction on SQLite: of a short line all are known, of a long line few are read."""

import sqlite3
from collections.abc import Iterable
from typing import Any

from domain.calls.correlation import CallHead
from domain.log.known_calls import KnownCalls, beginning
from domain.log.line_call_rows import HEAD, SPANS, UNBOUNDED, head_of, row_of

_LATEST_BEGUN = " UNION ALL ".join(
    f"SELECT * FROM (SELECT {HEAD} FROM line_calls INDEXED BY line_calls_by_beginning WHERE line = ?1 AND span = {span} AND first_at <= ?2"
    " ORDER BY first_at DESC, ordinal DESC LIMIT 1)"
    for span in range(len(SPANS) + 1)
)
# The index is named because SQLite would otherwise walk the whole line by its primary key.
_OVERLAPPING = " UNION ALL ".join(
    f"SELECT {HEAD} FROM line_calls INDEXED BY line_calls_by_beginning WHERE line = ?1 AND span = {span}"
    f" AND first_at BETWEEN ?2 - {longest} AND ?3 AND last_at >= ?2"
    for span, longest in enumerate((*SPANS, UNBOUNDED))
)
# One query for the last calls of a line finds all calls of a line that has no more than this.
SHORT_LINE_CALLS_MAX = 8
_LAST_CALLS = f"SELECT {HEAD} FROM line_calls WHERE line = ? ORDER BY ordinal DESC LIMIT {SHORT_LINE_CALLS_MAX + 1}"
_LAST_ORDINAL = "SELECT max(ordinal) FROM line_calls WHERE line = ?"
PUT_CALLS = "INSERT OR REPLACE INTO line_calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class LongLine:
    """The calls of a line with many calls, searched as SPEC 6 asks; see LineCalls for what each method does.

    Most notices concern the call that began last. It is read once, and a call is written once for all its notices of
    the transaction: before the next search in the table, which must find it, or at the end.
    """

    def __init__(self, cursor: sqlite3.Cursor, line: str) -> None:
        """Find the call that began last."""
        self._cursor = cursor
        self._line = line
        self._unwritten: dict[int, CallHead] = {}
        self._find_latest()

    def _find_latest(self) -> None:
        self._write()
        latest = self._latest_begun_in_table(UNBOUNDED)
        assert latest
        self._latest, self._latest_first_at = latest, latest.first_at

    def latest_begun(self, before: int) -> CallHead | None:  # noqa: D102
        if self._latest.first_at <= before:
            return self._latest
        self._write()
        return self._latest_begun_in_table(before)

    def _latest_begun_in_table(self, before: int) -> CallHead | None:
        rows = self._cursor.execute(_LATEST_BEGUN, (self._line, before)).fetchall()
        return head_of(max(rows, key=lambda row: (row[1], row[0]))) if rows else None

    def overlapping(self, start: int, end: int) -> Iterable[CallHead]:  # noqa: D102
        self._write()
        rows = self._cursor.execute(_OVERLAPPING, (self._line, start, end)).fetchall()
        return [head_of(row) for row in sorted(rows)]

    def last_ordinal(self) -> int:  # noqa: D102
        self._write()
        last: int = self._cursor.execute(_LAST_ORDINAL, (self._line,)).fetchone()[0]
        return last

    def put(self, head: CallHead) -> None:  # noqa: D102
        self._unwritten[head.ordinal] = head
        latest = self._latest
        if latest.ordinal == head.ordinal:
            self._latest = head
            if head.first_at < self._latest_first_at:
                self._find_latest()  # The call began earlier than was known, perhaps before another one.
        elif beginning(head) > beginning(latest):
            self._latest, self._latest_first_at = head, head.first_at

    def _write(self) -> None:
        self._cursor.executemany(PUT_CALLS, self.changed())

    def changed(self) -> list[tuple[Any, ...]]:
        """Return the rows of the calls that changed since the last time this was called."""
        rows = [row_of(self._line, head) for head in self._unwritten.values()]
        self._unwritten.clear()
        return rows


def read_line(cursor: sqlite3.Cursor, line: str) -> KnownCalls | LongLine:
    """Return the calls of a line: of a short line all of them, read at once."""
    rows = cursor.execute(_LAST_CALLS, (line,)).fetchall()
    if len(rows) > SHORT_LINE_CALLS_MAX:
        return LongLine(cursor, line)
    return KnownCalls(line, map(head_of, rows))
