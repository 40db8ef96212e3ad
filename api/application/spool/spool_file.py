"""A spool file on a disk: one process has it, and what it has written is on disk before anybody hears of it.

Beside it a file `.done` tells up to which offset its records are in the log. Both are readable for their owner alone, since
notifications hold numbers.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count, islice
from pathlib import Path

from api.application.spool.done_mark import DoneMark
from api.application.spool.spool_format import (
    CHUNK_BYTES,
    HEADER_BYTES,
    MAGIC,
    PlacedRecord,
    SpoolRecord,
    decode_header,
    encode_header,
    encode_record,
    has_record_after,
    read_records,
)
from domain.errors import Unavailable, WrongUsage
from domain.private_files import OWNER_ONLY, open_new
from projections.atomic_file import sync_to_disk

SUFFIX = ".spool"
# How the name ends of a file with callbacks that cannot be recorded.
ASIDE = "-aside"


class SpoolUnusable(Unavailable):
    """A spool file cannot be read or written at present; what it has stays in it."""


class SpoolLocked(Unavailable):
    """Another process has the spool file."""


class ForeignSpool(WrongUsage):
    """The file is no spool, or that of another ledger."""


class SpoolFile:
    """A spool file that this process has, open and locked.

    ``size`` is up to where it was written and synced, ``done`` up to where its records are in the log, both in bytes from
    its start. ``cut`` is how many bytes were cut off its end when it was opened: the rest of a write that was never answered.
    """

    def __init__(self, path: Path, ledger_id: str) -> None:
        """Open the spool file of a ledger, or make an empty one.

        Everything from the first record that is short or damaged is cut off; if a whole record follows it, which no crash
        leaves behind, it is kept in a file beside. Raises SpoolLocked, ForeignSpool, and SpoolUnusable where the disk fails.
        """
        self.path = path
        self._ledger_id = ledger_id
        self._mark = DoneMark(path.with_suffix(".done"))
        self.size = self.done = HEADER_BYTES
        self.cut = 0
        self.is_trusted = False
        with self._mapped("opened"):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
            try:
                self._lock()
                self._check_owner()
                self._recover()
            except BaseException:
                os.close(self._file)
                raise
        self.is_trusted = True

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had it may have removed it before this process got the lock.
            is_same = self.path.exists() and os.path.samestat(self.path.stat(), os.fstat(self._file))
        except BlockingIOError:
            is_same = False
        if not is_same:
            msg = f"the spool {self.path} is in use: another process has it"
            raise SpoolLocked(msg)

    def _check_owner(self) -> None:
        owner = decode_header(os.pread(self._file, HEADER_BYTES, 0))
        if owner is None and os.fstat(self._file).st_size > HEADER_BYTES:
            msg = f"the file {self.path} is no spool: expected it to begin with {MAGIC}"
            raise ForeignSpool(msg)
        if owner not in (None, self._ledger_id):
            msg = f"the spool {self.path} belongs to the ledger {owner}; expected one of the ledger {self._ledger_id}"
            raise ForeignSpool(msg)

    def _recover(self) -> None:
        if decode_header(os.pread(self._file, HEADER_BYTES, 0)) is None:
            # No record is ever written before the header is on disk; a mark that is here was left by an earlier file.
            if self._mark.path.exists():
                self._mark.write(HEADER_BYTES)
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, encode_header(self._ledger_id), 0)
            os.fsync(self._file)
            sync_to_disk(self.path.parent)
            return
        written, noted = os.fstat(self._file).st_size, self._mark.read() or HEADER_BYTES
        self.size = written
        ends = {HEADER_BYTES}
        end = HEADER_BYTES
        for placed in self.records(HEADER_BYTES):
            end = placed.end
            if end == noted:
                ends.add(end)
        self.size = end
        # A mark from before the file was emptied means nothing: to replay a record twice changes nothing.
        self.done = noted if noted in ends else HEADER_BYTES
        if self.done != noted:
            self._mark.write(self.done)
        self._cut_off(written)

    def _cut_off(self, written: int) -> None:
        self.cut = written - self.size
        if not self.cut:
            return
        if has_record_after(os.pread(self._file, CHUNK_BYTES, self.size)):
            self._keep_damaged(written)
        os.ftruncate(self._file, self.size)
        os.fsync(self._file)

    def _keep_damaged(self, written: int) -> None:
        names = (self.path.with_suffix(f".damaged-{number}") for number in count(1))
        path = next(name for name in names if not name.exists())
        with os.fdopen(open_new(path), "wb") as kept:
            for start in range(self.size, written, CHUNK_BYTES):
                kept.write(os.pread(self._file, CHUNK_BYTES, start))
            kept.flush()
            os.fsync(kept.fileno())
        sync_to_disk(path.parent)

    def records(self, start: int) -> Iterator[PlacedRecord]:
        """Yield the records from an offset on; raises OSError."""
        return read_records(lambda at, most: os.pread(self._file, max(min(most, self.size - at), 0), at), start)

    def append(self, records: Sequence[SpoolRecord]) -> None:
        """Write records behind the others, and return once they are on disk.

        Raises SpoolUnusable; then none of them is there, and the file must be opened anew before it is written again.
        """
        data = b"".join(map(encode_record, records))
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(self._file, data[written:], self.size + written)
            os.fdatasync(self._file)
        except OSError as error:
            self.is_trusted = False
            with suppress(OSError):
                os.ftruncate(self._file, self.size)
            raise self._unusable("written", error) from error
        self.size += len(data)

    @property
    def holds(self) -> bool:
        """Whether it has records that are not noted as being in the log."""
        return self.done < self.size

    def next_batch(self, most: int) -> list[PlacedRecord]:
        """Return the first records, at most so many, that are not in the log yet; raises SpoolUnusable."""
        with self._mapped("read"):
            batch = list(islice(self.records(self.done), most))
        if self.holds and not batch:
            msg = f"the spool {self.path} has a record at byte {self.done} that was whole and no longer is"
            raise SpoolUnusable(msg)
        return batch

    def mark_done(self, batch: Sequence[PlacedRecord]) -> None:
        """Note that the first records are in the log; once all are, the file is emptied. Raises SpoolUnusable."""
        self.done = batch[-1].end
        with self._mapped("written"):
            if self.holds or not self.is_trusted:
                self._mark.write(self.done)
                return
            self.is_trusted = False  # Until the mark fits the file again.
            os.ftruncate(self._file, HEADER_BYTES)
            os.fsync(self._file)
            self.size = self.done = HEADER_BYTES
            self._mark.write(HEADER_BYTES)
            self.is_trusted = True

    def set_aside(self, records: Sequence[SpoolRecord]) -> Path:
        """Move records that cannot be recorded to a spool beside this one, which nobody drains unasked; return its path."""
        if self.path.stem.endswith(ASIDE):
            msg = f"{len(records)} callbacks in {self.path} cannot be recorded; the log says why"
            raise SpoolUnusable(msg)
        path = self.path.with_name(f"{self.path.stem}{ASIDE}{SUFFIX}")
        aside = SpoolFile(path, self._ledger_id)
        try:
            aside.append(records)
        finally:
            aside.close()
        return path

    def remove_if_empty(self) -> None:
        """Remove the file, unless it has records; raises SpoolUnusable."""
        if self.holds:
            return
        with self._mapped("removed"):
            self.path.unlink(missing_ok=True)
            self._mark.path.unlink(missing_ok=True)
            sync_to_disk(self.path.parent)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    @contextmanager
    def _mapped(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._unusable(what, error) from error

    def _unusable(self, what: str, error: OSError) -> SpoolUnusable:
        return SpoolUnusable(f"the spool {self.path} cannot be {what}: {error.strerror or type(error).__name__}")
