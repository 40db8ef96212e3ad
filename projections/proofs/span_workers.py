"""Check spans with processes of this machine: each reads the log itself, and only leaf hashes and problems come back.

The workers take turns, and the answers are taken in the same order: so what waits does not grow with the log.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from domain.ledger import Ledger
from domain.log.urls import absolute
from projections.proofs.log_spans import Span
from projections.proofs.span_check import CheckedSpan, CheckSpans, check_notices
from projections.proofs.span_worker import CheckJob
from projections.worker_link import WorkerLink, WorkersCrashed, usable_cores

MODULE = "projections.proofs.span_worker"
# So many spans of each worker are under way: it has the next at once.
SPANS_AHEAD = 2
# Below, starting processes costs more than it saves.
EVENTS_WORTH_PROCESSES = 100_000


class SpanWorkers:
    """Checks the spans of a ledger with a number of processes."""

    def __init__(self, ledger: Ledger, private_keys: Sequence[str], jobs: int) -> None:
        """Use ``jobs`` processes; they are started with the first span."""
        self._job = CheckJob(absolute(ledger.url), ledger.id, tuple(private_keys))
        self._jobs = jobs

    def __call__(self, spans: Iterable[Span]) -> Iterator[CheckedSpan]:
        """Check spans, and return what was found in their order; raises WorkersCrashed."""
        workers: list[WorkerLink] = []
        under_way: deque[tuple[WorkerLink, Span]] = deque()
        try:
            workers += (WorkerLink(MODULE, self._job) for _ in range(self._jobs))
            for number, span in enumerate(spans):
                worker = workers[number % self._jobs]
                worker.send(span)
                under_way.append((worker, span))
                if len(under_way) == SPANS_AHEAD * self._jobs:
                    yield _receive(*under_way.popleft())
            while under_way:
                yield _receive(*under_way.popleft())
        finally:
            for worker in workers:
                worker.stop()


def _receive(worker: WorkerLink, span: Span) -> CheckedSpan:
    found = worker.receive()
    if found is None:
        first, count = span
        msg = (
            f"a worker ended over the positions from {first + 1} to {first + count}, with exit code {worker.exit_code()}: is"
            " there too little memory? Expected each event to be checked"
        )
        raise WorkersCrashed(msg)
    assert isinstance(found, CheckedSpan)
    return found


def choose_check(ledger: Ledger, private_keys: Sequence[str]) -> CheckSpans:
    """Choose how the notices of a ledger are checked: by several processes where there are cores and enough events."""
    cores = usable_cores()
    if cores > 1 and ledger.head() >= EVENTS_WORTH_PROCESSES:
        return SpanWorkers(ledger, private_keys, cores)
    return check_notices(ledger.store, private_keys)
