"""Snapshots and fills of a log in PostgreSQL, for copies; fills use COPY, the fastest way to insert."""

from collections.abc import Iterable, Iterator
from typing import Any

from psycopg import Connection

from domain.log.postgres.schema import SCHEMA
from domain.log.postgres.write_lock import take_write_lock
from domain.log.tables import LogTable, TableRow

ROWS_AT_ONCE = 2000
BEGIN_SNAPSHOT = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;"
    # Reading a whole log may take long: it holds no lock that anything waits for.
    " SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
)
BEGIN_FILLING = "SET LOCAL synchronous_commit = on; SET LOCAL idle_in_transaction_session_timeout = '60s'"


class PostgresSnapshot:
    """See LogSnapshot for what each method does."""

    def __init__(self, connection: Connection[Any]) -> None:
        """Open on a connection whose transaction has just begun."""
        self._connection = connection
        connection.execute(BEGIN_SNAPSHOT)

    def facts(self) -> dict[str, str]:  # noqa: D102
        return dict(self._connection.execute(f"SELECT name, value FROM {SCHEMA}.ledger".encode()).fetchall())

    def count(self, table: LogTable) -> int:  # noqa: D102
        row = self._connection.execute(f"SELECT count(*) FROM {SCHEMA}.{table.name}".encode()).fetchone()
        assert row
        found: int = row[0]
        return found

    def rows(self, table: LogTable) -> Iterator[TableRow]:  # noqa: D102
        query = f"SELECT * FROM {SCHEMA}.{table.name} ORDER BY {', '.join(table.key)}"
        with self._connection.cursor(f"of_{table.name}", binary=True) as cursor:
            cursor.itersize = ROWS_AT_ONCE
            yield from cursor.execute(query.encode())


class PostgresFill:
    """See FillTransaction for what each method does."""

    def __init__(self, connection: Connection[Any]) -> None:
        """Open on a connection whose transaction has just begun."""
        self._connection = connection
        connection.execute(BEGIN_FILLING)
        take_write_lock(connection)

    def set_fact(self, name: str, value: str) -> None:  # noqa: D102
        statement = (
            f"INSERT INTO {SCHEMA}.ledger VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        )
        self._connection.execute(statement.encode(), (name, value))

    def delete_fact(self, name: str) -> None:  # noqa: D102
        self._connection.execute(f"DELETE FROM {SCHEMA}.ledger WHERE name = %s".encode(), (name,))

    def remove(self, table: LogTable, keys: Iterable[TableRow]) -> None:  # noqa: D102
        where = " AND ".join(f"{column} = %s" for column in table.key)
        with self._connection.cursor() as cursor:
            cursor.executemany(f"DELETE FROM {SCHEMA}.{table.name} WHERE {where}".encode(), list(keys))

    def put(self, table: LogTable, rows: Iterable[TableRow]) -> None:  # noqa: D102
        statement = f"COPY {SCHEMA}.{table.name} FROM STDIN"
        with self._connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            for row in rows:
                copy.write_row(row)
