"""Holding an advisory lock of PostgreSQL: on a connection of its own, until that connection ends, however it ends.

The log and the read models reach their databases by different drivers; what a holder does is the same for both.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Generic, Protocol, TypeVar

# Writers of the log notify the sessions that listen to this channel, among them the holder of the followers' lock.
CHANNEL = "tringledger"


# Two numbers name the advisory locks of a log, and of its read models' follower; nothing else in the database uses them.
LOCK_QUERY = 0x7472_696D
# The sessions that hold the lock that two numbers name, as one text each. Every role may read these tables.
HOLDERS = """
    SELECT concat('process ', l.pid, ', role ', a.usename, ', ', nullif(a.application_name, ''),
        ', from ' || host(a.client_addr))
    FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = %s::bigint::oid
        AND l.objid = %s::bigint::oid AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
        AND l.pid <> pg_catalog.pg_backend_pid()
    ORDER BY 1
"""
STANDBY = "the primary: this server is a standby"


class LockConnection(Protocol):
    """A connection that is there for one lock alone. Methods raise the driver's errors where it has ended."""

    def try_lock(self) -> bool:
        """Take the lock unless another session has it; whether it was taken."""

    def holders(self) -> list[str]:
        """Return the sessions that hold the lock, each as one text: the server process, its role and its name."""

    def check(self) -> None:
        """Make sure that the connection, and so the lock, still holds."""

    def close(self) -> None:
        """End the connection, and release the lock at once."""


C = TypeVar("C", bound=LockConnection)


class AdvisoryLockHolder(Generic[C]):
    """One process's share in a lock: it connects when it is first asked, and again after its connection was lost."""

    def __init__(self, connect: Callable[[], C], map_errors: Callable[[], AbstractContextManager[None]]) -> None:
        """Use ``connect`` for a connection; ``map_errors`` turns the driver's errors into ours."""
        self._connect = connect
        self._map_errors = map_errors
        self.connection: C | None = None
        self.is_held = False

    def acquire(self) -> bool:
        """Take the lock unless another has it; whether it is held, asked of the database each time. Raises our errors."""
        try:
            with self._map_errors():
                if self.connection is None:
                    self.connection = self._connect()
                if self.is_held:
                    self.connection.check()
                else:
                    self.is_held = self.connection.try_lock()
        except BaseException:
            self.close()
            raise
        return self.is_held

    def holder(self) -> str:
        """Return who holds the lock, if another does: the session by its process, role and name. Raises our errors."""
        with self._map_errors():
            return "; ".join(self.connection.holders()) if self.connection and not self.is_held else ""

    def close(self) -> None:
        """Release the lock and end the connection; the next ``acquire`` connects anew."""
        if self.connection:
            self.connection.close()
        self.connection, self.is_held = None, False
