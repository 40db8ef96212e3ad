"""The pace of an import: in large batches while it is alone, in small ones with pauses while others write to the store.

Whoever writes holds the store's one write lock for as long as its batch takes, and callbacks wait for it. The log itself
tells whether somebody else writes: its head then moves by more than what we recorded.
"""

import time
from collections.abc import Callable

BATCH_MOST, BATCH_LEAST = 2000, 50
SECONDS_HELD_MOST = 0.005
QUIET_SECONDS = 2.0


class Pace:
    """How many notifications to record at once, and how long to let others go first."""

    def __init__(self, head: Callable[[], int], quiet_seconds: float = QUIET_SECONDS) -> None:
        """Take what tells the log's head, and for how long it must stand still but for us until we are alone again."""
        self._head = head
        self._quiet_seconds = quiet_seconds
        self._ours = head()
        self._heard_at = time.monotonic() - quiet_seconds
        self.batch_size = BATCH_MOST

    def after(self, recorded: int, seconds: float) -> None:
        """Set the next batch's size after one that recorded so many events in so many seconds, and wait if others write."""
        self._ours += recorded
        head, now = self._head(), time.monotonic()
        if head > self._ours:
            self._heard_at = now
        self._ours = head
        if now > self._heard_at + self._quiet_seconds:
            self.batch_size = min(self.batch_size * 2, BATCH_MOST)
            return
        fitting = int(self.batch_size * SECONDS_HELD_MOST / seconds) if seconds else BATCH_LEAST
        self.batch_size = max(BATCH_LEAST, min(fitting, self.batch_size * 2, BATCH_MOST))
        time.sleep(max(seconds, SECONDS_HELD_MOST))
