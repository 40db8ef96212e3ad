"""Drains the spool into the log as soon as the store is back: a thread beside the intake, which looks each second.

The intake never waits for it: a store that does not answer holds up the drainer alone, and callbacks are spooled meanwhile.
"""

import logging
from threading import Event, Thread
from time import monotonic

from api.application.spool.callback_spool import CallbackSpool
from api.application.spool.spool_directory import SpoolDirectory
from api.application.spool.spool_file import SpoolUnusable
from api.application.spool.spool_replay import describe_counts, replay
from domain.errors import StoreUnavailable
from domain.ledger import Ledger

LOOK_SECONDS = 1.0
# How long the files of dead processes may wait until somebody finds them.
LEFT_SECONDS = 10.0

_log = logging.getLogger(__name__)


class SpoolDrainer:
    """Records what the spool of this process has, and what dead processes of this host have left in theirs."""

    def __init__(self, spool: CallbackSpool, directory: SpoolDirectory, ledger: Ledger) -> None:
        """Drain into a ledger that is opened for recording."""
        self._spool = spool
        self._directory = directory
        self._ledger = ledger
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="spool", daemon=True)
        self._looked_at: float | None = None
        self._failure = ""

    def start(self) -> None:
        """Begin to drain."""
        self._thread.start()

    def stop(self) -> None:
        """Let it finish its transaction, and end it; what is left in the spool is drained by the next process."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.drain()
            self._stopping.wait(LOOK_SECONDS)

    def drain(self) -> None:
        """Record what waits, as far as the store takes it now; never raises."""
        try:
            self._drain_all()
        except (StoreUnavailable, SpoolUnusable) as error:
            self._note(str(error))
        except Exception as error:  # noqa: BLE001 - the thread must go on, whatever it was
            _log.exception("the spool cannot be drained")
            self._note(type(error).__name__)
        else:
            self._note("")

    def _drain_all(self) -> None:
        if self._spool.open() and self._spool.holds:
            counts = replay(self._ledger, self._spool, self._stopping.is_set)
            if counts:
                _log.info("spooled callbacks are in the log: %s", describe_counts(counts))
        if self._looked_at is None or monotonic() > self._looked_at + LEFT_SECONDS:
            self._drain_left()
            self._looked_at = monotonic()

    def _drain_left(self) -> None:
        for file in self._directory.open_left():
            if file.holds:
                counts = replay(self._ledger, file, self._stopping.is_set)
                _log.info(
                    "callbacks that a dead process left in %s are in the log: %s", file.path, describe_counts(counts)
                )
            file.remove_if_empty()

    def _note(self, failure: str) -> None:
        if failure and failure != self._failure:
            _log.error("the spool is not drained: %s", failure)
        self._failure = failure
