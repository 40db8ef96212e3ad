"""The follower: a process that keeps the read models within a second of the log while the service runs.

If several services share a PostgreSQL store, one follows and the others are on standby. A notification wakes the follower,
but it also polls, so a lost wake-up cannot stall it. Failures appear in the service's log and on ``/health``. The follower
then retries, because a rebuild elsewhere, a freed disk or a restarted server may have removed the cause. It rebuilds read models of an earlier version by itself, next to those.
"""

from threading import Event
from time import monotonic

from api.application.process_state import ProcessState, describe_failure
from api.processes import supervised as children
from api.processes.supervised import RETRY_SECONDS
from domain.errors import LedgerError
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.building.rebuild import rebuild
from projections.stores.generations import ReadModelsOutdated, ReadStore, generations, is_current, open_current

EVENTS_A_ROUND = 20_000
REMOVAL_SECONDS = 60
# After a rebuild that failed: each attempt reads the log.
REBUILD_AGAIN_SECONDS = 60


class Follower:
    """Polls the log, and applies new events to the read models."""

    def __init__(self, ledger: Ledger) -> None:
        """Follow the log of ``ledger``; nothing is opened yet."""
        self._ledger = ledger
        self._generations = generations(ledger)
        self._turn = self._generations.follower_lock()
        self._store: ReadStore | None = None
        self._position = 0
        self._is_behind = False
        self._remove_at = 0.0
        self._is_outdated = False
        self._rebuild_at, self._rebuild_failure = 0.0, ""

    def run_once(self) -> ProcessState:
        """Apply the next events, or on standby read how far the active follower is; return the state."""
        try:
            is_ours = self._turn.acquire()
            held_by = "" if is_ours else self._turn.holder()
            store = self._opened()
            if is_ours:
                self._catch_up(store)
                self._remove_old(store)
            else:
                self._watch(store)
        except ReadModelsOutdated as error:
            return self._replaced(error)
        except LedgerError as error:
            return self._failed(str(error))
        except Exception as error:  # noqa: BLE001 - any failure is reported and retried
            return self._failed(describe_failure(error))
        self._is_outdated = False
        return ProcessState(self._position, stands_by=not is_ours, held_by=held_by)

    def _opened(self) -> ReadStore:
        if self._store and not is_current(self._ledger, self._store):
            self._close_store()  # A rebuild has swapped them, or they were deleted.
        if self._store is None:
            self._store = open_current(self._ledger)
            self._remove_at = 0.0
        return self._store

    def _replaced(self, error: ReadModelsOutdated) -> ProcessState:
        """Replace read models of an earlier version by a rebuild; say so first, as it takes as long as reading the log."""
        if not self._is_outdated:
            self._is_outdated = True
            return self._failed(f"{error}. The rebuild has begun")
        self._close_store()
        if monotonic() >= self._rebuild_at and self._turn.acquire():
            self._rebuild_at = monotonic() + REBUILD_AGAIN_SECONDS
            try:
                rebuild(self._ledger)
            except Exception as refused:  # noqa: BLE001 - any failure is reported and retried
                self._rebuild_failure = f"{error}. It cannot do so now: {describe_failure(refused)}"
            else:
                return self.run_once()
        return self._failed(self._rebuild_failure or str(error))

    def _catch_up(self, store: ReadStore) -> None:
        """Apply at most 20,000 events: between rounds the lock is checked and the state reported."""
        head = self._ledger.head()
        position = catch_up(self._ledger, store, min(head, self._position + EVENTS_A_ROUND))
        if position != self._position:
            self._ledger.store.checkpoint()
        self._position, self._is_behind = position, position < head

    def _watch(self, store: ReadStore) -> None:
        with store.snapshot() as connection:
            self._position, self._is_behind = store.position(connection, self._ledger.store), False

    def _remove_old(self, store: ReadStore) -> None:
        """Remove old generations that a rebuild had to leave to their readers."""
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
        """Wait until the next round, or until ``stopping`` is set."""
        if self._is_outdated and monotonic() >= self._rebuild_at:
            return  # It was told: the rebuild can begin.
        if state.failure:
            stopping.wait(RETRY_SECONDS)
        elif not self._is_behind:
            self._turn.wait(stopping)

    def close(self) -> None:
        """Close the read models, and release the lock to a standby."""
        self._close_store()
        self._turn.close()


def main() -> None:
    """Follow until the service ends, and report each new state to it."""
    (url,) = children.read_arguments()
    stopping, state = Event(), ProcessState()
    children.on_parent_exit(stopping.set)
    ledger = children.open_ledger(url, stopping)
    if ledger is None:
        return
    with ledger:
        following = Follower(ledger)
        while not stopping.is_set():
            before, state = state, following.run_once()
            if state != before:
                children.report_state(state)
            following.wait(state, stopping)
        following.close()


if __name__ == "__main__":
    main()
