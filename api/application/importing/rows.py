"""What a format reads from a file: rows to record, unreadable lines, and skipped requests.

A format is a function from a file's lines to these; everything after it is the same for all formats.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import Enum

import msgspec

from domain.errors import NotANotification, WrongUsage
from domain.notices import notification
from domain.notices.notification import SIZE_MAX_BYTES, Notification

NDJSON, ACCESS_LOG, CSV = "ndjson", "access-log", "csv"


class WrongTable(WrongUsage):
    """The header of a table cannot be read, lacks a needed column, or has a column that the options exclude."""


class ImportedRow(msgspec.Struct, frozen=True):
    """A notification, the number of the line where it begins, and the id of the row, if the file has ids."""

    line: int
    notification: Notification
    id: str | None = None


class UnreadableRow(msgspec.Struct, frozen=True):
    """A line without a notification, and the reason."""

    line: int
    reason: str


class SkippedLine(Enum):
    """A line of an access log that is not a notification."""

    ELSEWHERE = "a request to another path, or by another method than GET and POST"
    BLANK = "nothing: people who put logs together leave such lines between them"
    BODILESS = "a POST: its body, and so the notification, is in no access log"


class MissedPath(msgspec.Struct, frozen=True):
    """A request of an access log to another path that has ``f=tm``, so that it may be a notification."""

    path: str


Item = ImportedRow | UnreadableRow | SkippedLine | MissedPath
Format = Callable[[Iterable[bytes]], Iterator[Item]]


def read_row(raw: bytes, received_at: int) -> Notification:
    """Read a query string; raises NotANotification also if it is longer than the service accepts."""
    if len(raw) > SIZE_MAX_BYTES:
        msg = f"the query has {len(raw)} bytes: expected at most {SIZE_MAX_BYTES}"
        raise NotANotification(msg)
    return notification.read_notification(raw, received_at)
