"""A SQLite file next to the ledger's, in write-ahead mode: readers and its writer do not wait for each other."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from domain.log.wal_mode import enter_wal_mode, sync_folder
from domain.private_files import make_private
from projections.stores.database import LOCK_TIMEOUT_SECONDS, Database, Refusal

# For a file that is built and not read yet: a build that is cut short is thrown away.
BUILDING = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16384"


class SQLiteFile(Database):
    """A file; the first transaction creates it. OSError of the file itself is refused as the driver's errors are."""

    def __init__(self, path: Path, pragmas: str, refuse: Refusal) -> None:
        """Use the file at a path."""
        engine = sqlite_engine(path, pragmas)
        super().__init__(engine, str(path), refuse)
        self.path = path
        self._inode = 0
        self._names_are_synced = False

        # Once all connections are closed, the next one makes another write-ahead log.
        @event.listens_for(engine, "connect")
        def _forget(_connection: Any, _record: Any) -> None:
            self._names_are_synced = False

    def _begin_writing(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        self._inode = self._inode or self.path.stat().st_ino
        self._sync_names()

    def _sync_names(self) -> None:
        """Have the names of the file and its write-ahead log on disk before anything is written; raises OSError.

        SQLite syncs the folder too, and takes no notice where that fails. A power cut that then takes the log's name leaves
        the pages that had come from it into the file by then, and not the others: a damaged file.
        """
        if not self._names_are_synced:
            sync_folder(self.path.resolve().parent)
            self._names_are_synced = True

    def _begin_reading(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")
        self._inode = self._inode or self.path.stat().st_ino

    def still_exists(self) -> bool:
        """Whether the file that was opened is still the one at its path."""
        try:
            return self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False


def sqlite_engine(path: Path, pragmas: str) -> Engine:
    """Return an engine for a file in write-ahead mode (but one that is being built); its users begin each transaction."""
    made = create_engine(
        URL.create("sqlite", database=str(path)), hide_parameters=True, connect_args={"timeout": LOCK_TIMEOUT_SECONDS}
    )

    @event.listens_for(made, "do_connect")
    def _make_private(_dialect: Any, _record: Any, _arguments: Any, _options: Any) -> None:
        with suppress(OSError):  # SQLite says better what is wrong.
            make_private(path)

    @event.listens_for(made, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # Transactions are begun by hand: a writer must lock before it reads.
        connection.isolation_level = None
        if pragmas == BUILDING:
            connection.executescript(pragmas)
        else:
            enter_wal_mode(connection, pragmas)

    return made
