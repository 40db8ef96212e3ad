"""The pace of an import: in large batches while it is alone, in small ones with pauses while others write to the store.

Whoever writes holds the store's one write lock for as long as its batch takes, and callbacks wait for it. The log itself
tells whether somebody else writes: its head then moves by more than what we recorded.
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
    """Records at a pace that lets others write."""

    def __init__(self, ledger: Ledger, quiet_seconds: float = QUIET_SECONDS) -> None:
        """Take the ledger, and for how long its head must stand still but for us until we are alone again."""
        self._ledger = ledger
        self._quiet_seconds = quiet_seconds
        self._ours = ledger.head()
        self._heard_at = time.monotonic() - quiet_seconds
        self.batch_size = BATCH_SIZE

    def record(self, deliveries: Sequence[Delivery]) -> list[RecordOutcome]:
        """Record deliveries, in as many transactions as it takes; return, in the same order, what became of each.

        Raises StoreUnavailable; what was recorded until then is kept.
        """
        answers: list[RecordOutcome] = []
        while len(answers) < len(deliveries):
            batch = deliveries[len(answers) : len(answers) + self.batch_size]
            begun = time.monotonic()
            became = self._ledger.record(batch)
            self._adapt(len(batch), sum(isinstance(answer, Recorded) for answer in became), time.monotonic() - begun)
            answers += became
        return answers

    def _adapt(self, size: int, recorded: int, seconds: float) -> None:
        """Set the next batch's size after one that took so many seconds, and wait as long if others write."""
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
