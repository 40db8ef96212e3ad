"""An import from its files to its summary: file after file, each under the name of its source."""

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from api.application.importing.batches import ImportPipeline, ImportSummary, Recorder, import_rows
from api.application.importing.files import ImportFile
from api.application.importing.key_counter import KeyCounter
from api.application.importing.rows import Format, ImportedRow
from api.application.importing.vouched_rows import RowVoucher, vouched_row_delivery
from domain.garbage_collection import collecting_rarely
from domain.notices.signature import Keyring
from domain.recording import Delivery

Report = Callable[[str], None]
Progress = Callable[[int], None]


class ImportRun(msgspec.Struct, frozen=True):
    """How files are imported: their format, what proves the rows (a keyring, or a person who vouches), and what records them.

    ``source`` names what they come from, else each file does. ``report`` is told each line that cannot be read, and
    ``progress`` how many bytes of all files have been.
    """

    rows: Format
    proof: Keyring | RowVoucher
    recorder: Recorder
    report: Report
    source: str | None = None
    progress: Progress = lambda _bytes: None


def run_import(how: ImportRun, files: Sequence[ImportFile]) -> ImportSummary:
    """Record the rows of files, and return how many had which outcome.

    Raises StoreUnavailable, ImportStopped and InvalidTable; everything recorded until then is kept.
    """
    summary, done = ImportSummary(), 0
    with collecting_rarely():
        for file in files:
            done = _take(how, file, done, summary)
    return summary


def _take(how: ImportRun, file: ImportFile, done: int, summary: ImportSummary) -> int:
    """Import one file, and return the number of bytes read so far, including ``done`` before it."""
    with file.open() as opened, KeyCounter() as equals:
        way = ImportPipeline(
            partial(_delivery, how.proof, f"import:{how.source or file.name}", equals),
            how.recorder,
            lambda line, reason: how.report(f"{file.name}, line {line} is unreadable: {reason}"),
            lambda line, reason: how.report(f"{file.name}, line {line} is in conflict, and not recorded: {reason}"),
            lambda: how.progress(done + opened.bytes_read()),
        )
        import_rows(how.rows(opened.lines), way, summary)
        return done + opened.bytes_read()


def _delivery(proof: Keyring | RowVoucher, source: str, equals: KeyCounter, row: ImportedRow) -> Delivery:
    if isinstance(proof, Keyring):
        return Delivery(row.notification, proof.verify(row.notification.pairs), source)
    return vouched_row_delivery(row, source, proof, equals)
