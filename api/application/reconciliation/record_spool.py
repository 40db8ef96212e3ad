"""Keeps the records of both sides in a temporary SQLite file, so that a year needs no more memory than a day.

Records are added in any order, and read by tag and number in the order in which they begin.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from types import TracebackType
from typing import Any, NamedTuple, Self

from api.application.importing.key_counter import PRAGMAS

OURS, THEIRS = 0, 1
AT_ONCE = 10_000


class MatchRecord(NamedTuple):
    """A record of one side (OURS or THEIRS).

    ``first_at`` and ``at`` are its times (microseconds, UTC): ours is a call from its beginning to its CDR; theirs one moment, or
    two that a local time in the hour that comes twice can mean.
    ``wanted`` is whether it is within the limits; others are only used as matches. ``ref`` is our call id, or their line
    number.
    """

    side: int
    tag: str
    src: str
    first_at: int
    at: int
    wanted: bool
    ref: str
    numbers: tuple[int, ...]


class RecordSpool:
    """The records of both sides, each with the compared numbers; deleted at the end."""

    def __init__(self, numbers: int) -> None:
        """Start empty; the file has no name, and is deleted with the connection."""
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.executescript(PRAGMAS)
        names = ["side", "tag", "src", "first_at", "at", "wanted", "ref", *(f"n{each}" for each in range(numbers))]
        self._connection.execute(f"CREATE TABLE records ({', '.join(names)})")
        self._insert = f"INSERT INTO records VALUES ({', '.join('?' * len(names))})"
        self._connection.execute("BEGIN")

    def take(self, records: Iterable[MatchRecord]) -> None:
        """Add records."""
        self._connection.executemany(self._insert, [record[:-1] + record.numbers for record in records])

    def groups(self) -> Iterator[Iterator[MatchRecord]]:
        """Yield the records of each tag and number, in the order in which they begin; each group must be read before the next."""
        cursor = self._connection.execute("SELECT * FROM records ORDER BY tag, src, first_at, at, side, rowid")
        return (group for _, group in groupby(map(_record, cursor), key=_TAG_AND_SRC))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._connection.close()


_BEFORE_NUMBERS = len(MatchRecord._fields) - 1
_TAG_AND_SRC = itemgetter(MatchRecord._fields.index("tag"), MatchRecord._fields.index("src"))
_new = tuple.__new__


def _record(row: tuple[Any, ...]) -> MatchRecord:
    # A row is in the order of the fields, with the numbers last: taking it as it is saves half of the time.
    return _new(MatchRecord, (*row[:_BEFORE_NUMBERS], row[_BEFORE_NUMBERS:]))
