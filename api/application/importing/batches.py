"""The loop of an import: rows become deliveries, and batches of these are recorded, with the same checks as callbacks.

Importing is idempotent, and so it is resumable: run it again, and what is there already counts as duplicate.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from api.application.importing.files import CutOff
from api.application.importing.rows import Item, Passed, Row, Unreadable
from domain.errors import BrokenValue, LedgerError
from domain.outcomes import Answer, Duplicate, Quarantined, Recorded, Unkept
from domain.recording import Delivery

BATCH_SIZE = 2000

Record = Callable[[Sequence[Delivery]], Sequence[Answer]]


class ImportStopped(LedgerError):
    """The quarantine is full and may drop nothing, so the import stops; what came before is kept."""


class Summary(msgspec.Struct):
    """What became of the lines.

    ``kept_aside`` counts those of the quarantined that the ledger did not hold before, ``wrongly_signed`` those of the
    quarantined whose signature is wrong or missing, ``bodiless`` those of the unreadable that are POSTs in an access log,
    and ``elsewhere`` the other requests there.
    """

    recorded: int = 0
    duplicate: int = 0
    quarantined: int = 0
    kept_aside: int = 0
    wrongly_signed: int = 0
    unreadable: int = 0
    bodiless: int = 0
    elsewhere: int = 0


class Way(msgspec.Struct, frozen=True):
    """What happens on the way: how a row becomes a delivery, what records a batch, who hears of lines and of progress.

    ``unreadable`` is told the number of each line that cannot be read, and why.
    """

    delivery: Callable[[Row], Delivery]
    record: Record
    unreadable: Callable[[int, str], None]
    progress: Callable[[], None] = lambda: None


def take(items: Iterable[Item], way: Way, summary: Summary) -> None:
    """Record a file's rows and add up what became of them.

    Raises StoreUnavailable and ImportStopped; what was recorded until then is kept.
    """
    batch: list[Delivery] = []
    lines = 0
    try:
        for lines, item in enumerate(items, start=1):
            if isinstance(item, Row):
                _gather(batch, item, way, summary)
            else:
                _note(item, way, summary)
            if len(batch) == BATCH_SIZE:
                _record(batch, way, summary)
            elif lines % BATCH_SIZE == 0:
                way.progress()
    except CutOff as error:
        _note(Unreadable(lines + 1, str(error)), way, summary)
    _record(batch, way, summary)


def _gather(batch: list[Delivery], row: Row, way: Way, summary: Summary) -> None:
    try:
        batch.append(way.delivery(row))
    except BrokenValue as error:
        _note(Unreadable(row.line, str(error)), way, summary)


def _note(item: Unreadable | Passed, way: Way, summary: Summary) -> None:
    if item is Passed.BLANK:
        return
    if item is Passed.ELSEWHERE:
        summary.elsewhere += 1
        return
    summary.unreadable += 1
    if isinstance(item, Unreadable):
        way.unreadable(item.line, item.reason)
    else:
        summary.bodiless += 1


def _record(batch: list[Delivery], way: Way, summary: Summary) -> None:
    for answer in way.record(batch) if batch else ():
        _count(answer, summary)
    batch.clear()
    way.progress()


def _count(answer: Answer, summary: Summary) -> None:
    if isinstance(answer, Recorded):
        summary.recorded += 1
    elif isinstance(answer, Duplicate):
        summary.duplicate += 1
    elif isinstance(answer, Quarantined):
        summary.quarantined += 1
        summary.kept_aside += answer.is_new
        summary.wrongly_signed += answer.problem is None
    elif isinstance(answer, Unkept):
        raise ImportStopped(answer.reason)
