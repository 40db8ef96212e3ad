"""Counts keys in a temporary SQLite file, so that long inputs need no memory."""

import sqlite3
from types import TracebackType
from typing import Self

PRAGMAS = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-32768"
TABLE = "CREATE TABLE tally (key BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID"
COUNT = "INSERT INTO tally VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times"


class KeyCounter:
    """How often each key has come; deleted at the end."""

    def __init__(self) -> None:
        """Start empty; the file has no name, and is deleted with the connection."""
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.executescript(PRAGMAS)
        self._connection.execute(TABLE)
        # One transaction for all: each commit would go through the whole cache.
        self._connection.execute("BEGIN")

    def count(self, key: bytes) -> int:
        """Count a key; return how often it has come so far."""
        times: int = self._connection.execute(COUNT, (key,)).fetchone()[0]
        return times

    def has(self, key: bytes) -> bool:
        """Whether a key has come."""
        return self._connection.execute("SELECT 1 FROM tally WHERE key = ?", (key,)).fetchone() is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._connection.close()
