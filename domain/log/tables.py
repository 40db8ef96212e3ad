"""The log's tables as copies see them: alike on every store, row for row, so that one store can be filled from another."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from domain.errors import CopyIncomplete

# The schema of these tables in PostgreSQL.
POSTGRES_SCHEMA = "tringledger"

TableRow = tuple[Any, ...]


class LogTable(NamedTuple):
    """A table: its number of columns, in the same order on every store, and its key.

    The key's columns come first and have the same names on every store. ``grows`` is true if rows never change.
    """

    name: str
    columns: int
    key: tuple[str, ...]
    grows: bool

    def key_of(self, row: TableRow) -> TableRow:
        """Return the key of a row."""
        return row[: len(self.key)]


EVENTS = LogTable("stored_events", 5, ("position",), grows=True)
DELIVERY_KEYS = LogTable("delivery_keys", 2, ("delivery_key",), grows=True)
NONCES = LogTable("nonces", 3, ("nonce", "content"), grows=True)
SIGNATURES = LogTable("signatures", 2, ("sig",), grows=True)
LINE_CALLS = LogTable("line_calls", 10, ("line", "ordinal"), grows=False)
QUARANTINE = LogTable("quarantine", 10, ("id",), grows=False)
TABLES = (EVENTS, DELIVERY_KEYS, NONCES, SIGNATURES, LINE_CALLS, QUARANTINE)

# The fact that marks a store as being filled, so that nothing else may write it.
COPYING = "copying"
# The fact with the last number that the quarantine has used, even if that notice was deleted. SQLite keeps it elsewhere.
LAST_NUMBER = "quarantine_last"


def oldest_open_query(quarantine: str, literals: tuple[str, str]) -> str:
    """Return the query that says when the oldest notice came that is open in the quarantine; ``literals`` are a store's false and true.

    Each half of it is the first entry of an index: without halves, all settled notices would be passed over.
    """
    halves = (
        f"SELECT * FROM (SELECT id, received_at FROM {quarantine} WHERE position = 0 AND authentic = {authentic}"
        f" ORDER BY id LIMIT 1) of_{authentic}"
        for authentic in literals
    )
    return f"SELECT received_at FROM ({' UNION ALL '.join(halves)}) of_both ORDER BY id LIMIT 1"


def check_not_copying(mark: str | None) -> None:
    """Raise CopyIncomplete if a store has the mark of a copy that is not complete."""
    if mark is not None:
        origin = msgspec.json.decode(mark)["origin"]
        msg = (
            f"this store is a copy of {origin} that is not complete: run `tringledger copy` again until it says that the"
            " copy is complete"
        )
        raise CopyIncomplete(msg)


class LogSnapshot(Protocol):
    """A store as it was at one moment, however long it is read; nothing waits for the reader."""

    def facts(self) -> Mapping[str, str]:
        """Return the ledger's own facts, with LAST_NUMBER on every store."""

    def count(self, table: LogTable) -> int:
        """Return how many rows a table has."""

    def rows(self, table: LogTable) -> Iterator[TableRow]:
        """Return a table's rows, sorted by key: texts by code points, bytes by value."""


class FillTransaction(Protocol):
    """One transaction of a copy on the store that it fills, committed durably as a whole or not at all."""

    def set_fact(self, name: str, value: str) -> None:
        """Set one of the ledger's own facts."""

    def delete_fact(self, name: str) -> None:
        """Delete one of the ledger's own facts."""

    def remove(self, table: LogTable, keys: Iterable[TableRow]) -> None:
        """Delete the rows with these keys."""

    def put(self, table: LogTable, rows: Iterable[TableRow]) -> None:
        """Add rows."""
