"""Whose turn it is to follow, on PostgreSQL: who holds the lock, on a connection of its own, until that connection ends.

The same connection listens for what the log's writers say. That only wakes: a word that is lost delays, and stalls nothing.
"""

from datetime import timedelta
from threading import Event
from time import monotonic
from typing import Any

from sqlalchemy import Connection, NullPool
from sqlalchemy.exc import DBAPIError

from projections.stores.postgres_engine import FOLLOWING, ONLY_ONE, hold_lock, map_errors, postgres_engine

CHANNEL = "tringledger"
LOOK_AGAIN = timedelta(seconds=1)
# Words come in crowds: a moment later one page holds what many came for.
GATHERING = timedelta(milliseconds=100)
LISTENING = timedelta(milliseconds=200)


class PostgresFollowerLock:
    """A turn that a lock keeps; see FollowerLock for what each method does."""

    def __init__(self, url: str) -> None:
        """Take the database's address."""
        self._engine = postgres_engine(url, poolclass=NullPool)
        self._connection: Connection | None = None
        self._is_ours = False

    def acquire(self) -> bool:  # noqa: D102
        try:
            with map_errors("the database of the read models"):
                self._ask()
        except BaseException:
            self.close()
            raise
        return self._is_ours

    def _ask(self) -> None:
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if self._is_ours:
            self._connection.exec_driver_sql("SELECT 1")
        elif hold_lock(self._connection, f"lock({ONLY_ONE}, {FOLLOWING})"):
            self._connection.exec_driver_sql(f"LISTEN {CHANNEL}")
            self._is_ours = True

    def wait(self, stopping: Event) -> None:  # noqa: D102
        until = monotonic() + LOOK_AGAIN.total_seconds()
        stopping.wait((GATHERING if self._is_ours else LOOK_AGAIN).total_seconds())
        while not stopping.is_set() and monotonic() < until and not self._has_heard():
            pass

    def _has_heard(self) -> bool:
        assert self._connection
        try:
            driver: Any = self._connection.connection.driver_connection
            return bool(list(driver.notifies(timeout=LISTENING.total_seconds(), stop_after=1)))
        except (DBAPIError, self._engine.dialect.loaded_dbapi.Error):
            return True  # What is wrong is said, and mended, when the turn is asked for.

    def close(self) -> None:  # noqa: D102
        if self._connection:
            self._connection.invalidate()
            self._connection.close()
        self._connection, self._is_ours = None, False
