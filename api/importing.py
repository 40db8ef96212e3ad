"""Import of notification logs: lines of NDJSON become deliveries, with the same checks and keys as callbacks.

Importing is idempotent, and so it is resumable: run it again, and what is there already counts as duplicate.
"""

import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

import msgspec

from api.pace import Pace
from domain import times
from domain.answers import Answer, Duplicate, Quarantined, Recorded, Unkept
from domain.errors import LedgerError, NotANotification
from domain.ledger import Ledger
from domain.notification import SIZE_MAX_BYTES
from domain.recording import Delivery

LINE_MAX_BYTES = 1024 * 1024


class Row(msgspec.Struct):
    """A line of the file: ``received_at`` in UTC, ISO 8601, and ``query``, the raw query string."""

    received_at: str
    query: str


class ImportStopped(LedgerError):
    """The quarantine is full and may drop nothing, so the import stops; what came before is kept."""


class Summary(msgspec.Struct):
    """What became of the lines: ``kept_aside`` counts those of the quarantined that it did not hold before."""

    recorded: int = 0
    duplicate: int = 0
    quarantined: int = 0
    kept_aside: int = 0
    unreadable: int = 0

    @property
    def lines(self) -> int:
        """How many lines were read."""
        return self.recorded + self.duplicate + self.quarantined + self.unreadable


Report = Callable[[int, str], None]
Progress = Callable[[int, Summary], None]

_decode = msgspec.json.Decoder(Row).decode


def import_lines(
    ledger: Ledger, file: BinaryIO, name: str, *, unreadable: Report, progress: Progress = lambda _bytes, _summary: None
) -> Summary:
    """Record the notifications of a file and return what became of them.

    ``unreadable`` is told the number of each line that cannot be read, and why; ``progress`` how many bytes were read.
    Raises StoreUnavailable and ImportStopped; what was recorded until then is kept.
    """
    summary, batch, read = Summary(), list[Delivery](), 0
    pace = Pace(ledger.head)
    for number, line in enumerate(_lines(file), start=1):
        read += len(line)
        try:
            batch.append(_inspect(ledger, line, f"import:{name}"))
        except (LedgerError, ValueError) as error:
            summary.unreadable += 1
            unreadable(number, str(error))
        if len(batch) >= pace.batch_size:
            _record(ledger, batch, summary, pace)
            batch = []
            progress(read, summary)
    _record(ledger, batch, summary, pace)
    progress(read, summary)
    return summary


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Read line by line; of one that is longer than any notification can be, only the beginning."""
    while line := file.readline(LINE_MAX_BYTES):
        yield line
        while len(line) == LINE_MAX_BYTES and not line.endswith(b"\n"):
            line = file.readline(LINE_MAX_BYTES)


def _inspect(ledger: Ledger, line: bytes, source: str) -> Delivery:
    try:
        row = _decode(line)
        raw = row.query.encode()
    except (msgspec.DecodeError, UnicodeError) as error:
        msg = f"expected a JSON object with received_at and query: {error}"
        raise ValueError(msg) from None
    if len(raw) > SIZE_MAX_BYTES:
        msg = f"the query has {len(raw)} bytes: expected at most {SIZE_MAX_BYTES}"
        raise NotANotification(msg)
    return ledger.inspect(raw, times.parse(row.received_at), source)


def _record(ledger: Ledger, batch: list[Delivery], summary: Summary, pace: Pace) -> None:
    before, begun = summary.recorded, time.monotonic()
    for answer in ledger.record(batch) if batch else ():
        _count(answer, summary)
    pace.after(summary.recorded - before, time.monotonic() - begun)


def _count(answer: Answer, summary: Summary) -> None:
    if isinstance(answer, Recorded):
        summary.recorded += 1
    elif isinstance(answer, Duplicate):
        summary.duplicate += 1
    elif isinstance(answer, Quarantined):
        summary.quarantined += 1
        summary.kept_aside += answer.is_new
    elif isinstance(answer, Unkept):
        raise ImportStopped(answer.reason)
