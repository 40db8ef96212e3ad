"""The spool of a process that takes callbacks: those that the store cannot take now wait on a disk, and are known there.

The intake puts callbacks in, in order; the drainer takes them out, on a thread of its own. While anything waits, later
callbacks go behind it, so that the order of one process is kept.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

import msgspec

from api.application.spool.spool_file import SpoolFile, SpoolUnusable
from api.application.spool.spool_format import PlacedRecord, SpoolRecord, encode_record
from domain.errors import LedgerError, StoreUnavailable
from domain.notices.notification import ParameterProblem
from domain.recording import Delivery

# The greatest record that a request can make has about 33 KB.
ROOM_BYTES = 64 << 10

_log = logging.getLogger(__name__)


class Spooled(msgspec.Struct, frozen=True):
    """The notification waits on a disk of this host, and becomes an event once the store is back.

    ``problem`` is the value that breaks SPEC 1, if there is one: it will be quarantined then.
    """

    problem: ParameterProblem | None


class CallbackSpool:
    """The spool file of this process; any thread may use it."""

    def __init__(self, open_file: Callable[[], SpoolFile], bytes_max: int) -> None:
        """Use the file that ``open_file`` opens, of at most so many bytes; nothing is opened before ``open``."""
        self._open_file = open_file
        self._bytes_max = bytes_max
        self._lock = Lock()
        self._file: SpoolFile | None = None
        self._keys: set[bytes] = set()
        self.failure = "the spool is not open"

    def open(self) -> bool:
        """Open the file, if it is not open or is no longer trusted; return whether it can be used, and log why not."""
        with self._lock:
            if self._file is not None and self._file.is_trusted:
                return True
            self._let_go()
            try:
                self._file = file = self._open_file()
                self._keys = {placed.record.key for placed in file.records(file.done)}
            except (LedgerError, OSError) as error:
                self._let_go()
                self._note_failure(str(error) if isinstance(error, LedgerError) else type(error).__name__)
                return False
            if file.cut:
                _log.warning("%d bytes that were never answered were cut off the spool %s", file.cut, file.path)
            if self._keys:
                _log.warning("the spool %s has %d callbacks that are not in the log", file.path, len(self._keys))
            self._note_failure("")
            return True

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._keys = None, set()

    def _note_failure(self, failure: str) -> None:
        if failure and failure != self.failure:
            _log.error("callbacks cannot be spooled: %s", failure)
        self.failure = failure

    @property
    def holds(self) -> bool:
        """Whether callbacks wait in it, in a file that can take more: later ones must go behind them."""
        file = self._file
        return file is not None and file.is_trusted and file.holds

    @property
    def can_take(self) -> bool:
        """Whether it can take a callback now."""
        file = self._file
        return file is not None and file.is_trusted and file.size + ROOM_BYTES <= self._bytes_max

    def take(self, deliveries: Sequence[Delivery], failure: StoreUnavailable) -> list[Spooled | StoreUnavailable]:
        """Put authentic deliveries behind the others, and return once they are on disk.

        What is not authentic, and what finds no room, gets the ``failure`` of the store: the sender must retry.
        """
        with self._lock:
            held = self.holds
            outcomes = self._take(deliveries, failure)
        if self.holds and not held:
            _log.warning("callbacks are spooled: %s", failure)
        return outcomes

    def _take(self, deliveries: Sequence[Delivery], failure: StoreUnavailable) -> list[Spooled | StoreUnavailable]:
        file = self._file
        if file is None or not file.is_trusted:
            return [StoreUnavailable(f"{failure}; {self.failure}")] * len(deliveries)
        size = file.size
        fresh: dict[bytes, SpoolRecord] = {}
        outcomes: list[Spooled | StoreUnavailable] = []
        for delivery in deliveries:
            if delivery.verdict is None:
                outcomes.append(failure)
                continue
            key = delivery.key
            if key not in self._keys and key not in fresh:
                record = SpoolRecord(delivery.notification.received_at, key, delivery.notification.raw)
                size += len(encode_record(record))
                if size > self._bytes_max:
                    size -= len(encode_record(record))
                    outcomes.append(StoreUnavailable(f"{failure}; the spool is full, at {file.size} bytes"))
                    continue
                fresh[key] = record
            outcomes.append(Spooled(delivery.notification.problem()))
        try:
            if fresh:
                file.append(list(fresh.values()))
        except SpoolUnusable as error:
            self._note_failure(str(error))
            return [StoreUnavailable(f"{failure}; {error}")] * len(deliveries)
        self._keys |= fresh.keys()
        return outcomes

    def next_batch(self, most: int) -> list[PlacedRecord]:
        """Return the first callbacks that wait, at most so many; raises SpoolUnusable."""
        with self._lock:
            return [] if self._file is None else self._file.next_batch(most)

    def mark_done(self, batch: Sequence[PlacedRecord]) -> None:
        """Note that callbacks are in the log; once all are, the file is emptied. Raises SpoolUnusable."""
        with self._lock:
            assert self._file is not None, "only the drainer takes callbacks out"
            self._keys.difference_update(placed.record.key for placed in batch)
            self._file.mark_done(batch)

    def set_aside(self, records: Sequence[SpoolRecord]) -> Path:
        """Move callbacks that cannot be recorded to a file beside; return its path. Raises SpoolUnusable."""
        with self._lock:
            assert self._file is not None, "only the drainer takes callbacks out"
            return self._file.set_aside(records)

    def close(self) -> None:
        """Let go of the file; an empty one is removed."""
        with self._lock:
            if self._file is not None:
                try:
                    self._file.remove_if_empty()
                except SpoolUnusable as error:
                    _log.warning("%s", error)
            self._let_go()
            self.failure = "the spool is closed"
