"""Connections to the SQLite file of a log, and the errors that their failures become."""

import os
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from threading import Lock
from time import sleep
from urllib.parse import quote
from weakref import WeakSet

from eventsourcing.persistence import ConnectionUnavailableError, PersistenceError
from eventsourcing.sqlite import SQLiteConnection, SQLiteConnectionPool

from domain.errors import StoreLocked, StoreUnavailable
from domain.log.continuity import Continuity
from domain.log.sqlite.opened_file import MainFile
from domain.log.wal_mode import LOCK_TIMEOUT_SECONDS, enter_wal_mode, sync_folder
from domain.private_files import make_private

# A commit that finds 8,000 pages in the write-ahead log moves them into the file; `checkpoint` leaves it few of them.
PRAGMAS = """
    PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;
    PRAGMA wal_autocheckpoint=8000; PRAGMA journal_size_limit=67108864
"""
FEW_PAGES = "PRAGMA cache_size=-2048"
_ROOT = "SELECT rootpage FROM sqlite_master WHERE name = 'stored_events'"
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_LOOKS, _PAUSE = 3, timedelta(milliseconds=100)


class _RecentFirst(deque[SQLiteConnection]):
    """Idle connections: the one that is returned last is taken first."""

    def append(self, connection: SQLiteConnection, /) -> None:
        """Return a connection."""
        self.appendleft(connection)


