"""Keeps the current read models open for pages and the API, and changes to new ones after a rebuild."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import NamedTuple

from sqlalchemy import Connection

from domain.errors import LedgerError
from domain.ledger import Ledger
from projections.stores.generations import ReadModelsCorrupt, ReadStore, generation_of, is_current, open_current


class ReadSession(NamedTuple):
    """A read transaction on the read models, at one position."""

    connection: Connection
    position: int
    ledger: Ledger
    store: ReadStore


class _Lease:
    """Open read models, and the number of their readers."""

    def __init__(self, store: ReadStore) -> None:
        self.store = store
        self.readers = 0
        self.is_over = False


class ReadModelPool:
    """Keeps a ledger's current read models open for any number of threads."""

    def __init__(self, ledger: Ledger) -> None:
        """Read from the read models of ``ledger``; they are opened with the first session."""
        self.ledger = ledger
        self._held: _Lease | None = None
        self._damage: tuple[int, str] | None = None
        self._lock = Lock()

    @contextmanager
    def session(self) -> Iterator[ReadSession]:
        """Begin a read transaction; raises ReadModelsUnusable if they must be rebuilt, and StoreUnavailable."""
        try:
            held = self._taken()
        except ReadModelsCorrupt as error:
            self._note_damage(error)
            raise
        try:
            with held.store.snapshot() as connection:
                yield ReadSession(
                    connection, held.store.position(connection, self.ledger.store), self.ledger, held.store
                )
        except ReadModelsCorrupt as error:
            self._note_damage(error)
            raise
        finally:
            self._give_back(held)

    def _note_damage(self, error: ReadModelsCorrupt) -> None:
        with suppress(LedgerError):
            self._damage = generation_of(self.ledger), str(error)

    def damage(self) -> str:
        """Return what a reader found damaged in the read models; empty once a rebuild has replaced them, or if nothing.

        The follower need not meet it: it reads only the rows that it changes.
        """
        if self._damage and self._damage[0] != generation_of(self.ledger):
            self._damage = None
        return self._damage[1] if self._damage else ""

    def let_go(self) -> None:
        """Close read models that are no longer the current ones: on PostgreSQL the next rebuild needs their place."""
        with self._lock:
            if self._held and not is_current(self.ledger, self._held.store):
                self._retire()

    def _taken(self) -> _Lease:
        with self._lock:
            if self._held is None or not is_current(self.ledger, self._held.store):
                self._retire()
                self._held = _Lease(open_current(self.ledger))
            self._held.readers += 1
            return self._held

    def _give_back(self, held: _Lease) -> None:
        with self._lock:
            held.readers -= 1
            if held.is_over and not held.readers:
                held.store.close()

    def _retire(self) -> None:
        """Close what is open: at once, or after its last reader."""
        if self._held:
            self._held.is_over = True
            if not self._held.readers:
                self._held.store.close()
            self._held = None

    def close(self) -> None:
        """Close the read models; running sessions can finish."""
        with self._lock:
            self._retire()
