"""SQLite files in write-ahead mode: how every connection to a log or a read model begins, and how their names are kept."""

import errno
import os
import sqlite3
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep

LOCK_TIMEOUT_SECONDS = 15
RETRY_PAUSE = timedelta(milliseconds=10)
_DISK_FAILS = (errno.EIO, errno.ENOSPC, errno.EDQUOT)


def enter_wal_mode(connection: sqlite3.Connection, pragmas: str) -> None:
    """Put a new connection's file into write-ahead mode, and run the other pragmas.

    Entering that mode needs the file exclusively and, unlike all other statements, does not wait for the lock's timeout.
    """
    until = monotonic() + LOCK_TIMEOUT_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if monotonic() > until:
                raise
            sleep(RETRY_PAUSE.total_seconds())
    connection.executescript(pragmas)


def sync_folder(path: Path) -> None:
    """Have the names in a folder on disk; raises OSError where the disk fails, and not where folders cannot be synced."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in _DISK_FAILS:
            raise
