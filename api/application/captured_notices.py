"""Captured notifications in the forms in which people have them: query strings, URLs, or lines of a notification log."""

from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from domain.errors import LedgerError
from domain.notices.signature_variants import CapturedNotice, parse_captured

CAPTURES_MAX = 1000
LINE_MAX_BYTES = 64 * 1024


class CapturedLine(msgspec.Struct):
    """A line of a notification log, as ``import`` reads them; only the raw query string is used here."""

    query: str


class Capture(msgspec.Struct, frozen=True):
    """One captured text: its line, and the notification or the problem with it."""

    line: int
    notice: CapturedNotice | None
    problem: str = ""


def read_captures(file: BinaryIO) -> Iterator[Capture]:
    """Read one notification per line; empty lines are ignored."""
    for number, line in enumerate(iter(lambda: file.readline(LINE_MAX_BYTES), b""), start=1):
        if line.strip():
            yield read_capture(line.strip(), number)


def read_capture(text: bytes, line: int = 1) -> Capture:
    """Read one notification in any of these forms."""
    try:
        return Capture(line, parse_captured(_query(text)))
    except (LedgerError, ValueError) as error:
        return Capture(line, None, str(error))


def _query(text: bytes) -> bytes:
    if text.startswith(b"{"):
        return msgspec.json.decode(text, type=CapturedLine).query.encode()
    path, mark, after = text.partition(b"?")
    return after if mark and b"=" not in path else text
