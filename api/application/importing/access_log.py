"""Access logs: the requests to the notify path, with their times and query strings.

Of nginx and Apache "combined" or "common" lines; also lines of JSON, and W3C lines as IIS writes them. The kind is found line by line.

A signature covers the bytes that TringMe sent, so the escapes of these servers are undone here, and nothing else is changed.
The user name stands before the time and comes from outside, but cannot contain an unescaped quotation mark: the time is
right before the first quotation mark.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from api.application.importing import timestamps as moments
from api.application.importing import w3c_access_log as w3c
from api.application.importing.json_access_log import read_json_request, read_json_time
from api.application.importing.notify_path import NotifyPath, is_of_tringme
from api.application.importing.rows import ImportedRow, Item, MissedPath, SkippedLine, UnreadableRow, read_row
from domain import times
from domain.errors import NotANotification

_LINE = re.compile(
    rb'[^"]*\[([0-9]{2}/[A-Za-z]{3}/[0-9]{4}:[0-9:]{8} [+-][0-9]{4})\] "([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL
)
_ABSOLUTE = re.compile(rb"https?://[^/?]*", re.IGNORECASE)
_ESCAPED = re.compile(rb'\\(?:x([0-9A-Fa-f]{2})|([\\"abfnrtv]))')
_LETTERS = dict(zip(b'\\"abfnrtv', b'\\"\a\b\f\n\r\t\v', strict=True))


def access_log_rows(lines: Iterable[bytes], path: str) -> Iterator[Item]:
    """Return a row for each line: a notification if the line is a GET of the notify path, see NotifyPath."""
    log = _AccessLog(NotifyPath(path))
    for number, line in enumerate(lines, start=1):
        try:
            yield log.item(number, line)
        except (NotANotification, ValueError) as error:
            yield UnreadableRow(number, str(error))


def looks_like_access_log(line: bytes) -> bool:
    """Whether a line is one of an access log of any kind."""
    if line.startswith(b"#"):
        return line.startswith((w3c.FIELDS, b"#Software:", b"#Version:"))
    if line.lstrip().startswith(b"{"):
        try:
            return b"/" in read_json_request(line).request
        except ValueError:
            return False
    return _LINE.match(line) is not None


class _AccessLog:
    """Reads a log line by line; ``_fields`` are those of the W3C line that came last."""

    def __init__(self, wanted: NotifyPath) -> None:
        self._wanted = wanted
        self._fields: list[str] = []

    def item(self, number: int, line: bytes) -> Item:
        if not line.strip():
            return SkippedLine.BLANK
        if line.startswith(b"#"):
            if line.startswith(w3c.FIELDS):
                self._fields = w3c.read_fields(line)
            return SkippedLine.BLANK
        if self._fields:
            request, time = w3c.read_w3c_request(line, self._fields)
            return _item(number, self._wanted, request, lambda: times.parse(time))
        if line.lstrip().startswith(b"{"):
            request, time = read_json_request(line)
            return _item(number, self._wanted, request, lambda: read_json_time(time))
        found = _LINE.match(line)
        if found is None:
            msg = 'expected a line of an access log: ... [day/month/year:time zone] "request" ...'
            raise ValueError(msg)
        return _item(number, self._wanted, unescaped(found[2]), lambda: moments.read_log_time(found[1].decode()))


def _item(number: int, wanted: NotifyPath, request: bytes, time: Callable[[], int]) -> Item:
    method, _, rest = request.partition(b" ")
    if method not in (b"GET", b"POST"):
        return SkippedLine.ELSEWHERE
    path, query = _target(rest)
    if not wanted.takes(path):
        return MissedPath(path.decode(errors="replace")) if is_of_tringme(query) else SkippedLine.ELSEWHERE
    if method == b"POST":
        return SkippedLine.BODILESS
    return ImportedRow(number, read_row(query, time()))


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
