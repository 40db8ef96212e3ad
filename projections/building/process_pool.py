"""Fold with processes of this machine: each reads the log for itself, and only ranges and rows go between.

Programs of their own rather than ``concurrent.futures``: a pool there breaks as a whole when one of its processes is killed,
and cannot be stopped before its work is done. Here it is known which range the lost one had, the others go on, and on any
error, Ctrl-C among them, all are stopped at once.
"""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, Pipe, wait

from domain.errors import LedgerError, Unavailable
from domain.ledger import Ledger
from domain.log.urls import absolute
from projections.building.partitions import SEQUENTIAL, FoldedPart, FoldStrategy, StreamRange
from projections.building.worker_process import FoldJob

LOSSES_MAX = 3


class WorkersCrashed(Unavailable):
    """Workers ended again and again over the same range, so that the rebuild cannot be finished."""


class WorkersUnavailable(Unavailable):
    """Those who were to fold cannot be reached: the scheduler of a Dask cluster, or any of its workers."""


class WorkersIncompatible(Unavailable):
    """A worker elsewhere cannot do this rebuild: it has another version of tringledger, or cannot open the store."""


class _Worker:
    """One process, and the range that it folds now; ``lost`` is how many workers that range has cost already."""

    def __init__(self, job: FoldJob) -> None:
        self.connection, theirs = Pipe()
        # -P: whatever lies in the working directory must not be taken for our modules. In a session of its own, so that
        # Ctrl-C is for the command, which then ends it.
        command = [sys.executable, "-P", "-m", "projections.building.worker_process", str(theirs.fileno())]
        self._process = subprocess.Popen(  # noqa: S603 - it is us
            command, stdin=subprocess.DEVNULL, stdout=2, pass_fds=[theirs.fileno()], start_new_session=True
        )
        theirs.close()
        self.range: StreamRange | None = None
        self.lost = 0
        self._send(job)

    def _send(self, what: object) -> None:
        try:
            self.connection.send(what)
        except OSError:
            return  # It is gone, which whoever waits for its answer will see.

    def take(self, wanted: StreamRange, lost: int) -> None:
        self.range, self.lost = wanted, lost
        self._send(wanted)

    def answer(self) -> FoldedPart | None:
        """Return the part that it has folded, or None where it is gone; raises the error that it met."""
        try:
            found = self.connection.recv()
        except (EOFError, OSError):
            return None
        if isinstance(found, LedgerError):
            raise found
        assert isinstance(found, FoldedPart)
        return found

    def exit_code(self) -> int:
        """Return how it ended, once it is known to be at its end."""
        return self._process.wait()

    def stop(self) -> None:
        """End it at once: it only reads, so nothing can be left half done."""
        self._process.kill()
        self._process.wait()
        self.connection.close()


class ProcessFolding:
    """Folds with so many processes."""

    def __init__(self, jobs: int) -> None:
        """Take how many."""
        self.jobs = jobs

    def __call__(self, ledger: Ledger, cut: int, ranges: Iterable[StreamRange]) -> Iterator[FoldedPart]:  # noqa: D102
        job = FoldJob(absolute(ledger.url), ledger.id, cut)
        waiting = deque((each, 0) for each in ranges)
        idle: list[_Worker] = []
        busy: dict[Connection, _Worker] = {}
        try:
            idle += (_Worker(job) for _ in range(min(self.jobs, len(waiting))))
            while waiting or busy:
                _hand_out(waiting, idle, busy)
                ready = busy.pop(wait(list(busy))[0])  # type: ignore[call-overload]
                idle.append(ready)
                part = ready.answer()
                if part is None:
                    waiting.appendleft(_after_loss(idle.pop()))
                    idle.append(_Worker(job))
                    continue
                if part.rest:
                    waiting.appendleft((part.rest, 0))
                # Before the part is taken care of, so that its worker goes on meanwhile.
                _hand_out(waiting, idle, busy)
                yield part
        finally:
            for worker in (*idle, *busy.values()):
                worker.stop()


def _hand_out(waiting: deque[tuple[StreamRange, int]], idle: list[_Worker], busy: dict[Connection, _Worker]) -> None:
    while waiting and idle:
        worker = idle.pop()
        busy[worker.connection] = worker
        worker.take(*waiting.popleft())


def _after_loss(worker: _Worker) -> tuple[StreamRange, int]:
    """Return what a worker that ended by itself was at, to be folded again; raises WorkersCrashed where that is hopeless."""
    worker.connection.close()
    code = worker.exit_code()
    assert worker.range
    if worker.lost + 1 >= LOSSES_MAX:
        first, last, _ = worker.range
        msg = (
            f"a worker ended {LOSSES_MAX} times over the streams from {first or 'the first'} to {last}, the last one with"
            f" exit code {code}: is there too little memory? Expected each range to be folded"
        )
        raise WorkersCrashed(msg)
    return worker.range, worker.lost + 1


EVENTS_WORTH_PROCESSES = 20_000


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_folding(events: int, jobs: int | None = None) -> FoldStrategy:
    """Choose who folds so many events on this machine: starting processes costs more than a small log does."""
    wanted = jobs or (usable_cores() if events >= EVENTS_WORTH_PROCESSES else 1)
    return ProcessFolding(wanted) if wanted > 1 else SEQUENTIAL
