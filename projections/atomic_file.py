"""Write a file as a whole or not at all: under a temporary name in the same directory, then renamed.

Readers see the old file or the new one, never half of either, whatever goes wrong.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from domain.errors import Unavailable
from domain.private_files import open_new

PREFIX = ".tringledger-export-"


class NotWritten(Unavailable):
    """A file could not be written; a file that existed before is unchanged."""


@contextmanager
def write_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces the one at a path once all is written; on any failure nothing changes. Raises OSError."""
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    temporary = target.with_name(f"{PREFIX}{secrets.token_hex(8)}")
    try:
        with os.fdopen(open_new(temporary), "wb") as file:
            if target.exists():
                os.fchmod(file.fileno(), target.stat().st_mode & 0o777)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    sync_to_disk(target.parent)


@contextmanager
def map_write_errors(path: Path, what: str) -> Iterator[BinaryIO]:
    """Open a file as ``write_whole`` does; raises NotWritten, naming ``what`` could not be written."""
    try:
        with write_whole(path) as file:
            yield file
    except OSError as error:
        msg = f"{what} cannot be written to {path}: {error.strerror or error}"
        raise NotWritten(msg) from error


def sync_to_disk(path: Path) -> None:
    """Flush a file's content, or a directory's names, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
