"""The loop of an import: rows become deliveries, and batches of these are recorded, with the same checks as callbacks.

Importing is idempotent, so it can be resumed: run it again, and rows that are already recorded count as duplicates.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from api.application.importing.files import CutOff
from api.application.importing.rows import ImportedRow, Item, SkippedLine, UnreadableRow
from domain.errors import InvalidValue, LedgerError
from domain.outcomes import Duplicate, Quarantined, Recorded, RecordOutcome, Rejected
from domain.recording import Delivery

BATCH_SIZE = 2000

Record = Callable[[Sequence[Delivery]], Sequence[RecordOutcome]]


class ImportStopped(LedgerError):
    """The quarantine is full and must not drop anything, so the import stops; everything before is kept."""


class ImportSummary(msgspec.Struct):
    """How many lines had which outcome.

    ``kept_aside`` counts those of the quarantined that the ledger did not hold before, ``wrongly_signed`` those of the
    quarantined whose signature is wrong or missing, ``bodiless`` those of the unreadable that are POSTs in an access log,
    and ``elsewhere`` the other requests there.
    """

    recorded: int = 0
    duplicate: int = 0
    quarantined: int = 0
    newly_quarantined: int = 0
    wrongly_signed: int = 0
    unreadable: int = 0
    bodiless: int = 0
    elsewhere: int = 0


class ImportPipeline(msgspec.Struct, frozen=True):
    """The functions of an import: row to delivery, record a batch, report unreadable lines, report progress.

    ``unreadable`` gets the number of each line that cannot be read, and the reason.
    """

    delivery: Callable[[ImportedRow], Delivery]
    record: Record
    unreadable: Callable[[int, str], None]
    progress: Callable[[], None] = lambda: None


def import_rows(items: Iterable[Item], way: ImportPipeline, summary: ImportSummary) -> None:
    """Record the rows of a file, and count their outcomes.

    Raises StoreUnavailable and ImportStopped; everything recorded until then is kept.
    """
    batch: list[Delivery] = []
    lines = 0
    try:
        for lines, item in enumerate(items, start=1):
            if isinstance(item, ImportedRow):
                _gather(batch, item, way, summary)
            else:
                _note(item, way, summary)
            if len(batch) == BATCH_SIZE:
                _record(batch, way, summary)
            elif lines % BATCH_SIZE == 0:
                way.progress()
    except CutOff as error:
        _note(UnreadableRow(lines + 1, str(error)), way, summary)
    _record(batch, way, summary)


def _gather(batch: list[Delivery], row: ImportedRow, way: ImportPipeline, summary: ImportSummary) -> None:
    try:
        batch.append(way.delivery(row))
    except InvalidValue as error:
        _note(UnreadableRow(row.line, str(error)), way, summary)


def _note(item: UnreadableRow | SkippedLine, way: ImportPipeline, summary: ImportSummary) -> None:
    if item is SkippedLine.BLANK:
        return
    if item is SkippedLine.ELSEWHERE:
        summary.elsewhere += 1
        return
    summary.unreadable += 1
    if isinstance(item, UnreadableRow):
        way.unreadable(item.line, item.reason)
    else:
        summary.bodiless += 1


def _record(batch: list[Delivery], way: ImportPipeline, summary: ImportSummary) -> None:
    for answer in way.record(batch) if batch else ():
        _count(answer, summary)
    batch.clear()
    way.progress()


def _count(answer: RecordOutcome, summary: ImportSummary) -> None:
    if isinstance(answer, Recorded):
        summary.recorded += 1
    elif isinstance(answer, Duplicate):
        summary.duplicate += 1
    elif isinstance(answer, Quarantined):
        summary.quarantined += 1
        summary.newly_quarantined += answer.is_new
        summary.wrongly_signed += answer.problem is None
    elif isinstance(answer, Rejected):
        raise ImportStopped(answer.reason)
