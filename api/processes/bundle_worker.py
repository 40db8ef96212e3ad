"""The bundles of bills, those of many calls by a process of their own, one at a time."""

from threading import Lock

from api.application.proofs.bundle_builder import MadeBundle, bundle_bill
from api.application.read_model_pool import ReadModelPool
from api.processes.bundle_process import BundleJob
from domain.errors import Unavailable
from domain.ledger import Ledger
from domain.log.urls import absolute
from projections.queries.statement import billed_calls
from projections.worker_link import WorkerLink

MODULE = "api.processes.bundle_process"
# Proving so many takes about as long as starting a process.
CALLS_PROVEN_HERE_MAX = 500


class BundleUnavailable(Unavailable):
    """A bundle cannot be made now."""


class BundleWorker:
    """Makes the bundles of bills for a service."""

    def __init__(self, ledger: Ledger, read_models: ReadModelPool) -> None:
        """Prove bills of ``ledger``; ``read_models`` tell which calls they have."""
        self._ledger = ledger
        self._read_models = read_models
        self._busy, self._lock = Lock(), Lock()
        self._link: WorkerLink | None = None
        self._is_closed = False

    def bundle_bill(self, account: str, period: str) -> MadeBundle:
        """Return the bundle of a bill; raises NoProof, BundleUnavailable while another large one is made, StoreUnavailable."""
        with self._read_models.session() as room:
            if len(billed_calls(room.connection, account, period)) <= CALLS_PROVEN_HERE_MAX:
                return bundle_bill(self._ledger, room.store, account, period)
        if not self._busy.acquire(blocking=False):
            msg = "the bundle of another large bill is being made: expected none, ask again later"
            raise BundleUnavailable(msg)
        try:
            return self._receive(BundleJob(absolute(self._ledger.url), self._ledger.id, account, period))
        finally:
            self._busy.release()

    def _receive(self, job: BundleJob) -> MadeBundle:
        link = self._start(job)
        try:
            made = link.receive()
        finally:
            with self._lock:
                self._link = None
                link.stop()
        if made is None:
            msg = f"the process that makes the bundle of {job.account} for {job.period} ended: expected a bundle"
            raise BundleUnavailable(msg)
        assert isinstance(made, MadeBundle)
        return made

    def _start(self, job: BundleJob) -> WorkerLink:
        with self._lock:
            if self._is_closed:
                msg = "the service is stopping: expected no more bundles"
                raise BundleUnavailable(msg)
            self._link = WorkerLink(MODULE, job)
            return self._link

    def close(self) -> None:
        """End the process; its bundle is not made."""
        with self._lock:
            self._is_closed = True
            if self._link:
                self._link.kill()
