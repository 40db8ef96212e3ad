"""An exclusive lock on one kind of work for a ledger in a SQLite file: flock on a file next to it."""

import fcntl
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from domain.errors import StoreUnavailable


class SQLiteLock:
    """See ExclusiveLock for what each method does."""

    def __init__(self, store: Path, purpose: str) -> None:
        """Begin unlocked; ``purpose`` is part of the lock file's name."""
        # A process that opens the store by a link must meet one that does not.
        file = store.resolve()
        self._path = file.with_name(f"{file.name}.{purpose}.lock")
        self._locked: BinaryIO | None = None

    def acquire(self) -> bool:  # noqa: D102
        return self._locked is not None or self._lock()

    def _lock(self) -> bool:
        with ExitStack() as opened:
            try:
                lock = opened.enter_context(self._path.open("ab"))
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            except OSError as error:
                msg = f"{self._path} cannot be locked: {error.strerror}"
                raise StoreUnavailable(msg) from error
            opened.pop_all()
            self._locked = lock
            return True

    def close(self) -> None:  # noqa: D102
        if self._locked:
            self._locked.close()
        self._locked = None
