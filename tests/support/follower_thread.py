"""The follower as a thread of the tests' own process: what it does is the same, and it starts at once."""

from threading import Event, Thread

from api.application.process_state import ProcessState
from api.processes.follower import Follower
from domain.ledger import Ledger


class FollowerThread:
    """Stands in for the service's follower where its being a process is not the point."""

    def __init__(self, url: str) -> None:
        """Follow the ledger at this address once started."""
        self._url = url
        self._stopping = Event()
        self._thread = Thread(target=self._follow, name="follower", daemon=True)
        self.state = ProcessState()

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the round and end."""
        self._stopping.set()
        self._thread.join()

    def _follow(self) -> None:
        with Ledger(self._url) as ledger:
            follower = Follower(ledger)
            while not self._stopping.is_set():
                self.state = follower.run_once()
                follower.wait(self.state, self._stopping)
            follower.close()
