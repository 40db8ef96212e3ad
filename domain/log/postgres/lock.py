"""An exclusive lock on one kind of work for a ledger in PostgreSQL: an advisory lock on a connection of its own."""

from contextlib import suppress
from typing import Any
from zlib import crc32

import psycopg
from psycopg import Connection

from domain.log.keepalive import HOLDER_NETWORK, HOLDER_SESSION
from domain.log.postgres.connections import ConnectionPool

# Two numbers name an advisory lock: this one, which nothing else in the database uses, and one of the purpose.
LOCK_QUERY = 0x7472_696D


class PostgresLock:
    """See ExclusiveLock for what each method does."""

    def __init__(self, connections: ConnectionPool, purpose: str) -> None:
        """Begin unlocked and without a connection; ``purpose`` names the lock."""
        self._connections = connections
        self._purpose = crc32(purpose.encode()) >> 1
        self._connection: Connection[Any] | None = None
        self._is_ours = False

    def acquire(self) -> bool:  # noqa: D102
        try:
            with self._connections.map_errors():
                self._ask()
        except BaseException:
            self.close()
            raise
        return self._is_ours

    def _ask(self) -> None:
        if self._connection is None:
            self._connection = self._connections.connect(HOLDER_NETWORK, HOLDER_SESSION)
        if self._is_ours:
            self._connection.execute("SELECT 1")
            return
        query = "SELECT pg_try_advisory_lock(%s::int, %s::int)"
        (self._is_ours,) = self._connection.execute(query, (LOCK_QUERY, self._purpose)).fetchone() or (False,)

    def close(self) -> None:  # noqa: D102
        if self._connection:
            # Without this, closing would return before the server has noticed it and released the lock.
            with suppress(psycopg.Error):
                self._connection.execute("SELECT pg_advisory_unlock_all()")
            self._connection.close()
        self._connection, self._is_ours = None, False
