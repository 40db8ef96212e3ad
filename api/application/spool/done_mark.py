"""The mark beside a spool file: up to which offset its records are in the log.

A mark that is lost or torn counts as none: records are then replayed that the log has, which changes nothing.
"""

import os
from pathlib import Path

from api.application.spool.spool_format import decode_done, encode_done
from domain.private_files import OWNER_ONLY
from projections.atomic_file import sync_to_disk

READ_BYTES = 64


class DoneMark:
    """The mark in a file, which need not exist."""

    def __init__(self, path: Path) -> None:
        """Use the file at a path."""
        self.path = path

    def read(self) -> int | None:
        """Return the offset; None where there is no mark, or a torn one. Raises OSError."""
        try:
            file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            return decode_done(os.read(file, READ_BYTES))
        finally:
            os.close(file)

    def write(self, offset: int) -> None:
        """Write the offset, and return once it is on disk; raises OSError."""
        is_new = not self.path.exists()
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
        try:
            os.pwrite(file, encode_done(offset), 0)
            os.fdatasync(file)
        finally:
            os.close(file)
        if is_new:
            sync_to_disk(self.path.parent)