class SQLitePool(SQLiteConnectionPool):
    """Connections that sync every commit to disk: an answered callback must survive a power loss.

    The library's own connections keep one prepared statement (``cached_statements=True`` means 1) and a small page cache.
    Delivery keys and stream ids are random, so either would cost two thirds of the time of a recording. The library's pool
    also takes its connections in turns: each would read again all pages that another one has written since.

    All are connections to the file that the first of them opened. A file that was deleted or replaced since can still be
    written, but what is written there could never be found again; nor could what is written to a deleted write-ahead log. So
    both are checked before a commit, and again before the commit is answered.
    """

    def __init__(self, path: Path) -> None:
        """Begin without a connection; the first one creates the file if it is missing."""
        super().__init__(db_name=f"file:{quote(str(path))}")
        self._pool = _RecentFirst()
        self.path = path
        self.continuity = Continuity()
        self._wal_path = path.with_name(f"{path.name}-wal")
        self._opened: os.stat_result | None = None
        self._wal: os.stat_result | None = None
        self._names_are_synced = False
        self._connections: WeakSet[SQLiteConnection] = WeakSet()
        self._main: MainFile | None = None
        self._keeps_few_pages = False
        self._turn = Lock()

    @contextmanager
    def turn_to_write(self) -> Iterator[None]:
        """Be the one thread that writes until the block ends; raises ConnectionUnavailableError if that takes too long.

        Whoever waits for the library's own lock of writers keeps all others from getting a connection: also the one who writes,
        and has to read before that ends. Both would wait until one gives up.
        """
        if not self._turn.acquire(timeout=self.pool_timeout):
            msg = "another thread has been writing for too long"
            raise ConnectionUnavailableError(msg)
        try:
            yield
        finally:
            self._turn.release()

    def keep_few_pages(self) -> None:
        """Have all connections, those to come too, keep 2 MiB of pages."""
        self._keeps_few_pages = True
        for connection in self._connections:
            if not connection.closed:
                connection.cursor().sqlite_cursor.execute(FEW_PAGES)

    def check_in_place(self) -> None:
        """Raise OSError if the path no longer leads to the file that was opened, StoreLost if what it held is lost."""
        self.continuity.check()
        try:
            found = self.path.stat() if self._opened else None
            is_in_place = found is None or self._opened is None or os.path.samestat(found, self._opened)
        except FileNotFoundError:
            is_in_place = False
        if not is_in_place:
            raise OSError("its file was moved, deleted or replaced while it was open: bring it back, or start again")
        if self._wal and not self._is_wal_in_place(self._wal) and self._is_open():
            what = f"the write-ahead log {self._wal_path} was deleted or replaced while it was open"
            raise self.continuity.fail(what)
        loss = self._main.find_loss(found.st_mtime_ns) if found and self._main else ""
        if loss:
            msg = f"another file was copied over {self.path} while it was open: {loss}"
            raise self.continuity.fail(msg)

    def sync_names(self) -> None:
        """Have the names of the file and its write-ahead log on disk, once for each such log; raises OSError.

        SQLite syncs the folder too, and takes no notice where that fails.
        """
        if not self._names_are_synced:
            sync_folder(self.path.resolve().parent)
            self._names_are_synced = True

    def _is_open(self) -> bool:
        # Where no connection is left, SQLite itself has deleted the write-ahead log.
        return any(not connection.closed for connection in self._connections)

    def _is_wal_in_place(self, opened: os.stat_result) -> bool:
        try:
            return os.path.samestat(self._wal_path.stat(), opened)
        except FileNotFoundError:
            return False

    def watch(self, cursor: sqlite3.Cursor) -> None:
        """Begin to look at the main file, once it has a log."""
        if self._main is None and self._opened:
            for (root,) in cursor.execute(_ROOT).fetchall():
                self._main = MainFile(self.path, root)

    @contextmanager
    def map_errors(self) -> Iterator[None]:
        """Raise StoreUnavailable, naming the store, for the errors of the driver and the library.

        StoreLocked says that another program held the lock, StoreLost that the file is damaged.
        """
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise
        except (sqlite3.Error, PersistenceError, OSError) as error:
            what = str(error)
            if self._is_damage(error):
                if self._is_still_damaged():
                    msg = f"the store {self.db_name} is damaged: {error}"
                    raise self.continuity.fail(msg) from error
                what = f"{error} at one look, and not at the next"
            msg = f"the store {self.db_name} cannot be used now: {what}"
            raise (StoreLocked if _code_of(error) in _LOCKED else StoreUnavailable)(msg) from error

    def _is_damage(self, error: BaseException) -> bool:
        """Whether SQLite found the file damaged that was in order when it was opened."""
        return self._opened is not None and _code_of(error) in _DAMAGE

    def _is_still_damaged(self) -> bool:
        """Whether SQLite finds the file damaged each time that it looks through all of it.

        A disk that fails to read for a moment is damage in SQLite's words, too: it has one error for both.
        """
        existing = f"{self.db_name}?mode=rw"
        for _ in range(_LOOKS):
            try:
                with closing(sqlite3.connect(existing, uri=True, timeout=LOCK_TIMEOUT_SECONDS)) as connection:
                    if connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]:
                        return False
            except sqlite3.Error as error:
                if not self._is_damage(error):
                    return False  # It cannot be looked at now.
            sleep(_PAUSE.total_seconds())
        return True

    def rescue_wal(self, cursor: sqlite3.Cursor) -> None:
        """Move what only a deleted write-ahead log has into the file, unless there is another log by now.

        SQLite still has the deleted one open, and nobody else can: so what was answered is kept.
        """
        if self._wal and self._opened and not self._wal_path.exists():
            with suppress(sqlite3.Error, OSError):
                if os.path.samestat(self.path.stat(), self._opened):
                    cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _create_connection(self) -> SQLiteConnection:
        self.check_in_place()
        # SQLite gives its -wal and -shm files the same permissions, and says better what is wrong.
        with suppress(OSError):
            make_private(self.path)
        connection = sqlite3.connect(
            self.db_name,
            uri=True,
            check_same_thread=False,
            isolation_level=None,
            timeout=LOCK_TIMEOUT_SECONDS,
            cached_statements=256,
        )
        enter_wal_mode(connection, PRAGMAS)
        if self._keeps_few_pages:
            connection.execute(FEW_PAGES)
        connection.execute(_ROOT).fetchall()  # Only a look at the file opens its write-ahead log.
        self._opened = self._opened or self.path.stat()
        if not self._is_open():
            with suppress(FileNotFoundError):
                self._wal = self._wal_path.stat()
            self._names_are_synced = False
        made = SQLiteConnection(connection, self.max_age)
        self._connections.add(made)
        return made

    def close(self) -> None:
        """Close the connections, and then what looks at the file."""
        super().close()
        if self._main:
            self._main.close()
            self._main = None


def _code_of(error: BaseException) -> int:
    """Return SQLite's code of an error, which the library may have wrapped; 0 without one."""
    cause = error if hasattr(error, "sqlite_errorcode") else error.__cause__
    return int(getattr(cause, "sqlite_errorcode", 0)) & 0xFF  # An extended code has the plain one in its last byte.
