"""What a service and the process that makes its downloads say to each other, and the room that a file must leave on the disk."""

import os
from typing import NamedTuple

from api.application.masking import MASKS
from api.application.read_model_pool import ReadSession
from domain.errors import StoreUnavailable
from projections.queries.row_stream import RowStream
from projections.queries.selection import Selection

# Less must not be free where temporary files are, since the log of a service may be on the same disk; of a small one a twentieth.
ROOM_BYTES_MIN, ROOM_PART_MIN = 256 << 20, 20


class DownloadFailed(StoreUnavailable):
    """A file cannot be made now, or not to its end."""


class DownloadJob(NamedTuple):
    """What all downloads of a process have in common: the ledger's address and its id."""

    url: str
    ledger_id: str


class DownloadOrder(NamedTuple):
    """A file that is wanted; the descriptor into which it is written follows.

    ``past`` is the file of the read models of an earlier position, empty for the current ones. ``sort``, ``columns`` and ``excel_safe``
    are those of exports; ``is_masked`` hides what a user without the role ``pii`` must not see.
    """

    model: str
    selection: Selection
    form: str
    sort: str = ""
    columns: tuple[str, ...] = ()
    excel_safe: bool = False
    is_masked: bool = True
    past: str = ""

    def open_rows(self, room: ReadSession, timezone: str) -> RowStream:
        """Begin to read the rows of the file in a read session; ``timezone`` is the ledger's."""
        return RowStream(
            room.connection,
            self.model,
            self.selection,
            timezone,
            masks=MASKS if self.is_masked else None,
            sort=self.sort,
            columns=self.columns,
        )


class OrderStart(NamedTuple):
    """Make this file; answers name its number."""

    number: int
    order: DownloadOrder


class OrderEnd(NamedTuple):
    """Nobody wants the file of this number any more."""

    number: int


class FileBegun(NamedTuple):
    """The file shows the ledger at this position."""

    number: int
    position: int


class FileGrown(NamedTuple):
    """The file has this many bytes now."""

    number: int
    size: int


class FileEnded(NamedTuple):
    """The file is whole, or ``failure`` says why it never will be."""

    number: int
    failure: str = ""


FileAnswer = FileBegun | FileGrown | FileEnded


def check_room(descriptor: int) -> None:
    """Raise DownloadFailed if too little is free on the disk that holds an open file."""
    disk = os.fstatvfs(descriptor)
    free = disk.f_bavail * disk.f_frsize
    least = min(ROOM_BYTES_MIN, disk.f_blocks * disk.f_frsize // ROOM_PART_MIN)
    if free < least:
        msg = f"{free} bytes are free for temporary files: expected {least} or more"
        raise DownloadFailed(msg)


def write_whole(descriptor: int, part: bytes) -> int:
    """Write all of a part, and return how many bytes it has; raises OSError if the disk has no room for it."""
    rest = memoryview(part)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    return len(part)
