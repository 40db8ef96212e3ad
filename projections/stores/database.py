"""A database in which a store of ours lives: its transactions, and one error for all that goes wrong with it.

The read models, the users with the audit log, and the proofs are kept apart from the log and from each other: on SQLite in a
file each, on PostgreSQL in a schema each of the ledger's database.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolBusy

from domain.errors import LedgerError, StoreReadOnly, StoreUnavailable

LOCK_TIMEOUT_SECONDS = 30

# What SQLite (SQLITE_CORRUPT, SQLITE_NOTADB) and PostgreSQL call a damaged file, page or index.
_SQLITE_DAMAGE = (11, 26)
_POSTGRES_DAMAGE = ("XX001", "XX002")
_READ_ONLY = "25006"
# What they say of a statement that was stopped (SQLITE_INTERRUPT, query_canceled).
_SQLITE_STOPPED, _POSTGRES_STOPPED = 9, "57014"
STANDBY_SERVER = "the server is a standby; expected the primary, or the standby's promotion"

Refusal = Callable[[str, BaseException], LedgerError]


def driver_message(error: BaseException) -> str:
    """Return the database's own error message in one line."""
    return " ".join(str(getattr(error, "orig", error)).split())


def is_damage(error: BaseException) -> bool:
    """Whether the database reports damage of what it keeps, and not that it cannot be used just now."""
    cause = getattr(error, "orig", error)
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # An extended code has the plain one in its last byte.
    return code in _SQLITE_DAMAGE or getattr(cause, "sqlstate", "") in _POSTGRES_DAMAGE


def is_stopped(error: BaseException) -> bool:
    """Whether the database stopped a statement because it was told to."""
    cause = getattr(error, "orig", error)
    return (
        getattr(cause, "sqlite_errorcode", 0) == _SQLITE_STOPPED or getattr(cause, "sqlstate", "") == _POSTGRES_STOPPED
    )


def is_standby(error: BaseException) -> bool:
    """Whether a server refuses to write because it is a standby."""
    return getattr(getattr(error, "orig", error), "sqlstate", "") == _READ_ONLY


def unavailable(contents: str) -> Refusal:
    """Return the refusal that names what a database holds: ``CONTENTS in NAME cannot be used now: ...``."""

    def refuse(name: str, error: BaseException) -> LedgerError:
        if is_standby(error):
            return StoreReadOnly(f"{contents} in {name} cannot be written now: {STANDBY_SERVER}")
        return StoreUnavailable(f"{contents} in {name} cannot be used now: {driver_message(error)}")

    return refuse


class Database(ABC):
    """An open database; ``name`` is its name in messages. Transactions raise what ``refuse`` makes of a driver's error."""

    def __init__(self, engine: Engine, name: str, refuse: Refusal) -> None:
        """Use an engine that reaches this database and no other."""
        self.name = name
        self._engine = engine
        self._refuse = refuse

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Begin a transaction that excludes every other writer, and commit it at the end."""
        with self.connected(self._begin_writing) as connection:
            yield connection
            connection.commit()

    @contextmanager
    def adding(self) -> Iterator[Connection]:
        """Begin a transaction that only adds rows, at the same time as others of its kind where possible, and commit it at the end."""
        with self.connected(self._begin_adding) as connection:
            yield connection
            connection.commit()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Begin a transaction that sees everything as it is at one moment, whatever others write meanwhile."""
        with self.connected(self._begin_reading) as connection:
            yield connection

    @contextmanager
    def connected(self, begin: Callable[[Connection], object]) -> Iterator[Connection]:
        """Lend a connection on which ``begin`` has begun a transaction; what is not committed is rolled back."""
        try:
            with self._engine.connect() as connection, self._given_up_if_lost(connection):
                self._begin(connection, begin)
                yield connection
        except (DBAPIError, PoolBusy, self._engine.dialect.loaded_dbapi.Error) as error:
            raise self._refuse(self.name, error) from error

    @contextmanager
    def _given_up_if_lost(self, connection: Connection) -> Iterator[None]:
        """Take a connection out of the pool where the driver, asked past SQLAlchemy, fails: it may be lost.

        SQLAlchemy would find out as it rolls back, and print a traceback.
        """
        try:
            yield
        except self._engine.dialect.loaded_dbapi.Error:
            connection.invalidate()
            raise

    def _begin(self, connection: Connection, begin: Callable[[Connection], object]) -> None:
        # OSErrors of the file are the database's only here: later ones may be of anything that the transaction is for.
        try:
            begin(connection)
        except OSError as error:
            raise self._refuse(self.name, error) from error

    @abstractmethod
    def _begin_writing(self, connection: Connection) -> None: ...

    def _begin_adding(self, connection: Connection) -> None:
        self._begin_writing(connection)

    @abstractmethod
    def _begin_reading(self, connection: Connection) -> None: ...

    @abstractmethod
    def still_exists(self) -> bool:
        """Whether the opened database still exists at its place: it may be deleted or replaced at any time."""

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()
