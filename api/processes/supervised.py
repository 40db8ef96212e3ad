"""The service's helpers are processes of their own, started again should they end, and tied to the service by a pipe.

Processes, because a thread would fight the callbacks over the interpreter's lock: a third of them were lost to that. What
a process needs to know comes through that pipe as well: on its command line every user of the machine could read it.
"""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from threading import Event, Lock, Thread

import msgspec

from api.application.process_state import ProcessState

RETRY_SECONDS = 2.0
STOP_SECONDS_MAX = 5.0

_log = logging.getLogger(__name__)


class SupervisedProcess:
    """Starts a module as a process, starts it again should it end, and knows what it last said."""

    def __init__(self, module: str, arguments: Sequence[str], *, stopped: str, going_on: str) -> None:
        """Take what to run, what to tell it, and how the service's log says that it stands still and goes on."""
        self._module = module
        self._arguments = arguments
        self._stopped = stopped
        self._going_on = going_on
        self._stopping = Event()
        self._starting = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = Thread(target=self._run, name=module, daemon=True)
        self.state = ProcessState()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the process, after what it has at hand; one that does not come to an end is killed."""
        self._stopping.set()
        with self._starting:
            if self._process and self._process.stdin:
                self._process.stdin.close()
        self._thread.join(STOP_SECONDS_MAX)
        if self._thread.is_alive() and self._process:
            self._process.kill()
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            failure = f"the process {self._module} has ended; it is started again"
            try:
                for said in self._said():
                    self._note(msgspec.json.decode(said, type=ProcessState))
            except Exception as error:  # noqa: BLE001 - whatever stops it must be told, and tried again
                failure = f"the process {self._module} cannot be used: {error!r}"
            if not self._stopping.is_set():
                self._note(ProcessState(self.state.position, failure))
                self._stopping.wait(RETRY_SECONDS)

    def _said(self) -> Iterator[bytes]:
        """Start the process and yield the lines that it writes, until it ends."""
        with self._starting:
            if self._stopping.is_set():
                return
            self._process = _started(self._module)
            assert self._process.stdin
            with suppress(BrokenPipeError):  # It has ended already; it is waited for below.
                self._process.stdin.write(msgspec.json.encode(self._arguments) + b"\n")
                self._process.stdin.flush()
        with self._process as process:
            assert process.stdout
            yield from process.stdout

    def _note(self, state: ProcessState) -> None:
        if state.failure and state.failure != self.state.failure:
            _log.error("%s: %s", self._stopped, state.failure)
        elif self.state.failure and not state.failure:
            _log.info("%s, at position %d", self._going_on, state.position)
        self.state = state


def _started(module: str) -> subprocess.Popen[bytes]:
    # -P: whatever lies in the directory from which the service was started must not be taken for our modules.
    command = [sys.executable, "-P", "-m", module]
    # In a session of its own: Ctrl-C is for the service, which then ends it.
    return subprocess.Popen(  # noqa: S603 - it is us
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )


def read_arguments() -> list[str]:
    """In the process: return what the service tells it at its start."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which then ends us.
    return msgspec.json.decode(sys.stdin.buffer.readline(), type=list[str])


def on_parent_exit(end: Callable[[], object]) -> None:
    """In the process: have something called once the service ends it, or ends itself, in whatever way."""

    def wait() -> None:
        sys.stdin.buffer.read()
        end()

    Thread(target=wait, daemon=True).start()


def report_state(state: ProcessState) -> None:
    """In the process: let the service know."""
    with suppress(BrokenPipeError):  # The service is gone, and we are about to end.
        os.write(sys.stdout.fileno(), msgspec.json.encode(state) + b"\n")
