"""The write lock of a store, held by somebody else."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager


@contextmanager
def write_lock(store: str) -> Iterator[None]:
    """Hold the write lock of a store, as another process would."""
    with closing(sqlite3.connect(store.removeprefix("sqlite:///"), isolation_level=None, timeout=5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
