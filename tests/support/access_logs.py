"""Access logs as nginx and Apache write them, each with a hand of its own that escapes."""

import re
from datetime import UTC, datetime

from tests.support.notices import SECOND

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NOON = "15/Oct/2026:12:00:00 +0000"


def nginx(text: bytes) -> bytes:
    r"""Escape as nginx does: ``"``, ``\`` and whatever is no printable ASCII, as ``\xHH`` in upper case."""
    return re.sub(rb"[^ !#-\[\]-~]", lambda found: b"\\x%02X" % found[0][0], text)


def apache(text: bytes) -> bytes:
    r"""Escape as Apache does: ``\"``, ``\\``, the usual letters, and ``\xhh`` in lower case."""
    letters = dict(zip(b'"\\\b\n\r\t\v', b'"\\bnrtv', strict=True))

    def escaped(found: re.Match[bytes]) -> bytes:
        character = found[0][0]
        return bytes([92, letters[character]]) if character in letters else b"\\x%02x" % character

    return re.sub(rb"[^ !#-\[\]-~]", escaped, text)


def clock(received_at: str) -> str:
    """Return a time of a sample as a log has it: without its fraction."""
    read = datetime.fromisoformat(received_at).astimezone(UTC)
    return f"{read.day:02}/{MONTHS[read.month - 1]}/{read.year}:{read:%H:%M:%S} +0000"


def logged(request: bytes, time: str = NOON, *, user: bytes = b"-") -> bytes:
    """Return a line of the "combined" format."""
    return b'203.0.113.7 - %s [%s] "%s" 200 17 "-" "TringMe/1.0"\n' % (user, time.encode(), request)


def got(query: str | bytes, time: str = NOON, path: str = "/notify") -> bytes:
    """Return the line of a notification that came as a GET."""
    raw = query.encode() if isinstance(query, str) else query
    return logged(nginx(b"GET %s?%s HTTP/1.1" % (path.encode(), raw)), time)


def whole_second(at: int) -> int:
    """Return a moment in microseconds without the fraction of its second."""
    return at - at % SECOND
