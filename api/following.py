"""The follower: a process of its own that keeps the read models within a second of the log while the service runs.

It polls, so a lost wake-up cannot stall it. What stops it is said loudly, in the service's log and on ``/health``; it then
tries again, since a rebuild elsewhere or a freed disk may have mended the cause.
"""

from threading import Event

from api import children
from api.children import RETRY_SECONDS, Child, State
from domain.errors import LedgerError
from domain.ledger import Ledger
from projections.catch_up import catch_up
from projections.store import ReadStore, is_current, open_current

POLL_SECONDS = 0.3


def follower(url: str) -> Child:
    """Return the follower of a ledger that exists, not started."""
    return Child(__spec__.name, [url], stopped="the read models stand still", going_on="the read models follow again")


class Following:
    """What the process does: look at the log again and again, and apply what is new."""

    def __init__(self, ledger: Ledger) -> None:
        """Take the ledger."""
        self._ledger = ledger
        self._store: ReadStore | None = None
        self._position = 0

    def look(self) -> State:
        """Catch up with the log as of now, and return how that went."""
        try:
            self._catch_up()
        except LedgerError as error:
            return self._failed(str(error))
        except Exception as error:  # noqa: BLE001 - whatever stops it must be told, and tried again
            return self._failed(repr(error))
        return State(self._position)

    def _catch_up(self) -> None:
        if self._store and not is_current(self._ledger, self._store):
            self.close()  # A rebuild has swapped, or somebody has deleted the file.
        self._store = self._store or open_current(self._ledger)
        position = catch_up(self._ledger, self._store)
        if position != self._position:
            self._ledger.store.tidy()
        self._position = position

    def _failed(self, failure: str) -> State:
        self.close()
        return State(self._position, failure)

    def close(self) -> None:
        """Let go of the read models."""
        if self._store:
            self._store.close()
            self._store = None


def main() -> None:
    """Follow until the service ends, and tell it each new state."""
    (url,) = children.begin()
    stopping, state = Event(), State()
    children.on_end(stopping.set)
    with Ledger(url) as ledger:
        following = Following(ledger)
        while not stopping.wait(RETRY_SECONDS if state.failure else POLL_SECONDS):
            before, state = state, following.look()
            if state != before:
                children.tell(state)
        following.close()


if __name__ == "__main__":
    main()
