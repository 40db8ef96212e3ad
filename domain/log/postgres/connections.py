"""Connections to one PostgreSQL database: a pool that drops broken connections and opens new ones.

A connection that the server has closed is noticed before it is borrowed, without a round trip. So a cut connection fails
only the transaction that it carried, and a restart of the server only those that were tried while it was down.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import BoundedSemaphore
from typing import Any, TypeVar

import psycopg
from psycopg import Connection, pq
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict

from domain.errors import StoreReadOnly, StoreUnavailable, UnknownStore
from domain.log.keepalive import CONNECTIONS_MAX
from domain.log.postgres.pooling import check_pooling
from domain.log.urls import EXPECTED, redacted

CONNECT_SECONDS_MAX = 10
LOCK_SECONDS_MAX = 15
PROBE_SECONDS_MAX = 5
STATEMENT_SECONDS_MAX = 25
ANSWER_SECONDS_MAX = 30
SILENT_SECONDS_MAX = 10
# More idle connections than these are given back to the server at once.
IDLE_MAX = 2

# A lost network must be noticed within half a minute: by this program and, because of the lock, by the server.
_NETWORK = {
    "connect_timeout": CONNECT_SECONDS_MAX,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
# Every statement of ours is written for an index, whatever the tables' statistics say at the moment.
_SESSION = {
    "statement_timeout": f"{STATEMENT_SECONDS_MAX}s",
    "lock_timeout": f"{LOCK_SECONDS_MAX}s",
    # A host that falls silent within a transaction must not keep the lock.
    "idle_in_transaction_session_timeout": f"{SILENT_SECONDS_MAX}s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25s",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
    "search_path": "pg_catalog",
}
_T = TypeVar("_T")
_BROKEN = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)
# What a standby answers to BEGIN READ WRITE, and to whatever else would write.
_READ_ONLY = (psycopg.errors.FeatureNotSupported, psycopg.errors.ReadOnlySqlTransaction)
_NOT_FOR_US = (psycopg.errors.InsufficientPrivilege,)


def check_url(url: str) -> None:
    """Raise UnknownStore for a URL that the driver cannot read; the driver's own message may hold the password."""
    try:
        named = conninfo_to_dict(url)
    except psycopg.Error:
        named = {}
    if not named.get("dbname"):
        msg = (
            f"the store {redacted(url)!r} cannot be read: expected {EXPECTED}, the name and the password"
            " percent-encoded, and parameters that libpq knows"
        )
        raise UnknownStore(msg)


class _Connection(Connection[tuple[Any, ...]]):
    """A connection that waits only so long, even for a frozen server on a network that still answers."""

    answer_seconds_max: int | None = None

    def wait(self, gen: PQGen[_T], *given: Any, **named: Any) -> _T:
        """Run one exchange with the server; close the connection if it takes too long."""
        if given or named:
            return super().wait(gen, *given, **named)
        seconds_max = self.answer_seconds_max or ANSWER_SECONDS_MAX
        try:
            return super().wait(gen, timeout=seconds_max)
        except psycopg.errors._WaitTimeout as error:  # noqa: SLF001 - its documented name
            self.pgconn.finish()
            msg = f"the server has not answered for {seconds_max} s"
            raise psycopg.OperationalError(msg) from error


