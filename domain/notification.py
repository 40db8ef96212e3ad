"""TringMe's notification on the wire: its parameters verbatim, checked against SPEC 1, and its delivery key (SPEC 2).

Parsing works on bytes: what a signature covers are the bytes that TringMe meant, even where they are no UTF-8.
"""

import hashlib
import re
from collections.abc import Iterator
from urllib.parse import quote, unquote_to_bytes

import msgspec

from domain.errors import NotANotification

PARAMETERS_MAX = 64
TEXT_LENGTH_MAX = 256
DURATIONS = ("srcduration", "destduration")
CHARGES = ("srccharge", "destcharge", "srcsipcharge", "destsipcharge")

_DURATION = re.compile(r"[0-9]{1,9}")
_CHARGE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_FORMS = {name: (_DURATION, "a whole number of seconds, 0 to 999999999") for name in DURATIONS} | {
    name: (_CHARGE, "a decimal, at most 9 digits before and 6 after the point") for name in CHARGES
}
_HEX_CASE = str.maketrans("ABCDEF", "abcdef")


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with one parameter: its name, its value, and what was expected instead."""

    name: str
    value: str
    expected: str

    def __str__(self) -> str:
        """Return the problem as one sentence."""
        return f"{self.name}={self.value!r}: expected {self.expected}"


class Notification(msgspec.Struct, frozen=True):
    """One notification as it came in.

    ``pairs`` are the decoded parameters in the order of delivery (bytes that are no UTF-8 as lone surrogates),
    ``received_at`` is in microseconds, UTC, and ``raw`` is the query string, or the query's and the body's, joined.
    """

    raw: bytes
    received_at: int
    pairs: list[tuple[str, str]]

    @property
    def key(self) -> bytes:
        """The delivery key: equal for the same notification, in whatever order its parameters came (SPEC 2)."""
        return delivery_key(self.pairs)

    def problem(self) -> Problem | None:
        """Return what breaks SPEC 1 first, in the order of delivery, or None."""
        return next(_problems(self.pairs), None)


def read(raw: bytes, received_at: int) -> Notification:
    """Read a query string or form body.

    Raises NotANotification without any parameter, with more than 64 of them, or where no ``f`` is ``tm``.
    """
    pairs = parse(raw)
    if len(pairs) > PARAMETERS_MAX:
        msg = f"{len(pairs)} parameters: expected at most {PARAMETERS_MAX}"
        raise NotANotification(msg)
    if ("f", "tm") not in pairs:
        given = next((value for name, value in pairs if name == "f"), None)
        msg = "no parameters" if not pairs else f"f={given!r}: expected tm" if given is not None else "no f: expected f=tm"
        raise NotANotification(msg)
    return Notification(raw, received_at, pairs)


def parse(raw: bytes) -> list[tuple[str, str]]:
    """Split ``application/x-www-form-urlencoded`` bytes into decoded pairs, in order."""
    pairs = []
    for segment in raw.split(b"&"):
        if segment:
            name, _, value = segment.partition(b"=")
            pairs.append((_decode(name), _decode(value)))
    return pairs


def _decode(text: bytes) -> str:
    if b"+" in text:
        text = text.replace(b"+", b" ")
    if b"%" in text:
        text = unquote_to_bytes(text)
    return text.decode(errors="surrogateescape")


def delivery_key(pairs: list[tuple[str, str]]) -> bytes:
    """Return the SHA-256 of the sorted pairs, percent-encoded and joined with ``&`` (SPEC 2), 32 bytes."""
    encoded = [
        f"{_encode(name)}={_encode(value.translate(_HEX_CASE) if name == 'sig' else value)}"
        for name, value in sorted(pairs, key=_sort_key)
    ]
    return hashlib.sha256("&".join(encoded).encode()).digest()


def _sort_key(pair: tuple[str, str]) -> tuple[str, str]:
    return (pair[0], pair[1].translate(_HEX_CASE)) if pair[0] == "sig" else pair


def _encode(text: str) -> str:
    # Most names and values need no encoding, and quote() takes eight times as long to find that out.
    return text if text.isascii() and text.isalnum() else quote(text, safe="", errors="surrogateescape")


def _problems(pairs: list[tuple[str, str]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for name, value in pairs:
        if name in seen:
            yield Problem(name, value, "each parameter once")
        seen.add(name)
        expected = _expected(name, value)
        if expected:
            yield Problem(name, value, expected)


def _expected(name: str, value: str) -> str:
    """Return what was expected instead of this value, or nothing where it is fit."""
    if name in _FORMS:
        form, expected = _FORMS[name]
        return "" if not value or form.fullmatch(value) else expected
    if not (name.isascii() and value.isascii()) and _has_broken_utf8(name + value):
        return "valid UTF-8"
    if "\0" in value or "\0" in name:
        return "no character U+0000"
    if name in ("tag", "src") and len(value) > TEXT_LENGTH_MAX:
        return f"at most {TEXT_LENGTH_MAX} characters"
    return ""


def _has_broken_utf8(text: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in text)
