"""An exclusive lock on one kind of work for a ledger in PostgreSQL: an advisory lock on a connection of its own."""

from contextlib import suppress
from typing import Any
from zlib import crc32

import psycopg
from psycopg import Connection

from domain.log.advisory_lock import HOLDERS, LOCK_QUERY, STANDBY, AdvisoryLockHolder
from domain.log.keepalive import HOLDER_NETWORK, HOLDER_SESSION
from domain.log.postgres.connections import ConnectionPool


class PostgresLock(AdvisoryLockHolder["_LockConnection"]):
    """An exclusive lock; see ExclusiveLock for what each method does."""

    def __init__(self, connections: ConnectionPool, purpose: str) -> None:
        """Use a pool's database; nothing is connected before the first ``acquire``."""

        def connect() -> _LockConnection:
            number = crc32(purpose.encode()) >> 1
            return _LockConnection(
                connections.connect(HOLDER_NETWORK, HOLDER_SESSION, f"tringledger-lock-{purpose}"), number
            )

        super().__init__(connect, connections.map_errors)


class _LockConnection:
    def __init__(self, connection: Connection[Any], purpose: int) -> None:
        self._connection = connection
        self._purpose = purpose

    def try_lock(self) -> bool:
        # On a standby nobody has work to do.
        query = "SELECT NOT pg_is_in_recovery() AND pg_try_advisory_lock(%s::int, %s::int)"
        (taken,) = self._connection.execute(query, (LOCK_QUERY, self._purpose)).fetchone() or (False,)
        return bool(taken)

    def holders(self) -> list[str]:
        if self._connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,):
            return [STANDBY]
        return [text for (text,) in self._connection.execute(HOLDERS, (LOCK_QUERY, self._purpose))]

    def check(self) -> None:
        self._connection.execute("SELECT 1")

    def close(self) -> None:
        # Without this, closing would return before the server has noticed it and released the lock.
        with suppress(psycopg.Error):
            self._connection.execute("SELECT pg_advisory_unlock_all()")
        self._connection.close()