class ConnectionPool:
    """The connections of one process to one database; any thread may borrow one.

    A service reserves a connection for its writer: however few the server has left, callbacks are recorded.
    """

    def __init__(self, url: str, connections_max: int | None = None) -> None:
        """Begin without a connection; at most ``connections_max`` are borrowed at once, apart from writers' and long ones."""
        self._url = url
        self._idle: deque[_Connection] = deque()
        self._places = BoundedSemaphore(connections_max or CONNECTIONS_MAX)
        self._reserved: deque[_Connection] | None = None
        self._is_pooling_checked = False

    def reserve_writer(self) -> None:
        """Open a connection that is kept for writers alone; raises StoreUnavailable."""
        with self.map_errors():
            self._reserved = deque()
            self._reserved.append(self.connect())

    @contextmanager
    def borrow(self) -> Iterator[Connection[Any]]:
        """Borrow a connection in autocommit mode and outside a transaction; raises StoreUnavailable.

        A connection that is returned in another state is closed.
        """
        if not self._places.acquire(timeout=LOCK_SECONDS_MAX):
            msg = (
                f"the store {redacted(self._url)} cannot be used now: all connections of this process are busy; expected one to be"
                f" free within {LOCK_SECONDS_MAX} s (TRINGLEDGER_CONNECTIONS_MAX)"
            )
            raise StoreUnavailable(msg)
        try:
            with self._lent(self._idle) as connection:
                yield connection
        finally:
            self._places.release()

    @contextmanager
    def borrow_long(self, answer_seconds_max: int | None = None) -> Iterator[Connection[Any]]:
        """Borrow a connection for a long time; ``answer_seconds_max`` allows a slower answer than usual."""
        with self._lent(self._idle) as connection:
            connection.answer_seconds_max = answer_seconds_max
            yield connection

    @contextmanager
    def borrow_for_writing(self) -> Iterator[Connection[Any]]:
        """Borrow the connection that is reserved for writers, or another one; one that finds a standby is closed."""
        with self._lent(self._idle if self._reserved is None else self._reserved) as connection:
            try:
                yield connection
            except _READ_ONLY:
                # The next connection may be to another server.
                connection.close()
                raise

    @contextmanager
    def _lent(self, idle: deque[_Connection]) -> Iterator[_Connection]:
        with self.map_errors():
            connection = self._take(idle)
            connection.answer_seconds_max = None
            try:
                yield connection
            finally:
                self._return(connection, idle)

    def _take(self, idle: deque[_Connection]) -> _Connection:
        with suppress(IndexError):
            while True:
                connection = idle.pop()
                if _is_alive(connection):
                    return connection
                connection.close()
        return self.connect()

    def _return(self, connection: _Connection, idle: deque[_Connection]) -> None:
        is_idle = connection.pgconn.transaction_status == pq.TransactionStatus.IDLE
        if is_idle and len(idle) < (1 if idle is self._reserved else IDLE_MAX):
            idle.append(connection)
        else:
            connection.close()

    def connect(
        self, network: Mapping[str, int] = _NETWORK, session: Mapping[str, str] = {}, name: str = "tringledger-log"
    ) -> _Connection:
        """Open a connection of the caller's own, in autocommit mode; its errors are for ``map_errors``.

        ``name`` is its application_name. Parameters of the URL override it and ``network``; ``session`` overrides the
        session's usual settings.
        """
        given = conninfo_to_dict(self._url)
        defaults: dict[str, Any] = {key: value for key, value in network.items() if key not in given}
        defaults["fallback_application_name"] = name

        def open_one() -> _Connection:
            return _Connection.connect(self._url, autocommit=True, client_encoding="utf8", **defaults)

        connection = open_one()
        if not self._is_pooling_checked:
            self._check_pooling(connection, open_one)
        values = {**_SESSION, **session}
        settings = ", ".join(f"pg_catalog.set_config('{name}', '{value}', false)" for name, value in values.items())
        connection.execute(f"SELECT {settings}".encode())
        return connection

    def _check_pooling(self, connection: _Connection, open_one: Callable[[], _Connection]) -> None:
        def open_second() -> _Connection:
            second = open_one()
            # A pooler may have no server connection left for it.
            second.answer_seconds_max = PROBE_SECONDS_MAX
            return second

        try:
            check_pooling(connection, open_second, redacted(self._url))
        except BaseException:
            connection.close()
            raise
        self._is_pooling_checked = True

    @contextmanager
    def map_errors(self) -> Iterator[None]:
        """Raise StoreUnavailable, naming the store, for the errors of the driver when a store fails."""
        try:
            yield
        except _READ_ONLY as error:
            msg = (
                f"the store {redacted(self._url)} cannot be written now: its server is a standby; expected the primary, or the"
                " standby's promotion"
            )
            raise StoreReadOnly(msg) from error
        except (*_BROKEN, *_NOT_FOR_US) as error:
            reason = re.sub(r"\s+", " ", str(error)).strip()
            msg = f"the store {redacted(self._url)} cannot be used now: {reason}"
            raise StoreUnavailable(msg) from error

    def close(self) -> None:
        """Close the idle connections."""
        for idle in (self._idle, self._reserved or deque()):
            while idle:
                idle.pop().close()


def _is_alive(connection: Connection[Any]) -> bool:
    """Whether the server has not closed the connection, as far as what has arrived tells."""
    try:
        # Twice: the first read may get the server's last message, the second finds the connection closed.
        connection.pgconn.consume_input()
        connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return False
    return connection.pgconn.status == pq.ConnStatus.OK
