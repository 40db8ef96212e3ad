"""What a format makes of a file: rows to record, lines that cannot be read, and requests that are passed over.

A format is a function from a file's lines to these; everything behind it is the same for all formats.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import Enum

import msgspec

from domain.errors import NotANotification, WrongUsage
from domain.notices import notification
from domain.notices.notification import SIZE_MAX_BYTES, Notification


class WrongTable(WrongUsage):
    """The table's header cannot be read, lacks what the import needs, or holds what it was told that there is not."""


class ImportedRow(msgspec.Struct, frozen=True):
    """A notification, the number of the line on which it begins, and the row's id where the file has such."""

    line: int
    notification: Notification
    id: str | None = None


class UnreadableRow(msgspec.Struct, frozen=True):
    """A line that holds no notification, and why."""

    line: int
    reason: str


class SkippedLine(Enum):
    """A line of an access log from which no notification could ever be read."""

    ELSEWHERE = "a request to another path, or by another method than GET and POST"
    BLANK = "nothing: people who put logs together leave such lines between them"
    BODILESS = "a POST: its body, and so the notification, is in no access log"


Item = ImportedRow | UnreadableRow | SkippedLine
Format = Callable[[Iterable[bytes]], Iterator[Item]]


def read_row(raw: bytes, received_at: int) -> Notification:
    """Read a query string; raises NotANotification also for one that is longer than the service would take."""
    if len(raw) > SIZE_MAX_BYTES:
        msg = f"the query has {len(raw)} bytes: expected at most {SIZE_MAX_BYTES}"
        raise NotANotification(msg)
    return notification.read_notification(raw, received_at)
