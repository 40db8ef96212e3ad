"""Throttles an import: large batches while nothing else writes, small batches with pauses while others do.

A batch holds the store's only write lock, and callbacks wait for it. Whether others write shows in the log: its head moves
by more than the import recorded.
"""

import time
from collections.abc import Sequence

from api.application.importing.batches import BATCH_SIZE
from domain.ledger import Ledger
from domain.outcomes import Recorded, RecordOutcome
from domain.recording import Delivery

BATCH_LEAST = 50
SECONDS_HELD_MOST = 0.005
QUIET_SECONDS = 2.0


class ImportThrottle:
    """Records so that others can write in between."""

    def __init__(self, ledger: Ledger, quiet_seconds: float = QUIET_SECONDS) -> None:
        """Record into ``ledger``; the throttle ends when only the import has moved the head for this many seconds."""
        self._ledger = ledger
        self._quiet_seconds = quiet_seconds
        self._ours = ledger.head()
        self._heard_at = time.monotonic() - quiet_seconds
        self.batch_size = BATCH_SIZE

    def record(self, deliveries: Sequence[Delivery]) -> list[RecordOutcome]:
        """Record deliveries in one or more transactions; return their outcomes in the same order.

        Raises StoreUnavailable; everything recorded until then is kept.
        """
        answers: list[RecordOutcome] = []
        while len(answers) < len(deliveries):
            batch = deliveries[len(answers) : len(answers) + self.batch_size]
            begun = time.monotonic()
            became = self._ledger.record(batch)
            self._adapt(len(batch), sum(isinstance(answer, Recorded) for answer in became), time.monotonic() - begun)
            answers += became
        return answers

    def parameters_at(self, position: int) -> dict[str, str]:
        """Return the parameters of the notice at a position."""
        return dict(self._ledger.notice_at(position).params)

    def _adapt(self, size: int, recorded: int, seconds: float) -> None:
        """Set the size of the next batch from the duration of the last, and wait as long if others write."""
        head, now = self._ledger.head(), time.monotonic()
        if head > self._ours + recorded:
            self._heard_at = now
        self._ours = head
        if now > self._heard_at + self._quiet_seconds:
            self.batch_size = min(self.batch_size * 2, BATCH_SIZE)
            return
        fitting = int(size * SECONDS_HELD_MOST / max(seconds, SECONDS_HELD_MOST / BATCH_SIZE))
        self.batch_size = max(BATCH_LEAST, min(fitting, BATCH_SIZE))
        time.sleep(max(seconds, SECONDS_HELD_MOST))
