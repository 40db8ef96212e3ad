"""Runs bulk jobs in a thread of the service, which has the keyring; a job ends with nothing but its end, a stop or a failure.

One process of a ledger's services does the job at hand, and holds a lock for it. Once that process is gone, however it
ended, another one or a new start goes on behind the last step that was committed.
"""

import logging
from collections.abc import Callable
from contextlib import closing, suppress
from threading import Event, Lock, Thread
from uuid import uuid4

import msgspec

from api.application.bulk_jobs import orders
from api.application.bulk_jobs.bulk_job import (
    FAILED,
    RUNNING,
    BulkJob,
    BulkJobTaken,
    BulkStep,
    add_bulk_job,
    change_owned_job,
    find_bulk_job,
    known_bulk_jobs,
    stop_bulk_job,
)
from api.application.bulk_jobs.bulk_work import BulkWork, OpenReadSession
from api.application.bulk_jobs.orders import BulkRequest
from api.application.process_state import describe_failure
from domain import times
from domain.errors import LedgerError, StoreUnavailable
from domain.ledger import Ledger
from domain.log.contract import LedgerFacts
from projections.stores.generations import ReadModelsUnusable

PURPOSE = "bulk"
LOOK_SECONDS = 3.0
RETRY_SECONDS = 1.0
# Between two steps others write: callbacks must not wait for a whole job.
PAUSE_SECONDS = 0.002

_log = logging.getLogger(__name__)


class BulkRunner:
    """The bulk jobs of a service: starts them, does them, and stops them on request."""

    def __init__(self, ledger: Ledger, open_session: OpenReadSession, clock: Callable[[], int] = times.now) -> None:
        """Run jobs on ``ledger``; ``open_session`` begins a read session on its read models, ``clock`` returns microseconds, UTC."""
        self._ledger = ledger
        self._open_session = open_session
        self._clock = clock
        self._wake, self._stopping = Event(), Event()
        self._thread: Thread | None = None
        self._starting = Lock()

    def open(self) -> None:
        """Look for jobs from now on: for new ones, and for those that an earlier process left."""
        with self._starting:
            if self._thread is None:
                self._thread = Thread(target=self._look_on, name="bulk jobs", daemon=True)
                self._thread.start()

    def known(self) -> list[BulkJob]:
        """Return the last jobs of all processes, the latest first; raises StoreUnavailable."""
        return known_bulk_jobs(self._ledger)

    def find(self, job_id: str) -> BulkJob | None:
        """Return a job, or None if it is unknown, or too long ago; raises StoreUnavailable."""
        return find_bulk_job(self._ledger, job_id)

    def preview(self, request: BulkRequest) -> BulkJob:
        """Return the job that ``start`` would start; nothing is kept. Raises what ``start`` does."""
        order = orders.read_order(self._ledger, self._open_session, request, self._clock())
        return orders.new_bulk_job(self._ledger, order, self._open_session)

    def start(self, request: BulkRequest) -> BulkJob:
        """Start a job: all that fits the filters of the request and is there now.

        Raises BulkJobRefused if nothing fits or another job is running, WrongUsage, SelectionError, CommandRejected,
        StoreUnavailable.
        """
        job = self.preview(request)
        add_bulk_job(self._ledger, job)
        self._wake.set()
        return job

    def stop(self, job_id: str, by: str) -> BulkJob:
        """Stop a job in an operator's name; what it has done stays. Raises BulkJobRefused unless it is running, StoreUnavailable."""
        return stop_bulk_job(self._ledger, job_id, by, self._clock())

    def close(self) -> None:
        """End after the step at hand; the job waits for the next process that looks."""
        self._stopping.set()
        self._wake.set()
        if self._thread:
            self._thread.join()

    def _look_on(self) -> None:
        while not self._stopping.is_set():
            with suppress(LedgerError):
                self.run_waiting()
            self._wake.wait(LOOK_SECONDS)
            self._wake.clear()

    def run_waiting(self) -> None:
        """Do the job that is running and that no other process does, if there is one; raises StoreUnavailable."""
        waiting = next((job for job in self.known() if job.state == RUNNING), None)
        if waiting is None:
            return
        with closing(self._ledger.store.lock(PURPOSE)) as lock:
            if not lock.acquire():
                return
            mine = self._taken(waiting)
            try:
                self._run(mine, orders.open_work(self._ledger, mine.order, self._open_session))
            except BulkJobTaken:
                return
            except (StoreUnavailable, ReadModelsUnusable):
                raise
            except LedgerError as error:
                self._fail(mine, str(error))
            except Exception as error:  # noqa: BLE001 - any failure is reported
                self._fail(mine, describe_failure(error))

    def _taken(self, job: BulkJob) -> BulkJob:
        """Make this run the owner of a job: what an earlier owner still does is rolled back."""
        owner = str(uuid4())
        with self._ledger.store.transaction() as log:
            return change_owned_job(log, job, lambda present: msgspec.structs.replace(present, owner=owner))

    def _run(self, job: BulkJob, work: BulkWork) -> None:
        cursor = job.cursor
        while not self._stopping.is_set():
            try:
                step = work.step(cursor, lambda facts, did: self._note(facts, job, did))
            except (StoreUnavailable, ReadModelsUnusable) as error:
                _log.warning("the bulk job %s waits: %s", job.order.kind, error)
                self._stopping.wait(RETRY_SECONDS)
                continue
            if step.is_last:
                return
            cursor = step.cursor
            self._stopping.wait(PAUSE_SECONDS)

    def _note(self, facts: LedgerFacts, job: BulkJob, step: BulkStep) -> None:
        change_owned_job(facts, job, lambda present: present.after(step, self._clock()))

    def _fail(self, job: BulkJob, failure: str) -> None:
        _log.error("the bulk job %s, started by %s, failed", job.order.kind, job.order.by)
        now = self._clock()
        with suppress(BulkJobTaken), self._ledger.store.transaction() as log:
            change_owned_job(
                log,
                job,
                lambda present: msgspec.structs.replace(
                    present, state=FAILED, failure=failure, seen_at=now, ended_at=now
                ),
            )
