"""NDJSON: one JSON object per line, with ``received_at`` (ISO 8601 with its offset) and ``query`` (the raw query string)."""

from collections.abc import Iterable, Iterator

import msgspec

from api.application.importing.rows import ImportedRow, Item, SkippedLine, UnreadableRow, read_row
from domain import times
from domain.errors import NotANotification
from domain.notices.notification import Notification


class _Line(msgspec.Struct):
    received_at: str
    query: str


_decode = msgspec.json.Decoder(_Line).decode


def ndjson_rows(lines: Iterable[bytes]) -> Iterator[Item]:
    """Return a row for each line."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            yield SkippedLine.BLANK
            continue
        try:
            yield ImportedRow(number, _notification(line))
        except (NotANotification, ValueError) as error:
            yield UnreadableRow(number, str(error))


def _notification(line: bytes) -> Notification:
    try:
        row = _decode(line)
        raw = row.query.encode()
    except (msgspec.DecodeError, UnicodeError) as error:
        msg = f"expected a JSON object with received_at and query: {error}"
        raise ValueError(msg) from None
    return read_row(raw, times.parse(row.received_at))
