"""What a spool file holds, counted without taking it from the process that has it."""

import fcntl
import os
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from api.application.spool.done_mark import DoneMark
from api.application.spool.spool_file import SpoolUnusable
from api.application.spool.spool_format import HEADER_BYTES, PAYLOAD_BYTES_MAX, decode_header

_LENGTH = Struct(">I")
_MOMENT = Struct(">Q")
_PREFIX_BYTES = 8
_PAYLOAD_BYTES_MIN = 40


class SpoolContents(NamedTuple):
    """What waits in one spool file.

    ``ledger`` is the id in its header, None if it is no spool. ``bytes`` are those of the callbacks that wait, ``oldest_at`` is when the
    first of them came (microseconds, UTC).
    """

    path: Path
    ledger: str | None
    callbacks: int
    bytes: int
    oldest_at: int | None


def scan_spool(path: Path) -> SpoolContents | None:
    """Return what a file holds; None where it is gone. Raises SpoolUnusable.

    Checksums are not computed: a record that is being written may be counted, or not.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        return _scanned(path, file)
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(file)


def _scanned(path: Path, file: int) -> SpoolContents:
    ledger = decode_header(os.pread(file, HEADER_BYTES, 0))
    if ledger is None:
        return SpoolContents(path, None, 0, 0, None)
    size, done = os.fstat(file).st_size, DoneMark(path.with_suffix(".done")).read() or HEADER_BYTES
    start = done if done <= size else HEADER_BYTES
    data = os.pread(file, size - start, start)
    callbacks, end = _count_records(data)
    oldest = _MOMENT.unpack_from(data, _PREFIX_BYTES)[0] if callbacks else None
    return SpoolContents(path, ledger, callbacks, end, oldest)


def _count_records(data: bytes) -> tuple[int, int]:
    """Return how many records these bytes begin with, and the index behind the last."""
    found = at = 0
    while at + _PREFIX_BYTES <= len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        end = at + _PREFIX_BYTES + length
        if not _PAYLOAD_BYTES_MIN <= length <= PAYLOAD_BYTES_MAX or end > len(data):
            break
        found, at = found + 1, end
    return found, at


def is_in_use(path: Path) -> bool:
    """Whether a process has a spool file; a file that is gone is in nobody's use. Raises OSError.

    A process that opens the file at this very moment takes another one.
    """
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def _unreadable(path: Path, error: OSError) -> SpoolUnusable:
    return SpoolUnusable(f"the spool {path} cannot be read: {error.strerror or type(error).__name__}")
