"""Which process follows the log, on PostgreSQL: the one that holds the lock, on a connection of its own.

The same connection listens for the notifications of the log's writers. They only wake the follower: one that is lost delays
it, and stops nothing.
"""

from datetime import timedelta
from threading import Event
from time import monotonic
from typing import Any

from sqlalchemy import Connection, NullPool
from sqlalchemy.exc import DBAPIError

from domain.log.advisory_lock import CHANNEL, STANDBY, AdvisoryLockHolder
from projections.stores.postgres_engine import FOLLOWING, ONLY_ONE, hold_lock, holders_of, map_errors, postgres_engine

LOOK_AGAIN = timedelta(seconds=1)
# Notifications come in bursts: a moment later, one page holds the events of many.
GATHERING = timedelta(milliseconds=100)
LISTENING = timedelta(milliseconds=200)


class PostgresFollowerLock:
    """The follower's lock; see FollowerLock for what each method does."""

    def __init__(self, url: str) -> None:
        """Use the database at a URL; nothing is connected before the first ``acquire``."""
        engine = postgres_engine(url, name="tringledger-lock-follow", poolclass=NullPool)
        self._holder = AdvisoryLockHolder(
            lambda: _ListeningConnection(engine.connect()), lambda: map_errors("the database of the read models")
        )

    def acquire(self) -> bool:  # noqa: D102
        return self._holder.acquire()

    def holder(self) -> str:  # noqa: D102
        return self._holder.holder()

    def wait(self, stopping: Event) -> None:  # noqa: D102
        until = monotonic() + LOOK_AGAIN.total_seconds()
        stopping.wait((GATHERING if self._holder.is_held else LOOK_AGAIN).total_seconds())
        while not stopping.is_set() and monotonic() < until and not self._has_heard():
            pass

    def _has_heard(self) -> bool:
        connection = self._holder.connection
        assert connection
        return connection.has_heard()

    def close(self) -> None:  # noqa: D102
        self._holder.close()


class _ListeningConnection:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection.execution_options(isolation_level="AUTOCOMMIT")

    def try_lock(self) -> bool:
        if self._is_standby():
            return False
        if not hold_lock(self._connection, f"lock({ONLY_ONE}, {FOLLOWING})"):
            return False
        self._connection.exec_driver_sql(f"LISTEN {CHANNEL}")
        return True

    def _is_standby(self) -> bool:
        return bool(self._connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar_one())

    def holders(self) -> list[str]:
        if self._is_standby():
            return [STANDBY]
        return holders_of(self._connection, ONLY_ONE, FOLLOWING)

    def check(self) -> None:
        self._connection.exec_driver_sql("SELECT 1")

    def has_heard(self) -> bool:
        """Wait a moment for a notification; a broken connection counts as one, and is dealt with by ``acquire``."""
        try:
            driver: Any = self._connection.connection.driver_connection
            return bool(list(driver.notifies(timeout=LISTENING.total_seconds(), stop_after=1)))
        except (DBAPIError, self._connection.dialect.loaded_dbapi.Error):
            return True

    def close(self) -> None:
        self._connection.invalidate()
        self._connection.close()
