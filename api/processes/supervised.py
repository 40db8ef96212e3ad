"""Helper processes of the service: restarted when they end, and tied to the service by a pipe.

They are processes because threads would compete with the callbacks for the interpreter's lock, which cost a third of the
callbacks. Arguments go through the pipe too, since every user of the machine can read a command line.
"""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Protocol

import msgspec

from api.application.process_state import ProcessState, describe_failure
from domain.errors import LedgerError
from domain.ledger import Ledger

RETRY_SECONDS = 2.0
NICENESS = 5
STOP_SECONDS_MAX = 5.0

_log = logging.getLogger(__name__)


class HelperProcess(Protocol):
    """What the service starts with itself, stops with itself, and asks for its state."""

    state: ProcessState

    def start(self) -> None:
        """Start it."""

    def stop(self) -> None:
        """Let it finish what it is doing, and end it."""


class SupervisedProcess:
    """Runs a module as a process, restarts it when it ends, and knows the state that it last reported."""

    def __init__(self, module: str, arguments: Sequence[str], *, stopped: str, resumed: str) -> None:
        """Run ``module`` with ``arguments``; the service's log says ``stopped`` when a failure begins, ``resumed`` when it ends."""
        self._module = module
        self._arguments = arguments
        self._stopped = stopped
        self._resumed = resumed
        self._stopping = Event()
        self._starting = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = Thread(target=self._run, name=module, daemon=True)
        self.state = ProcessState()

    def start(self) -> None:
        """Start the process."""
        self._thread.start()

    def stop(self) -> None:
        """Let the process finish what it is doing and end; after five seconds it is killed."""
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
            failure = f"the process {self._module} ended; restarting it"
            try:
                for said in self._said():
                    self._note(msgspec.json.decode(said, type=ProcessState))
            except Exception as error:  # noqa: BLE001 - any failure is reported and retried
                failure = f"the process {self._module} failed: {describe_failure(error)}"
            if not self._stopping.is_set():
                self._note(ProcessState(self.state.position, failure))
                self._stopping.wait(RETRY_SECONDS)

    def _said(self) -> Iterator[bytes]:
        """Start the process, and yield the lines that it writes until it ends."""
        with self._starting:
            if self._stopping.is_set():
                return
            self._process = _started(self._module)
            assert self._process.stdin
            with suppress(BrokenPipeError):  # It has already ended; that shows below.
                self._process.stdin.write(msgspec.json.encode(self._arguments) + b"\n")
                self._process.stdin.flush()
        with self._process as process:
            assert process.stdout
            yield from process.stdout

    def _note(self, state: ProcessState) -> None:
        if state.failure and state.failure != self.state.failure:
            _log.error("%s at position %d: %s", self._stopped, state.position, state.failure)
        elif self.state.failure and not state.failure:
            _log.info("%s at position %d", self._resumed, state.position)
        self.state = state


def _started(module: str) -> subprocess.Popen[bytes]:
    # -P: files in the current directory must not be imported instead of our modules.
    command = [sys.executable, "-P", "-m", module]
    # In a session of its own: Ctrl-C goes to the service, which then stops the process.
    return subprocess.Popen(  # noqa: S603 - it is us
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )


def read_arguments() -> list[str]:
    """In the process: return the arguments that the service passes at the start."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the service, which then stops this process.
    return msgspec.json.decode(sys.stdin.buffer.readline(), type=list[str])


def give_way() -> None:
    """In the process: take a lower priority than the service, since callbacks and pages come first."""
    os.nice(NICENESS)


def on_parent_exit(end: Callable[[], object]) -> None:
    """In the process: call ``end`` when the service stops this process or ends itself."""

    def wait() -> None:
        # Past Python's buffer: whoever waits in it when the process ends makes Python abort.
        while os.read(sys.stdin.fileno(), 4096):
            pass
        end()

    Thread(target=wait, daemon=True).start()


def open_ledger(url: str, stopping: Event) -> Ledger | None:
    """In the process: open the ledger, or report why not and try again; return None once ``stopping`` is set."""
    while not stopping.is_set():
        try:
            return Ledger(url)
        except LedgerError as error:
            report_state(ProcessState(failure=str(error)))
            stopping.wait(RETRY_SECONDS)
    return None


def report_state(state: ProcessState) -> None:
    """In the process: report the state to the service."""
    with suppress(BrokenPipeError):  # The service is gone, and this process is about to end.
        os.write(sys.stdout.fileno(), msgspec.json.encode(state) + b"\n")
