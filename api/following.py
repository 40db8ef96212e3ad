"""The follower: a process of its own that keeps the read models within a second of the log while the service runs.

A process, because a thread would fight the callbacks over the interpreter's lock: a third of them were lost to that. It
polls, so a lost wake-up cannot stall it. What stops it is said loudly, in the service's log and on ``/health``; it then
tries again, since a rebuild elsewhere or a freed disk may have mended the cause. It ends with the service, however that ends.
"""

import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from threading import Event, Lock, Thread

import msgspec

from domain.errors import LedgerError
from domain.ledger import Ledger
from projections.catch_up import catch_up
from projections.store import ReadStore, is_current, open_current

POLL_SECONDS = 0.3
RETRY_SECONDS = 2.0

_log = logging.getLogger(__name__)


class State(msgspec.Struct, frozen=True):
    """How far the read models are, and what stops them (empty: nothing)."""

    position: int = 0
    failure: str = ""


class Follower:
    """Starts the process, starts it again should it end, and knows what it last said."""

    def __init__(self, url: str) -> None:
        """Take the address of a ledger that exists."""
        self._url = url
        self._stopping = Event()
        self._starting = Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = Thread(target=self._run, name="follower", daemon=True)
        self.state = State()

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End the process, after the page at hand."""
        self._stopping.set()
        with self._starting:
            if self._child and self._child.stdin:
                self._child.stdin.close()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            failure = "the follower has ended; it is started again"
            try:
                for said in self._said():
                    self._note(msgspec.json.decode(said, type=State))
            except Exception as error:  # noqa: BLE001 - whatever stops it must be told, and tried again
                failure = f"the follower cannot be followed: {error!r}"
            if not self._stopping.is_set():
                self._note(State(self.state.position, failure))
                self._stopping.wait(RETRY_SECONDS)

    def _said(self) -> Iterator[bytes]:
        """Start the process and yield the lines that it writes, until it ends."""
        # -P: whatever lies in the directory from which the service was started must not be taken for our modules.
        command = [sys.executable, "-P", "-m", __spec__.name, self._url]
        with self._starting:
            if self._stopping.is_set():
                return
            # In a session of its own: Ctrl-C is for the service, which then ends it.
            self._child = subprocess.Popen(  # noqa: S603 - it is us
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
        assert self._child.stdout
        with self._child.stdout as lines:
            yield from lines
        self._child.wait()

    def _note(self, state: State) -> None:
        if state.failure and state.failure != self.state.failure:
            _log.error("the read models stand still: %s", state.failure)
        elif self.state.failure and not state.failure:
            _log.info("the read models follow again, at position %d", state.position)
        self.state = state


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


def _wait_for_end(stopping: Event) -> None:
    sys.stdin.buffer.read()
    stopping.set()


def main(url: str) -> None:
    """Follow until stdin ends, which it does with the service, and write each new state to stdout as a line of JSON."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which then ends us.
    stopping = Event()
    Thread(target=_wait_for_end, args=[stopping], daemon=True).start()
    state = State()
    with Ledger(url) as ledger:
        following = Following(ledger)
        while not stopping.wait(RETRY_SECONDS if state.failure else POLL_SECONDS):
            before, state = state, following.look()
            if state != before:
                sys.stdout.buffer.write(msgspec.json.encode(state) + b"\n")
                sys.stdout.buffer.flush()
        following.close()


if __name__ == "__main__":
    main(sys.argv[1])
