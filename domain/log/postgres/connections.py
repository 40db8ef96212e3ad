"""Connections to one PostgreSQL database: lent to whoever needs one, given up when broken, and replaced without ado.

A connection that the server has closed meanwhile is noticed before it is lent, without asking the server. So a cut
connection costs the transaction that it carried, and a restarted server costs those that met it down: nothing else.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg
from psycopg import Connection, pq
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict

from domain.errors import StoreUnavailable, UnknownStore
from domain.log.urls import EXPECTED, redacted

CONNECT_SECONDS_MAX = 10
LOCK_SECONDS_MAX = 15
STATEMENT_SECONDS_MAX = 25
ANSWER_SECONDS_MAX = 30
SILENT_SECONDS_MAX = 10

# A network that is gone must be noticed within half a minute, on our side and, for the sake of the lock, on the server's.
_NETWORK = {
    "connect_timeout": CONNECT_SECONDS_MAX,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
# Whatever the tables' statistics say at the moment: every statement of ours is made for an index.
_SESSION = {
    "statement_timeout": f"{STATEMENT_SECONDS_MAX}s",
    "lock_timeout": f"{LOCK_SECONDS_MAX}s",
    # A host that falls silent in the middle of a transaction must not keep the lock from the others.
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
_NOT_FOR_US = (psycopg.errors.InsufficientPrivilege,)


def check_url(url: str) -> None:
    """Raise UnknownStore for an address that the driver cannot read, without its words: they may hold the password."""
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
    """A connection that does not wait for ever, not even for a server that is frozen while its network answers."""

    answer_seconds_max: int | None = None

    def wait(self, gen: PQGen[_T], *given: Any, **named: Any) -> _T:
        """Run one exchange with the server; hang up where it takes too long."""
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
    """The connections of one process to one database; any thread may borrow."""

    def __init__(self, url: str) -> None:
        """Take the address; nothing is connected before somebody asks."""
        self._url = url
        self._idle: deque[_Connection] = deque()

    @contextmanager
    def borrow(self, answer_seconds_max: int | None = None) -> Iterator[Connection[Any]]:
        """Lend a connection, in autocommit mode and in no transaction; raises StoreUnavailable.

        It comes back in that state, or is given up. ``answer_seconds_max`` is for what takes longer than usual.
        """
        with self.map_errors():
            connection = self._take()
            connection.answer_seconds_max = answer_seconds_max
            try:
                yield connection
            finally:
                self._take_back(connection)

    def _take(self) -> _Connection:
        with suppress(IndexError):
            while True:
                connection = self._idle.pop()
                if _is_alive(connection):
                    return connection
                connection.close()
        return self.connect()

    def _take_back(self, connection: _Connection) -> None:
        if connection.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    def connect(self, network: Mapping[str, int] = _NETWORK, session: Mapping[str, str] = {}) -> _Connection:
        """Return a connection that is not shared, in autocommit mode; what goes wrong is for ``mapped``.

        ``network`` stands back behind what the address says, ``session`` goes before what is usual here.
        """
        given = conninfo_to_dict(self._url)
        defaults: dict[str, Any] = {name: value for name, value in network.items() if name not in given}
        connection = _Connection.connect(self._url, autocommit=True, client_encoding="utf8", **defaults)
        values = {**_SESSION, **session}
        settings = ", ".join(f"pg_catalog.set_config('{name}', '{value}', false)" for name, value in values.items())
        connection.execute(f"SELECT {settings}".encode())
        return connection

    @contextmanager
    def map_errors(self) -> Iterator[None]:
        """Turn what the driver says of a failing store into one error that names it."""
        try:
            yield
        except (*_BROKEN, *_NOT_FOR_US) as error:
            reason = re.sub(r"\s+", " ", str(error)).strip()
            msg = f"the store {redacted(self._url)} cannot be used now: {reason}"
            raise StoreUnavailable(msg) from error

    def close(self) -> None:
        """Close the connections that nobody has borrowed."""
        while self._idle:
            self._idle.pop().close()


def _is_alive(connection: Connection[Any]) -> bool:
    """Whether the server has not hung up; looks only at what has arrived already."""
    try:
        # Twice: the first may get the server's last words, the second finds that it has hung up.
        connection.pgconn.consume_input()
        connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return False
    return connection.pgconn.status == pq.ConnStatus.OK
