"""A SQLite file saved as it is at one moment, while others write to it, and read without being changed."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from domain.errors import StoreUnavailable
from domain.log.wal_mode import LOCK_TIMEOUT_SECONDS


def save_copy(path: Path, target: Path) -> None:
    """Write all that a file has at this moment into a new file, on disk; raises StoreUnavailable.

    Not by the backup API in steps: with a busy writer it begins again and again, and never ends.
    """
    with _mapped(path), closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT_SECONDS, isolation_level=None)) as source:
        source.execute("VACUUM INTO ?", (str(target),))
    # SQLite does not promise to have done so.
    descriptor = os.open(target, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def find_damage(path: Path) -> list[str]:
    """Read a whole file that nothing writes to; return what SQLite finds damaged in it."""
    try:
        with _read_only(path) as file:
            return [text for (text,) in file.execute("PRAGMA quick_check(10)") if text != "ok"]
    except sqlite3.DatabaseError as error:
        return [str(error)]


def read_log_file(path: Path) -> tuple[dict[str, str], int]:
    """Return the facts and the head of a ledger in a file that nothing writes to; raises StoreUnavailable."""
    with _mapped(path), _read_only(path) as file:
        facts = dict(file.execute("SELECT name, value FROM ledger").fetchall())
        (head,) = file.execute("SELECT coalesce(max(position), 0) FROM stored_events").fetchone()
    return facts, head


@contextmanager
def _read_only(path: Path) -> Iterator[sqlite3.Connection]:
    # Immutable: neither a lock nor a write-ahead log is made for a look.
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)) as file:
        yield file


@contextmanager
def _mapped(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        msg = f"the file {path} cannot be used now: {error}"
        raise StoreUnavailable(msg) from error
