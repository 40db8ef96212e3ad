"""Fold on a running Dask cluster: its workers read the log themselves, and only ranges and rows are sent.

Dask folds a range again if its worker is lost. No cluster is started from here. ``distributed`` is an extra
(``tringledger[dask]``) and takes half a second to load: import this module only for a given scheduler.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from importlib.metadata import version
from itertools import islice
from typing import Any

from distributed import Client, Future, KilledWorker, wait
from distributed.comm import resolve_address

from domain.errors import LedgerError
from domain.ledger import Ledger
from domain.log.urls import absolute
from projections.building.part_writer import part_writer
from projections.building.partitions import FoldedPart, Range, SharedBuild, fold_range
from projections.building.process_pool import WorkersIncompatible, WorkersUnavailable
from projections.building.worker_process import FoldJob
from projections.proofs.leaf_product import LeafPoint
from projections.worker_link import WorkersCrashed, open_same_ledger

CONNECT_SECONDS = 10
SILENCE_SECONDS_MAX = 60
IN_FLIGHT_PER_THREAD = 2


class DaskFolding:
    """Folds with all workers of a Dask scheduler."""

    def __init__(self, address: str) -> None:
        """Connect; raises WorkersUnavailable if there is no scheduler at the address, or it has no workers."""
        self.address = address
        try:
            resolve_address(address)  # A client with an invalid address would take half a minute to fail.
            self._client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            msg = f"there is no Dask scheduler at {address}: {error}"
            raise WorkersUnavailable(msg) from error
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError:
            self.close()
            msg = f"the Dask scheduler at {address} has no workers: expected one at least within {CONNECT_SECONDS} s"
            raise WorkersUnavailable(msg) from None
        self.jobs = sum(self._client.nthreads().values())

    def close(self) -> None:
        """Disconnect; the cluster stays as it was."""
        self._client.close()

    def __call__(  # noqa: D102
        self,
        ledger: Ledger,
        cut: int,
        ranges: Iterable[Range],
        at: LeafPoint | None = None,
        into: SharedBuild | None = None,
    ) -> Iterator[FoldedPart]:
        job = FoldJob(absolute(ledger.url), ledger.id, cut, at, into=into)
        self._check(job)
        waiting = deque(ranges)
        folding: set[Future] = set()
        try:
            while waiting or folding:
                free = self.jobs * IN_FLIGHT_PER_THREAD - len(folding)
                for wanted in list(islice(waiting, max(free, 0))):
                    waiting.popleft()
                    folding.add(self._client.submit(_fold, job, version("tringledger"), wanted, pure=False))
                for future in self._done(folding):
                    folding.remove(future)
                    part = _result(future)
                    if part.rest:
                        waiting.appendleft(part.rest)
                    yield part
        finally:
            self._client.cancel(list(folding), force=True)

    def _check(self, job: FoldJob) -> None:
        """Ask every worker for its version, and let it open the store; raises WorkersIncompatible."""
        ours = version("tringledger")

        # A function within a function is sent by value: so a worker without our modules can answer.
        def look() -> str:
            from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

            try:
                return version("tringledger")
            except PackageNotFoundError:
                return ""

        for worker, theirs in self._ask(look).items():
            if theirs != ours:
                msg = f"the Dask worker {worker} has {f'tringledger {theirs}' if theirs else 'no tringledger'}: expected {ours}, as here"
                raise WorkersIncompatible(msg)
        for worker, found in self._ask(_try, job).items():
            if found:
                msg = f"the Dask worker {worker} cannot read the store: {found}"
                raise WorkersIncompatible(msg)

    def _ask(self, function: Any, *arguments: object) -> dict[str, str]:
        """Return the answer of each worker; Dask replaces workers that are lost meanwhile, unless all are."""
        try:
            said = self._client.run(function, *arguments, on_error="return")
        except OSError as error:
            raise self._gone(error) from error
        answers = {worker: answer for worker, answer in said.items() if isinstance(answer, str)}
        if not answers:
            raise self._gone(said or "it has no workers")
        return answers

    def _done(self, folding: set[Future]) -> Iterable[Future]:
        try:
            with self._client.as_current():
                done: set[Future] = wait(folding, timeout=SILENCE_SECONDS_MAX, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            if self._client.scheduler_info()["workers"]:
                return ()
            msg = f"it has had no worker for {SILENCE_SECONDS_MAX} s"
            raise self._gone(msg) from None
        except (CancelledError, OSError) as error:
            raise self._gone(error) from error
        return done

    def _gone(self, why: object) -> WorkersUnavailable:
        return WorkersUnavailable(f"the Dask cluster at {self.address} is gone: {why!s}")


def _try(job: FoldJob) -> str:
    """On a worker: open the store, and return the problem with it, or an empty text."""
    try:
        open_same_ledger(job.url, job.ledger_id).close()
    except LedgerError as error:
        return str(error)
    return ""


def _fold(job: FoldJob, expected: str, wanted: Range) -> FoldedPart:
    """On a worker: fold a range; checks the version again, since workers may join after the check."""
    if version("tringledger") != expected:
        msg = f"a Dask worker has tringledger {version('tringledger')}: expected {expected}"
        raise WorkersIncompatible(msg)
    with open_same_ledger(job.url, job.ledger_id) as ledger, part_writer(ledger, job.into) as write:
        return write(fold_range(ledger, job.cut, wanted, job.at))


def _result(future: Future) -> FoldedPart:
    try:
        part: FoldedPart = future.result()
    except KilledWorker as error:
        msg = f"Dask workers ended again and again over the same streams, so the rebuild cannot be finished: {error}"
        raise WorkersCrashed(msg) from error
    return part
