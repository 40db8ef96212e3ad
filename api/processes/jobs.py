"""Jobs: long work that an operator starts from a page or the API, and that runs in a process of its own.

The state of the last jobs is kept in the ledger's facts, so every process of the service knows it, also after a restart.
The process of a job saves its state every second, and ends with the service that started it.
"""

import logging
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from uuid import uuid4

import msgspec

from domain import times
from domain.errors import LedgerError
from domain.ledger import Ledger
from domain.log.contract import LogTransaction

FACT = "jobs"
KEPT = 10
DIFFERENCES_KEPT = 20
REBUILD, CHECK = "rebuild", "check"
KINDS = {
    REBUILD: "build the read models again, alongside the live ones, and swap",
    CHECK: "build the read models again and compare; change nothing",
}
RUNNING, DONE, FAILED = "running", "done", "failed"
SILENT_MAX = 15 * times.SECOND
MODULE = "api.processes.job_process"
END_SECONDS_MAX = 10.0

_log = logging.getLogger(__name__)


class JobRefused(LedgerError):
    """The job is unknown, or another one is running."""


class BackgroundJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job: its kind, who started it, its progress (``done`` of ``total`` events), and its result.

    Times are microseconds, UTC; ``seen_at`` is when it last saved its state. ``found`` is the number of differences to the
    live read models at ``position``, None if they could not be compared; ``differences`` are the first of them.
    """

    id: str
    kind: str
    by: str
    state: str
    started_at: int
    seen_at: int
    done: int = 0
    total: int = 0
    position: int | None = None
    found: int | None = None
    differences: list[str] = []
    failure: str = ""

    def as_of(self, now: int) -> "BackgroundJob":
        """Return the job as of ``now``: a running job that has been silent for 15 seconds counts as failed."""
        if self.state == RUNNING and self.seen_at < now - SILENT_MAX:
            return msgspec.structs.replace(
                self, state=FAILED, failure="the job ended without a result; was the service stopped?"
            )
        return self


def known_jobs(ledger: Ledger, now: int) -> list[BackgroundJob]:
    """Return the last jobs, the latest first."""
    return [job.as_of(now) for job in _decoded(ledger.store.facts().get(FACT))]


def save_job(ledger: Ledger, job: BackgroundJob) -> None:
    """Save the state of a job; raises StoreUnavailable."""
    with ledger.store.transaction() as log:
        _keep(log, [job if job.id == other.id else other for other in _decoded(log.get_fact(FACT))])


def _decoded(fact: str | None) -> list[BackgroundJob]:
    return msgspec.json.decode(fact, type=list[BackgroundJob]) if fact else []


def _keep(log: LogTransaction, jobs: list[BackgroundJob]) -> None:
    log.set_fact(FACT, msgspec.json.encode(jobs[:KEPT]).decode())


class Jobs:
    """Starts the jobs of a service, and stops them with it."""

    def __init__(self, ledger: Ledger, clock: Callable[[], int] = times.now) -> None:
        """Run jobs on ``ledger``; ``clock`` returns microseconds, UTC."""
        self._ledger = ledger
        self._clock = clock
        self._lock = Lock()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def known(self) -> list[BackgroundJob]:
        """Return the last jobs of all processes, the latest first."""
        return known_jobs(self._ledger, self._clock())

    def start(self, kind: str, by: str) -> BackgroundJob:
        """Start a job in the name of ``by``; raises JobRefused, StoreUnavailable."""
        if kind not in KINDS:
            msg = f"unknown job {kind!r}; expected {' or '.join(KINDS)}"
            raise JobRefused(msg)
        now = self._clock()
        job = BackgroundJob(id=str(uuid4()), kind=kind, by=by, state=RUNNING, started_at=now, seen_at=now)
        with self._ledger.store.transaction() as log:
            before = [other.as_of(now) for other in _decoded(log.get_fact(FACT))]
            if running := next((other for other in before if other.state == RUNNING), None):
                msg = f"a {running.kind} is running, started by {running.by}; wait until it ends"
                raise JobRefused(msg)
            _keep(log, [job, *before])
        self._run(job)
        return job

    def _run(self, job: BackgroundJob) -> None:
        # -P: files in the current directory must not be imported instead of our modules.
        process = subprocess.Popen(  # noqa: S603 - it is us
            [sys.executable, "-P", "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdin
        with suppress(BrokenPipeError):  # It has already ended; the thread below sees that.
            process.stdin.write(msgspec.json.encode([self._ledger.url, msgspec.json.encode(job).decode()]) + b"\n")
            process.stdin.flush()
        with self._lock:
            self._processes[job.id] = process
        Thread(target=self._wait, args=(job, process), name=f"job {job.id}", daemon=True).start()

    def _wait(self, job: BackgroundJob, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        with self._lock:
            self._processes.pop(job.id, None)
            _close(process)
        if code:
            _log.error("the job %s, started by %s, ended with exit code %d", job.kind, job.by, code)

    def close(self) -> None:
        """Stop the jobs that this service started; what they were building is discarded."""
        with self._lock:
            running = list(self._processes.values())
            for process in running:
                _close(process)
        for process in running:
            try:
                process.wait(END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()


def _close(process: "subprocess.Popen[bytes]") -> None:
    """Close the pipe whose end tells the process to stop."""
    if process.stdin:
        with suppress(OSError):
            process.stdin.close()
