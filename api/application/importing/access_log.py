"""Access logs of nginx and Apache, "combined" or "common": the requests to the notify path, with times and query strings.

A signature covers the bytes that TringMe sent, so the escapes of these servers are undone here, and nothing else is changed.
The user name stands before the time and comes from outside, but cannot contain an unescaped quotation mark: the time is
right before the first quotation mark.
"""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote_to_bytes

from api.application.importing import timestamps as moments
from api.application.importing.rows import ImportedRow, Item, SkippedLine, UnreadableRow, read_row
from domain.errors import NotANotification

_LINE = re.compile(
    rb'[^"]*\[([0-9]{2}/[A-Za-z]{3}/[0-9]{4}:[0-9:]{8} [+-][0-9]{4})\] "([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL
)
_ABSOLUTE = re.compile(rb"https?://[^/?]*", re.IGNORECASE)
_ESCAPED = re.compile(rb'\\(?:x([0-9A-Fa-f]{2})|([\\"abfnrtv]))')
_LETTERS = dict(zip(b'\\"abfnrtv', b'\\"\a\b\f\n\r\t\v', strict=True))


def access_log_rows(lines: Iterable[bytes], path: str) -> Iterator[Item]:
    """Return a row for each line: a notification if the line is a GET of the notify path."""
    wanted = path.encode()
    for number, line in enumerate(lines, start=1):
        try:
            yield _item(number, line, wanted)
        except (NotANotification, ValueError) as error:
            yield UnreadableRow(number, str(error))


def _item(number: int, line: bytes, wanted: bytes) -> Item:
    if not line.strip():
        return SkippedLine.BLANK
    found = _LINE.match(line)
    if found is None:
        msg = 'expected a line of an access log: ... [day/month/year:time zone] "request" ...'
        raise ValueError(msg)
    method, _, rest = unescaped(found[2]).partition(b" ")
    if method not in (b"GET", b"POST"):
        return SkippedLine.ELSEWHERE
    path, query = _target(rest)
    if path != wanted and unquote_to_bytes(path) != wanted:
        return SkippedLine.ELSEWHERE
    if method == b"POST":
        return SkippedLine.BODILESS
    return ImportedRow(number, read_row(query, moments.read_log_time(found[1].decode())))


def _target(rest: bytes) -> tuple[bytes, bytes]:
    """Return the path and query from the target and protocol; careless clients leave spaces in the target."""
    target = rest.rpartition(b" HTTP/")[0] or rest
    if not target.startswith(b"/"):
        target = _ABSOLUTE.sub(b"", target, count=1)
    path, _, query = target.partition(b"?")
    return path or b"/", query


def unescaped(text: bytes) -> bytes:
    r"""Undo what nginx (``\xHH``) and Apache (that, and ``\"``, ``\\``, ``\n`` …) escape in a log."""
    return _ESCAPED.sub(_character, text) if b"\\" in text else text


def _character(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16) if found[1] else _LETTERS[found[2][0]]])
