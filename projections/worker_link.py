"""A worker process of this machine, and the connection by which it gets its tasks and sends its answers.

These are programs of their own instead of ``concurrent.futures``: such a pool breaks as a whole when one of its processes is
killed, cannot be stopped before its work is done, and outlives a killed parent. A worker here ends with the process that
started it, however that ends: the other end of its connection is closed then.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from multiprocessing.reduction import send_handle

from domain.errors import LedgerError, Unavailable
from domain.ledger import Ledger
from domain.log.urls import redacted

# A worker that has sent an answer goes on with its next task, though nobody has read the answer yet; and it is given tasks while it
# sends one. The system may allow less.
BYTES_AHEAD = 1 << 20


class WorkersCrashed(Unavailable):
    """Workers crashed over a task, so the work cannot be finished."""


class WrongLedger(LedgerError):
    """A worker found another ledger at the store's URL than the one that it was started for."""


class WorkerLink:
    """A worker, seen from the process that started it: ``connection`` becomes readable with an answer, or with its end."""

    def __init__(self, module: str, job: object) -> None:
        """Start ``module`` as a program, with the number of its end of the connection as argument, and send it its job."""
        self.connection: Connection
        self.connection, theirs = Pipe()
        for each in (self.connection, theirs):
            with socket.socket(fileno=os.dup(each.fileno())) as end:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BYTES_AHEAD)
        # -P: modules in the working directory must not replace ours. A session of its own: Ctrl-C ends the command, and the
        # command ends its workers.
        command = [sys.executable, "-P", "-m", module, str(theirs.fileno())]
        self._process = subprocess.Popen(  # noqa: S603 - it is us
            command, stdin=subprocess.DEVNULL, stdout=2, pass_fds=[theirs.fileno()], start_new_session=True
        )
        theirs.close()
        self.send(job)

    def send(self, what: object) -> None:
        """Send a job or a task."""
        try:
            self.connection.send(what)
        except OSError:
            return  # It has ended, which ``receive`` reports.

    def send_descriptor(self, descriptor: int) -> None:
        """Send an open file, for ``multiprocessing.reduction.recv_handle``: the worker gets a descriptor of its own."""
        try:
            send_handle(self.connection, descriptor, self._process.pid)
        except OSError:
            return  # As above.

    @property
    def process_id(self) -> int:
        """The id of its process."""
        return self._process.pid

    def receive(self) -> object | None:
        """Wait for an answer and return it, or None if the worker has ended; raises the LedgerError that it sent."""
        try:
            found: object = self.connection.recv()
        except (EOFError, OSError):
            return None
        if isinstance(found, LedgerError):
            raise found
        return found

    def exit_code(self) -> int:
        """Return its exit code; call this when it is known to have ended."""
        return self._process.wait()

    def kill(self) -> None:
        """Kill it without waiting: a thread that receives from it gets None, and stops it then."""
        self._process.kill()

    def stop(self) -> None:
        """Kill it: it only reads, so nothing is left half done."""
        self._process.kill()
        self._process.wait()
        self.connection.close()


def serve_parent(descriptor: int, serve: Callable[[Connection], None]) -> None:
    """In the worker: let ``serve`` work on its end of the connection until the other end is closed; a LedgerError is sent, and ends it."""
    with Connection(descriptor) as connection, suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            serve(connection)
        except LedgerError as error:
            connection.send(error)


def open_same_ledger(url: str, ledger_id: str) -> Ledger:
    """Open the ledger at a URL, in a worker; raises WrongLedger if it is another one on this host."""
    ledger = Ledger(url)
    if ledger.id != ledger_id:
        ledger.close()
        msg = f"a worker finds ledger {ledger.id} at {redacted(url)}: expected {ledger_id}"
        raise WrongLedger(msg)
    return ledger


def usable_cores() -> int:
    """Return the number of cores that this process may use (in a container, fewer than the machine has)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
