"""The calls of a line during a transaction on SQLite: of a short line all are known, of a long line few are read."""

import sqlite3
from collections.abc import Iterable

from domain.calls.correlation import CallHead
from domain.log.known_calls import KnownCalls
from domain.log.line_call_rows import HEAD, SPANS, UNBOUNDED, head_of

LATEST_OF_SPAN = 2  # It must be over 1: a call that is under way is the latest of its line.
_BY_SPAN = " UNION ALL ".join(
    f"SELECT * FROM (SELECT {HEAD}, span FROM line_calls INDEXED BY line_calls_by_beginning WHERE line = ?1 AND span = {span}"
    " AND first_at <= ?2 ORDER BY first_at DESC, ordinal DESC LIMIT ?3)"
    for span in range(len(SPANS) + 1)
)
# The index is named because SQLite would otherwise walk the whole line by its primary key.
_OVERLAPPING = " UNION ALL ".join(
    f"SELECT {HEAD} FROM line_calls INDEXED BY line_calls_by_beginning WHERE line = ?1 AND span = {span}"
    f" AND first_at BETWEEN ?2 - {longest} AND ?3 AND last_at >= ?2"
    for span, longest in enumerate((*SPANS, UNBOUNDED))
)
# One query for the last calls of a line finds all calls of a line that has no more than this.
SHORT_LINE_CALLS_MAX = 4
_LAST_CALLS = f"SELECT {HEAD} FROM line_calls WHERE line = ? ORDER BY ordinal DESC LIMIT {SHORT_LINE_CALLS_MAX + 1}"
PUT_CALLS = "INSERT OR REPLACE INTO line_calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class LongLine(KnownCalls):
    """The calls of a line with many calls, of which those that began last are read; see LineCalls for what each method does.

    Unknown calls all began at or before ``_floor``, and ended before ``_known_from``. Most notices are of a call that is under
    way or begins, and concern no unknown one: so they need no query of their own.
    """

    def __init__(self, cursor: sqlite3.Cursor, line: str, last: int) -> None:
        """Read the calls of each span class that began last; ``last`` is the line's highest ordinal."""
        super().__init__(line)
        self._cursor = cursor
        self._last = last
        self._floor = self._known_from = -UNBOUNDED
        found = [0] * (len(SPANS) + 1)
        for *row, span in cursor.execute(_BY_SPAN, (line, UNBOUNDED, LATEST_OF_SPAN)).fetchall():
            head = head_of(row)
            self.add(head)
            found[span] += 1
            if found[span] == LATEST_OF_SPAN:
                self._floor = max(self._floor, head.first_at)
                longest = SPANS[span] if span < len(SPANS) else UNBOUNDED
                self._known_from = max(self._known_from, head.first_at + longest + 1)

    def latest_begun(self, before: int) -> CallHead | None:
        """Return the call that began last at or before a moment."""
        latest = super().latest_begun(before)
        if latest and latest.first_at > self._floor:
            return latest
        self._cursor.executemany(PUT_CALLS, self.changed())  # The query must find them as they are by now.
        for *row, _ in self._cursor.execute(_BY_SPAN, (self._line, before, 1)).fetchall():
            self.add(head_of(row))
        return super().latest_begun(before)

    def overlapping(self, start: int, end: int) -> Iterable[CallHead]:
        """Return the calls whose span touches a time range, lowest ordinal first."""
        if start < self._known_from:
            for row in self._cursor.execute(_OVERLAPPING, (self._line, start, end)).fetchall():
                self.add(head_of(row))
            if end >= self._floor:
                self._known_from = start
        return super().overlapping(start, end)

    def last_ordinal(self) -> int:
        """Return the highest ordinal of the line."""
        return self._last

    def put(self, head: CallHead) -> None:
        """Add or replace a call that the transaction has changed."""
        super().put(head)
        self._last = max(self._last, head.ordinal)


def read_line(cursor: sqlite3.Cursor, line: str) -> KnownCalls:
    """Return the calls of a line: of a short line all of them, read at once."""
    rows = cursor.execute(_LAST_CALLS, (line,)).fetchall()
    if len(rows) > SHORT_LINE_CALLS_MAX:
        return LongLine(cursor, line, rows[0][0])
    return KnownCalls(line, map(head_of, rows))
