"""Connections to the SQLite file of a log, and the one error that their failures become."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from eventsourcing.persistence import PersistenceError
from eventsourcing.sqlite import SQLiteConnection, SQLiteConnectionPool

from domain.errors import StoreUnavailable
from domain.log.wal_mode import LOCK_TIMEOUT_SECONDS, enter_wal_mode

# A commit that finds 8,000 pages in the write-ahead log moves them into the file; `checkpoint` leaves it few of them.
PRAGMAS = """
    PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;
    PRAGMA wal_autocheckpoint=8000; PRAGMA journal_size_limit=67108864
"""


class SQLitePool(SQLiteConnectionPool):
    """Connections that sync every commit to disk: an answered callback must survive a power loss.

    The library's own connections keep one prepared statement (``cached_statements=True`` means 1) and a small page cache.
    Delivery keys and stream ids are random, so either would cost two thirds of the time of a recording.

    All are connections to the file that the first of them opened. A file that was deleted or replaced since can still be
    written, but what is written there could never be found again.
    """

    def __init__(self, path: Path) -> None:
        """Begin without a connection; the first one creates the file if it is missing."""
        super().__init__(db_name=f"file:{quote(str(path))}")
        self.path = path
        self._opened: os.stat_result | None = None

    def check_in_place(self) -> None:
        """Raise OSError if the path no longer leads to the file that was opened."""
        try:
            is_in_place = self._opened is None or os.path.samestat(self.path.stat(), self._opened)
        except FileNotFoundError:
            is_in_place = False
        if not is_in_place:
            raise OSError("its file was moved, deleted or replaced while it was open: bring it back, or start again")

    def _create_connection(self) -> SQLiteConnection:
        self.check_in_place()
        connection = sqlite3.connect(
            self.db_name,
            uri=True,
            check_same_thread=False,
            isolation_level=None,
            timeout=LOCK_TIMEOUT_SECONDS,
            cached_statements=256,
        )
        enter_wal_mode(connection, PRAGMAS)
        self._opened = self._opened or self.path.stat()
        return SQLiteConnection(connection, self.max_age)


@contextmanager
def map_errors(path: str) -> Iterator[None]:
    """Raise StoreUnavailable, naming the store, for the errors of the driver and the library when a store fails."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except (sqlite3.Error, PersistenceError, OSError) as error:
        msg = f"the store {path} cannot be used now: {error}"
        raise StoreUnavailable(msg) from error
