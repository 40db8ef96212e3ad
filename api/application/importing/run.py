"""An import from its files to its summary: each file's rows are taken in turn, under the name of their source."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import msgspec

from api.application.importing.batches import Record, Summary, Way, take
from api.application.importing.files import File
from api.application.importing.key_counter import Tally
from api.application.importing.rows import Format, Row
from api.application.importing.vouched_rows import Vouch, delivery_of
from domain.notices.signature import Keyring
from domain.recording import Delivery

OBJECTS_BETWEEN_COLLECTIONS = 100_000

Report = Callable[[str], None]
Progress = Callable[[int], None]


class Import(msgspec.Struct, frozen=True):
    """How files are imported: their format, by whose word (a keyring's, or a person's), what records, and who hears of it.

    ``source`` names what they come from, else each file does. ``report`` is told each line that cannot be read, and
    ``progress`` how many bytes of all files have been.
    """

    rows: Format
    proof: Keyring | Vouch
    record: Record
    report: Report
    source: str | None = None
    progress: Progress = lambda _bytes: None


def run(how: Import, files: Sequence[File]) -> Summary:
    """Record what files hold and return what became of it.

    Raises StoreUnavailable, ImportStopped and WrongTable; what was recorded until then is kept.
    """
    summary, done = Summary(), 0
    with _seldom_collecting():
        for file in files:
            done = _take(how, file, done, summary)
    return summary


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Let the interpreter look for cycles of garbage now and then only: rows and events are in none."""
    usual = gc.get_threshold()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _take(how: Import, file: File, done: int, summary: Summary) -> int:
    """Take one file, and return how many bytes have been read, ``done`` before it among them."""
    with file.open() as opened, Tally() as equals:
        way = Way(
            partial(_delivery, how.proof, f"import:{how.source or file.name}", equals),
            how.record,
            lambda line, reason: how.report(f"{file.name}, line {line} is unreadable: {reason}"),
            lambda: how.progress(done + opened.bytes_read()),
        )
        take(how.rows(opened.lines), way, summary)
        return done + opened.bytes_read()


def _delivery(proof: Keyring | Vouch, source: str, equals: Tally, row: Row) -> Delivery:
    if isinstance(proof, Keyring):
        return Delivery(row.notification, proof.verify(row.notification.pairs), source)
    return delivery_of(row, source, proof, equals)
