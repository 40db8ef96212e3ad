"""What one process knows of a log that it writes: the event that it committed last, which the log must never lose.

A log that lost it was restored, replaced or damaged under the running process. Whatever was recorded then would be recorded
on another history, so nothing more is until an operator has acted and started the process again.
"""

from collections.abc import Callable

from domain.errors import StoreLost

CURE = (
    "Stop the service, keep the files as they are, bring back what belongs there or restore a backup"
    " (`tringledger restore`), and start again"
)


class Continuity:
    """The last event that this process committed, and what was found wrong with the log since: that is never forgotten."""

    def __init__(self) -> None:
        """Know of no event yet."""
        # One value: other threads commit and note meanwhile.
        self._last: tuple[int, bytes] = (0, b"")
        self._failure = ""

    def check(self) -> None:
        """Raise StoreLost where something was found wrong before."""
        if self._failure:
            raise StoreLost(self._failure)

    def fail(self, what: str) -> StoreLost:
        """Note what is wrong with the log, for as long as this process lives; return the error that says so."""
        self._failure = self._failure or f"{what}. {CURE}"
        return StoreLost(self._failure)

    def check_continues(self, position: int, state: bytes, state_at: Callable[[int], bytes | None]) -> None:
        """Raise StoreLost unless a log that ends with an event still has the one that this process committed last.

        ``state_at`` returns the stored state at a position, or None.
        """
        self.check()
        known, recorded = self._last
        if not known:
            return
        if position < known:
            msg = f"the log ends at position {position}, and position {known} was recorded and answered before"
            raise self.fail(msg)
        there = state if position == known else state_at(known)
        if there != recorded:
            msg = f"the event at position {known} is not the one that was recorded and answered there before"
            raise self.fail(msg)

    def note(self, position: int, state: bytes) -> None:
        """Note the last event of a transaction that was committed."""
        if position >= self._last[0]:
            self._last = (position, state)
