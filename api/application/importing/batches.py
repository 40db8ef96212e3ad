"""The loop of an import: rows become deliveries, and batches of these are recorded, with the same checks as callbacks.

Importing is idempotent, so it can be resumed: run it again, and rows that are already recorded count as duplicates.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from api.application.importing.files import CutOff
from api.application.importing.rows import ImportedRow, Item, MissedPath, SkippedLine, UnreadableRow
from domain.errors import InvalidValue, LedgerError
from domain.notices.notification import shorten
from domain.outcomes import Duplicate, Quarantined, Recorded, RecordOutcome, Rejected, RowConflict
from domain.recording import Delivery

BATCH_SIZE = 2000
MISSED_PATHS_MAX = 100


class Recorder(Protocol):
    """What records the deliveries of an import, or says what would become of them."""

    def record(self, deliveries: Sequence[Delivery]) -> Sequence[RecordOutcome]:
        """Return the outcome of each delivery, in the same order; raises StoreUnavailable."""

    def parameters_at(self, position: int) -> dict[str, str]:
        """Return the parameters of the notice at a position."""


_Line = tuple[int, Delivery]


class ImportStopped(LedgerError):
    """The quarantine is full and must not drop anything, so the import stops; everything before is kept."""


class ImportSummary(msgspec.Struct):
    """How many lines had which outcome.

    ``newly_quarantined`` counts those of the quarantined that the ledger did not hold before, ``wrongly_signed`` those of the
    quarantined whose signature is wrong or missing, ``bodiless`` those of the unreadable that are POSTs in an access log,
    and ``elsewhere`` the other requests there. ``in_conflict`` counts rows with the source and id of an event that has other
    parameters, ``without_id`` the unsigned rows that have no id and so cannot be in conflict, ``missed`` by path the requests
    elsewhere that have ``f=tm``.
    """

    recorded: int = 0
    duplicate: int = 0
    quarantined: int = 0
    newly_quarantined: int = 0
    wrongly_signed: int = 0
    unreadable: int = 0
    bodiless: int = 0
    elsewhere: int = 0
    in_conflict: int = 0
    without_id: int = 0
    missed: dict[str, int] = msgspec.field(default_factory=dict)

    def note_missed(self, path: str) -> None:
        """Count a request to another path that has ``f=tm``; of a log full of odd paths only some are kept apart."""
        if path in self.missed or len(self.missed) < MISSED_PATHS_MAX:
            self.missed[path] = self.missed.get(path, 0) + 1

    @property
    def refused_all(self) -> bool:
        """Whether there were notices with a wrong signature, and nothing else."""
        return self.wrongly_signed == self.quarantined > 0 == self.recorded == self.duplicate


class ImportPipeline(msgspec.Struct, frozen=True):
    """The parts of an import: row to delivery, the recorder, reports of lines, and of progress.

    ``unreadable`` and ``in_conflict`` get the number of a line that cannot be read or recorded, and the reason.
    """

    delivery: Callable[[ImportedRow], Delivery]
    recorder: Recorder
    unreadable: Callable[[int, str], None]
    in_conflict: Callable[[int, str], None]
    progress: Callable[[], None] = lambda: None


def import_rows(items: Iterable[Item], way: ImportPipeline, summary: ImportSummary) -> None:
    """Record the rows of a file, and count their outcomes.

    Raises StoreUnavailable and ImportStopped; everything recorded until then is kept.
    """
    batch: list[_Line] = []
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


def _gather(batch: list[_Line], row: ImportedRow, way: ImportPipeline, summary: ImportSummary) -> None:
    try:
        delivery = way.delivery(row)
    except InvalidValue as error:
        _note(UnreadableRow(row.line, str(error)), way, summary)
        return
    summary.without_id += delivery.voucher is not None and row.id is None
    batch.append((row.line, delivery))


def _note(item: UnreadableRow | SkippedLine | MissedPath, way: ImportPipeline, summary: ImportSummary) -> None:
    if item is SkippedLine.BLANK:
        return
    if item is SkippedLine.ELSEWHERE or isinstance(item, MissedPath):
        summary.elsewhere += 1
        if isinstance(item, MissedPath):
            summary.note_missed(item.path)
        return
    summary.unreadable += 1
    if isinstance(item, UnreadableRow):
        way.unreadable(item.line, item.reason)
    else:
        summary.bodiless += 1


def _record(batch: list[_Line], way: ImportPipeline, summary: ImportSummary) -> None:
    answers = way.recorder.record([delivery for _, delivery in batch]) if batch else ()
    for (line, delivery), answer in zip(batch, answers, strict=True):
        _count(answer, summary)
        if isinstance(answer, RowConflict):
            way.in_conflict(line, _conflict(delivery, answer, way.recorder))
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
    elif isinstance(answer, RowConflict):
        summary.in_conflict += 1
    elif isinstance(answer, Rejected):
        raise ImportStopped(answer.reason)


def _conflict(delivery: Delivery, conflict: RowConflict, recorder: Recorder) -> str:
    """Return which event has the row's source and id, and what differs."""
    assert delivery.voucher is not None
    row = f"{shorten(delivery.voucher.row)} of {shorten(delivery.source)}"
    if not conflict.position:
        return f"{row} is an earlier row of this import with other parameters"
    first, now = recorder.parameters_at(conflict.position), dict(delivery.notification.pairs)
    changed = [name for name in {**first, **now} if first.get(name) != now.get(name)]
    told = ", ".join(f"{shorten(name)} was {_shown(first, name)} and is {_shown(now, name)}" for name in changed)
    return f"{row} was recorded at position {conflict.position} with other parameters: {told}"


def _shown(parameters: dict[str, str], name: str) -> str:
    return repr(shorten(parameters[name])) if name in parameters else "missing"
