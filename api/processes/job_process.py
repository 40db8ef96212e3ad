"""The process of a job: it rebuilds, or checks, and notes how far it is and what came of it."""

import os
from threading import Event, Lock, Thread

import msgspec

from api.application.masking import masked_value
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
from projections.schema.kinds import ColumnKind

NOTE_SECONDS = 1.0
NICENESS = 5


class JobProgress:
    """Keeps what is known of the job, every second and at its end."""

    def __init__(self, ledger: Ledger, job: BackgroundJob) -> None:
        """Take the job as it was begun."""
        self._ledger = ledger
        self._job = job
        self._lock = Lock()
        self._over = Event()
        self._thread = Thread(target=self._note_on, daemon=True)
        self._thread.start()

    def moved(self, done: int, total: int) -> None:
        """Take in how many of how many events are done."""
        self._job = msgspec.structs.replace(self._job, done=done, total=total)

    def end(self, **said: object) -> None:
        """Note what came of it."""
        self._over.set()
        self._thread.join()
        jobs.save_job(self._ledger, msgspec.structs.replace(self._job, seen_at=times.now(), **said))

    def _note_on(self) -> None:
        while not self._over.wait(NOTE_SECONDS):
            jobs.save_job(self._ledger, msgspec.structs.replace(self._job, seen_at=times.now()))


def main() -> int:
    """Do the job that the service names; return the exit code."""
    url, described = children.read_arguments()
    job = msgspec.json.decode(described, type=BackgroundJob)
    # Callbacks come first, and the service that goes takes its jobs along: nothing of a build is left that was cut off.
    os.nice(NICENESS)
    children.on_parent_exit(lambda: os._exit(1))
    with Ledger(url) as ledger:
        noting = JobProgress(ledger, job)
        try:
            report = _done(ledger, job.kind, noting)
        except LedgerError as error:
            noting.end(state=FAILED, failure=str(error))
            return 1
        except Exception as error:  # noqa: BLE001 - whatever stopped it must be told
            noting.end(state=FAILED, failure=repr(error))
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
    # Whoever may look at jobs reads it, also who may see no numbers; the command `rebuild --check` shows all.
    had, says = (masked_value(column, _shown(value, kind)) for value in (live, fresh))
    return f"{model} {row} {column}: had {had}, the log says {says}"


def _shown(value: object, kind: ColumnKind | None) -> object:
    return amounts.plain(value) if kind in (ColumnKind.AMOUNT, ColumnKind.TOTAL) and isinstance(value, int) else value


if __name__ == "__main__":
    # At once: a thread that waits for the service's end would stand in the way of an orderly exit.
    os._exit(main())
