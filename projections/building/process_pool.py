"""Fold with processes of this machine: this one and others, which read the log themselves; only ranges and rows are sent.

A lost process costs its range alone, and on any error, Ctrl-C included, all processes are stopped at once.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait

from domain.errors import Unavailable
from domain.ledger import Ledger
from domain.log.urls import absolute
from projections.building.partitions import (
    FoldedPart,
    FoldStrategy,
    Range,
    SequentialFolding,
    SharedBuild,
    StreamRange,
    fold_in_parts,
)
from projections.building.row_images import ImageTable, pack_rows
from projections.building.worker_process import FoldJob
from projections.proofs.leaf_product import LeafPoint
from projections.rows.projector import Kinds
from projections.worker_link import WorkerLink, WorkersCrashed, usable_cores

MODULE = "projections.building.worker_process"
LOSSES_MAX = 3
OWN_EVENTS = 500  # After so many of its own this process looks whether another one waits for it.
RANGES_AHEAD = 2  # So many ranges of each worker are under way: it has the next at once.

Waiting = deque[tuple[Range, int]]


class WorkersUnavailable(Unavailable):
    """The workers cannot be reached: the scheduler of a Dask cluster, or any of its workers."""


class WorkersIncompatible(Unavailable):
    """A worker on another host has another version of tringledger, or cannot open the store."""


class _Worker:
    """A process, and the ranges that it folds, in order, each with the number of workers that it has crashed so far."""

    def __init__(self, job: FoldJob) -> None:
        self.link = WorkerLink(MODULE, job)
        self.ranges: Waiting = deque()

    def take(self, wanted: Range, lost: int) -> None:
        self.ranges.append((wanted, lost))
        self.link.send(wanted)

    def answer(self) -> FoldedPart | None:
        """Return the part of its first range, or None if the process has ended; raises the error that it sent."""
        found = self.link.receive()
        if found is None:
            return None
        assert isinstance(found, FoldedPart)
        self.ranges.popleft()
        return found


class ProcessFolding:
    """Folds with a number of processes, of which this one is the first; with one job, it lets a single other one fold."""

    def __init__(self, jobs: int, kinds: Kinds = None, images: Sequence[ImageTable] = ()) -> None:
        """Use ``jobs`` processes, and make rows of all classes or of some; those of some tables become images."""
        self.jobs = jobs
        self._kinds = kinds
        self._images = tuple(images)

    def sending_images(self, tables: Sequence[ImageTable]) -> "ProcessFolding":
        """Return the same, except that the rows of these tables are images."""
        return ProcessFolding(self.jobs, self._kinds, tables)

    def __call__(  # noqa: D102
        self,
        ledger: Ledger,
        cut: int,
        ranges: Iterable[Range],
        at: LeafPoint | None = None,
        into: SharedBuild | None = None,
    ) -> Iterator[FoldedPart]:
        job = FoldJob(absolute(ledger.url), ledger.id, cut, at, self._kinds, self._images, into)
        waiting: Waiting = deque()
        workers: list[_Worker] = []
        own: Generator[FoldedPart | None] | None = None
        try:
            # Before the ranges, which may take as long to be planned as a worker to start.
            workers += (_Worker(job) for _ in range(max(self.jobs - 1, 1)))
            waiting += ((each, 0) for each in ranges)
            while waiting or own or any(worker.ranges for worker in workers):
                busy = _hand_out(waiting, workers)
                if self.jobs > 1 and own is None and (taken := _take_own(waiting)):
                    own = fold_in_parts(ledger, cut, taken, at, self._kinds, pause_after=OWN_EVENTS)
                answered = wait(list(busy), 0 if own else None)
                if own and not answered:
                    if done := next(own):
                        own = own if done.rest else None
                        yield self._packed(done)
                    continue
                ready = busy[answered[0]]  # type: ignore[index]
                part = ready.answer()
                if part is None:
                    workers.remove(ready)
                    waiting.extendleft(reversed(_after_loss(ready)))
                    workers.append(_Worker(job))
                    continue
                if part.rest:
                    waiting.appendleft((part.rest, 0))
                # Before the part is written, so that its worker has enough to do meanwhile.
                _hand_out(waiting, workers)
                yield part
        finally:
            if own:
                own.close()
            for worker in workers:
                worker.link.stop()

    def _packed(self, part: FoldedPart) -> FoldedPart:
        if self._images:
            pack_rows(part.batch, self._images)
        return part


def _hand_out(waiting: Waiting, workers: list[_Worker]) -> dict[Connection, _Worker]:
    """Give ranges to the workers that have the fewest, and return those that have any by their connections."""
    for count in range(RANGES_AHEAD):
        for worker in workers:
            if waiting and len(worker.ranges) <= count:
                worker.take(*waiting.popleft())
    return {worker.link.connection: worker for worker in workers if worker.ranges}


def _take_own(waiting: Waiting) -> Range | None:
    """Take a range for this process, but none that has crashed a worker."""
    return waiting.popleft()[0] if waiting and not waiting[0][1] else None


def _after_loss(worker: _Worker) -> Waiting:
    """Return the ranges of a worker that crashed, to be folded again: it was at the first; raises WorkersCrashed after LOSSES_MAX of them."""
    worker.link.connection.close()
    code = worker.link.exit_code()
    (found, lost), *others = worker.ranges
    if lost + 1 >= LOSSES_MAX:
        msg = (
            f"a worker ended {LOSSES_MAX} times over {_name(found)}, the last one with"
            f" exit code {code}: is there too little memory? Expected each range to be folded"
        )
        raise WorkersCrashed(msg)
    return deque([(found, lost + 1), *others])


def _name(wanted: Range) -> str:
    if isinstance(wanted, StreamRange):
        return f"the streams from {wanted.first or 'the first'} to {wanted.last}"
    return f"what begins at the positions {wanted.after + 1} to {wanted.until}"


EVENTS_WORTH_PROCESSES = 20_000


def choose_folding(events: int, jobs: int | None = None, kinds: Kinds = None) -> FoldStrategy:
    """Choose the way of folding on this machine: below EVENTS_WORTH_PROCESSES, starting processes costs more than it saves.

    With ``kinds``, only rows of these classes are made.
    """
    wanted = jobs or (usable_cores() if events >= EVENTS_WORTH_PROCESSES else 1)
    return ProcessFolding(wanted, kinds) if wanted > 1 else SequentialFolding(kinds)
