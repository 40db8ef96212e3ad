"""The follower: a process of its own that keeps the read models within a second of the log while the service runs.

Of several on one PostgreSQL one follows and the others stand by, each ready to take over. A notification may wake it, but
it looks without one too, so a lost wake-up cannot stall it. What stops it is said loudly, in the service's log and on
``/health``; it then tries again, since a rebuild elsewhere, a freed disk or a restarted server may have mended the cause.
"""

from threading import Event
from time import monotonic

from api.application.process_state import ProcessState
from api.processes import supervised as children
from api.processes.supervised import RETRY_SECONDS
from domain.errors import LedgerError
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.stores.generations import ReadStore, generations, is_current, open_current

EVENTS_A_ROUND = 20_000
REMOVAL_SECONDS = 60


class Follower:
    """What the process does: look at the log again and again, and apply what is new."""

    def __init__(self, ledger: Ledger) -> None:
        """Take the ledger."""
        self._ledger = ledger
        self._generations = generations(ledger)
        self._turn = self._generations.follower_lock()
        self._store: ReadStore | None = None
        self._position = 0
        self._is_behind = False
        self._remove_at = 0.0

    def run_once(self) -> ProcessState:
        """Catch up with the log, at least some way, or see how far another has come; return how that went."""
        try:
            is_ours = self._turn.acquire()
            store = self._opened()
            if is_ours:
                self._catch_up(store)
                self._remove_old(store)
            else:
                self._watch(store)
        except LedgerError as error:
            return self._failed(str(error))
        except Exception as error:  # noqa: BLE001 - whatever stops it must be told, and tried again
            return self._failed(repr(error))
        return ProcessState(self._position, stands_by=not is_ours)

    def _opened(self) -> ReadStore:
        if self._store and not is_current(self._ledger, self._store):
            self._close_store()  # A rebuild has swapped, or somebody has deleted them.
        if self._store is None:
            self._store = open_current(self._ledger)
            self._remove_at = 0.0
        return self._store

    def _catch_up(self, store: ReadStore) -> None:
        """Go on by so many events at most: between rounds the turn is looked at, and the service told."""
        head = self._ledger.head()
        position = catch_up(self._ledger, store, min(head, self._position + EVENTS_A_ROUND))
        if position != self._position:
            self._ledger.store.checkpoint()
        self._position, self._is_behind = position, position < head

    def _watch(self, store: ReadStore) -> None:
        with store.snapshot() as connection:
            self._position, self._is_behind = store.position(connection, self._ledger.store), False

    def _remove_old(self, store: ReadStore) -> None:
        """Remove what a rebuild could not, since somebody was still reading it."""
        if monotonic() >= self._remove_at:
            self._generations.remove_before(store.generation)
            self._remove_at = monotonic() + REMOVAL_SECONDS

    def _failed(self, failure: str) -> ProcessState:
        self._close_store()
        return ProcessState(self._position, failure)

    def _close_store(self) -> None:
        if self._store:
            self._store.close()
            self._store = None

    def wait(self, state: ProcessState, stopping: Event) -> None:
        """Wait until it is worth while to look again, or until told to stop."""
        if state.failure:
            stopping.wait(RETRY_SECONDS)
        elif not self._is_behind:
            self._turn.wait(stopping)

    def close(self) -> None:
        """Let go of the read models, and let another follow."""
        self._close_store()
        self._turn.close()


def main() -> None:
    """Follow until the service ends, and tell it each new state."""
    (url,) = children.read_arguments()
    stopping, state = Event(), ProcessState()
    children.on_parent_exit(stopping.set)
    with Ledger(url) as ledger:
        following = Follower(ledger)
        while not stopping.is_set():
            before, state = state, following.run_once()
            if state != before:
                children.report_state(state)
            following.wait(state, stopping)
        following.close()


if __name__ == "__main__":
    main()
