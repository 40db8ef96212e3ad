"""The process of a job: runs a rebuild or a check, and records its progress and its result."""

import os
from threading import Event, Lock, Thread

import msgspec

from api.application.masking import masked_value
from api.application.process_state import describe_failure
from api.processes import jobs
from api.processes import supervised as children
from api.processes.jobs import CHECK, DIFFERENCES_KEPT, DONE, FAILED, BackgroundJob
from domain import amounts, times
from domain.errors import LedgerError
from domain.ledger import Ledger
from projections.building import rebuild
from projections.building.comparison import RowDifference
from projections.building.process_pool import choose_folding
from projections.building.rebuild import RebuildReport
from projections.schema.column_kinds import ColumnKind

NOTE_SECONDS = 1.0


class JobProgress:
    """Saves the state of the job, every second and at its end."""

    def __init__(self, ledger: Ledger, job: BackgroundJob) -> None:
        """Start to save the state of ``job``, which has just begun."""
        self._ledger = ledger
        self._job = job
        self._lock = Lock()
        self._over = Event()
        self._thread = Thread(target=self._note_on, daemon=True)
        self._thread.start()

    def moved(self, done: int, total: int) -> None:
        """Note that ``done`` of ``total`` events are processed."""
        self._job = msgspec.structs.replace(self._job, done=done, total=total)

    def end(self, **said: object) -> None:
        """Save the result, and stop."""
        self._over.set()
        self._thread.join()
        jobs.save_job(self._ledger, msgspec.structs.replace(self._job, seen_at=times.now(), **said))

    def _note_on(self) -> None:
        while not self._over.wait(NOTE_SECONDS):
            jobs.save_job(self._ledger, msgspec.structs.replace(self._job, seen_at=times.now()))


def main() -> int:
    """Run the job that the service names; return the exit code."""
    url, described = children.read_arguments()
    job = msgspec.json.decode(described, type=BackgroundJob)
    children.give_way()
    # A job ends with its service: an interrupted build leaves nothing behind.
    children.on_parent_exit(lambda: os._exit(1))
    with Ledger(url) as ledger:
        noting = JobProgress(ledger, job)
        try:
            report = _done(ledger, job.kind, noting)
        except LedgerError as error:
            noting.end(state=FAILED, failure=str(error))
            return 1
        except Exception as error:  # noqa: BLE001 - any failure is reported
            noting.end(state=FAILED, failure=describe_failure(error))
            return 1
        noting.end(
            state=DONE,
            position=report.position,
            found=report.found if report.position is not None else None,
            differences=[_said(each) for each in report.differences[:DIFFERENCES_KEPT]],
        )
    return 0


def _done(ledger: Ledger, kind: str, noting: JobProgress) -> RebuildReport:
    folding = choose_folding(ledger.head())
    if kind == CHECK:
        return rebuild.check_read_models(ledger, noting.moved, folding)
    return rebuild.rebuild(ledger, noting.moved, folding)


def _said(difference: RowDifference) -> str:
    model, row, column, live, fresh, kind = difference
    # Jobs are visible to users without the pii role too; `rebuild --check` shows everything.
    had, says = (masked_value(column, _shown(value, kind)) for value in (live, fresh))
    return f"{model} {row} {column}: had {had}, the log says {says}"


def _shown(value: object, kind: ColumnKind | None) -> object:
    return amounts.plain(value) if kind in (ColumnKind.AMOUNT, ColumnKind.TOTAL) and isinstance(value, int) else value


if __name__ == "__main__":
    # At once: the thread that waits for the end of the service would block a normal exit.
    os._exit(main())
