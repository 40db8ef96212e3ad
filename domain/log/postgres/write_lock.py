"""The write lock of a log in PostgreSQL: the ledger's own row, so that maintenance of the tables waits for no writer.

A lock on the table of events would exclude VACUUM, ANALYZE and CREATE INDEX CONCURRENTLY, and those would stop all writers.
"""

from typing import Any

from psycopg import Connection

from domain.log.postgres.schema import MIGRATING, SCHEMA, WRITER_SETTING

_LOCK_ROW = f"SELECT 1 FROM {SCHEMA}.ledger WHERE name = 'id' FOR UPDATE"

# The row comes first: what a transaction reads after it is what all earlier ones have committed. It is a statement of its
# own because a statement sees the store as it was before it waited. The table's lock is the one that every INSERT takes; it
# lets maintenance pass, and excludes programs of schema 1, which lock the table exclusively.
WRITE_LOCK = f"{WRITER_SETTING}; LOCK TABLE {SCHEMA}.stored_events IN ROW EXCLUSIVE MODE; {_LOCK_ROW}"


def take_write_lock(connection: Connection[Any]) -> None:
    """Wait for the write lock, in a transaction that has begun."""
    cursor = connection.execute(WRITE_LOCK.encode(), prepare=False)
    for _ in iter(cursor.nextset, None):
        pass
    if not cursor.fetchall():
        lock_without_row(connection)


def lock_without_row(connection: Connection[Any]) -> None:
    """Wait for the write lock of a store that has no ledger yet, and so no row to lock.

    Whoever creates the ledger, or fills the store from another, holds the lock that creators of the tables share. It also
    locks the row if another transaction has written it meanwhile.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATING,))
    connection.execute(_LOCK_ROW.encode())
