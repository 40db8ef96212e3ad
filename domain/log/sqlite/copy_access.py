"""Snapshots and fills of a log in a SQLite file, for copies."""

import sqlite3
from collections.abc import Iterable, Iterator

from domain.log.tables import LAST_NUMBER, QUARANTINE, LogTable, TableRow

ROWS_AT_ONCE = 1000


class SQLiteSnapshot:
    """See LogSnapshot for what each method does."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Open on a connection whose transaction has read already, so that its view no longer changes."""
        self._connection = connection

    def facts(self) -> dict[str, str]:  # noqa: D102
        facts: dict[str, str] = dict(self._connection.execute("SELECT name, value FROM ledger"))
        for (number,) in self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'quarantine'"):
            facts[LAST_NUMBER] = str(number)
        return facts

    def count(self, table: LogTable) -> int:  # noqa: D102
        found: int = self._connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]
        return found

    def rows(self, table: LogTable) -> Iterator[TableRow]:  # noqa: D102
        cursor = self._connection.execute(f"SELECT * FROM {table.name} ORDER BY {', '.join(table.key)}")
        cursor.arraysize = ROWS_AT_ONCE
        return map(_with_boolean, cursor) if table is QUARANTINE else cursor


def _with_boolean(row: TableRow) -> TableRow:
    """Return a row of the quarantine with ``authentic`` as a boolean, as other stores have it: SQLite has none."""
    return (*row[:2], bool(row[2]), *row[3:])


class SQLiteFill:
    """See FillTransaction for what each method does."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        """Open on a cursor whose transaction holds the write lock."""
        self._cursor = cursor

    def set_fact(self, name: str, value: str) -> None:  # noqa: D102
        if name == LAST_NUMBER:
            self._cursor.execute("DELETE FROM sqlite_sequence WHERE name = 'quarantine'")
            self._cursor.execute("INSERT INTO sqlite_sequence VALUES ('quarantine', ?)", (int(value),))
        else:
            self._cursor.execute("INSERT OR REPLACE INTO ledger VALUES (?, ?)", (name, value))

    def delete_fact(self, name: str) -> None:  # noqa: D102
        self._cursor.execute("DELETE FROM ledger WHERE name = ?", (name,))

    def remove(self, table: LogTable, keys: Iterable[TableRow]) -> None:  # noqa: D102
        where = " AND ".join(f"{column} = ?" for column in table.key)
        self._cursor.executemany(f"DELETE FROM {table.name} WHERE {where}", keys)

    def put(self, table: LogTable, rows: Iterable[TableRow]) -> None:  # noqa: D102
        marks = ", ".join("?" * table.columns)
        self._cursor.executemany(f"INSERT INTO {table.name} VALUES ({marks})", rows)
