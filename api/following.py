"""The follower: a thread that keeps the read models within a second of the log while the service runs.

It polls, so a lost wake-up cannot stall it. What stops it is said loudly in the log and on ``/health``; it then tries
again, since a rebuild elsewhere or a freed disk may have mended the cause.
"""

import logging
from threading import Event, Thread

from domain.errors import LedgerError
from domain.ledger import Ledger
from projections.catch_up import catch_up
from projections.store import ReadStore, generation_of, open_current, path_of

POLL_SECONDS = 0.4
RETRY_SECONDS = 2.0

_log = logging.getLogger(__name__)


class Follower:
    """Keeps a ledger's current read models caught up, and knows how far they are."""

    def __init__(self, ledger: Ledger) -> None:
        """Take the ledger; nothing is opened before ``start``."""
        self._ledger = ledger
        self._stop = Event()
        self._thread = Thread(target=self._run, name="follower", daemon=True)
        self._store: ReadStore | None = None
        self.position = 0
        self.failure = ""

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, after the page at hand."""
        self._stop.set()
        self._thread.join()
        self._close()

    def _run(self) -> None:
        while not self._stop.wait(RETRY_SECONDS if self.failure else POLL_SECONDS):
            try:
                self._step()
            except LedgerError as error:
                self._note(str(error))
                self._close()
            except Exception as error:  # noqa: BLE001 - whatever stops it must be told, and tried again
                _log.exception("the read models stand still")
                self._note(repr(error))
                self._close()
            else:
                self._note("")

    def _step(self) -> None:
        if self._store and self._store.path != path_of(self._ledger, generation_of(self._ledger)):
            self._close()  # A rebuild has swapped.
        self._store = self._store or open_current(self._ledger)
        position = catch_up(self._ledger, self._store)
        if position != self.position:
            self._ledger.store.tidy()
        self.position = position

    def _note(self, failure: str) -> None:
        if failure and failure != self.failure:
            _log.error("the read models stand still: %s", failure)
        elif self.failure and not failure:
            _log.info("the read models follow again, at position %d", self.position)
        self.failure = failure

    def _close(self) -> None:
        if self._store:
            self._store.close()
            self._store = None
