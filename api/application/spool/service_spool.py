"""The spool as a service has it: opened and drained while the service runs, and shown in its health."""

from pathlib import Path
from typing import Any

from api.application.spool.callback_spool import CallbackSpool
from api.application.spool.spool_directory import SpoolDirectory, SpoolTotals, spool_document
from api.application.spool.spool_drainer import SpoolDrainer
from domain.ledger import Ledger


class ServiceSpool:
    """The spool of one process, with the thread that drains it."""

    def __init__(self, path: Path, bytes_max: int, ledger: Ledger) -> None:
        """Use a directory, for files of at most so many bytes; raises WrongUsage where there is no such directory."""
        self._directory = SpoolDirectory(path, ledger.id)
        self._directory.check()
        self.callbacks = CallbackSpool(self._directory.open_own, bytes_max)
        self._drainer = SpoolDrainer(self.callbacks, self._directory, ledger)

    def open(self) -> None:
        """Open this process's file: from now on callbacks can wait there. A file that cannot be used is tried again each second."""
        self.callbacks.open()

    def start(self) -> None:
        """Begin to drain what waits."""
        self._drainer.start()

    def stop(self) -> None:
        """Stop draining, and let go of the file; what waits in it stays there."""
        self._drainer.stop()
        self.callbacks.close()

    @property
    def can_take(self) -> bool:
        """Whether callbacks can be spooled now."""
        return self.callbacks.can_take

    def totals(self) -> SpoolTotals:
        """Return what waits in all files of the ledger on this host's disk, and why callbacks cannot be spooled, if so."""
        totals = self._directory.totals()
        return totals._replace(failure=self.callbacks.failure or totals.failure)

    def health(self) -> dict[str, Any]:
        """Return what ``/health`` says of it."""
        return spool_document(self.totals())
