"""TringMe's notification on the wire: its parameters verbatim, checked against SPEC 1, and its delivery key (SPEC 2).

Parsing works on bytes: what a signature covers are the bytes that TringMe meant, even where they are no UTF-8.
"""

import hashlib
import re
from collections.abc import Iterator
from urllib.parse import quote, unquote_to_bytes, urlencode

import msgspec

from domain.amounts import ONE, millionths
from domain.errors import NotANotification
from domain.notices.line_number import hide_password
from domain.text import escape_undecodable

PARAMETERS_MAX = 64
TEXT_LENGTH_MAX = 256
SHOWN_LENGTH_MAX = 80
# The content type of a body with parameters.
FORM = "application/x-www-form-urlencoded"
SIZE_MAX_BYTES = 16 * 1024
DURATIONS = ("srcduration", "destduration")
# How the row of a table with ids begins in a Voucher.
ROW_ID = "id="
CHARGES = ("srccharge", "destcharge", "srcsipcharge", "destsipcharge")

_SECONDS = "a whole number of seconds, 0 to 999999999"
_WHOLE_SECONDS = re.compile(r"([0-9]{1,9})?")
_PLAIN_AMOUNT = re.compile(r"([0-9]{1,9}(\.[0-9]{1,6})?)?")
# As programs print floats (SPEC 9.1).
_LONG_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?")
_AMOUNT_MAX = 10**9 * ONE
_AMOUNT = "a decimal below 1000000000, with at most 9 digits before and 30 after the point"


def _is_duration(value: str) -> bool:
    return _WHOLE_SECONDS.fullmatch(value) is not None


def _is_charge(value: str) -> bool:
    if _PLAIN_AMOUNT.fullmatch(value):
        return True
    return _LONG_AMOUNT.fullmatch(value) is not None and millionths(value) < _AMOUNT_MAX


_FORMS = dict.fromkeys(DURATIONS, (_is_duration, _SECONDS)) | dict.fromkeys(CHARGES, (_is_charge, _AMOUNT))
_TEXTS = ("tag", "src")
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_UNRESERVED = re.compile(r"[A-Za-z0-9_.~=&-]*")
_HEX_CASE = str.maketrans("ABCDEF", "abcdef")
# Those of them that separate nothing.
_UNRESERVED_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.~-"
# All numbers of a notice, as most have them: what does not match may still be valid.
_PLAIN_NUMBERS = re.compile(
    ",".join([f"(?:{_WHOLE_SECONDS.pattern})"] * len(DURATIONS) + [f"(?:{_PLAIN_AMOUNT.pattern})"] * len(CHARGES))
)


class ParameterProblem(msgspec.Struct, frozen=True):
    """A problem with one parameter: its name, its value, and what was expected instead.

    Name and value are as they can be shown: not endless, and bytes that are no UTF-8 in hexadecimal.
    """

    name: str
    value: str
    expected: str

    def __str__(self) -> str:
        """Return the problem as one sentence, without U+0000, which not every store accepts in a text."""
        name = self.name.replace("\0", "\\x00")
        return f"{name}={self.value!r}: expected {self.expected}"


def shorten(text: str) -> str:
    """Return a received text in a form to show: at most 80 characters, and bytes that are not UTF-8 in hexadecimal."""
    whole = escape_undecodable(text)
    return whole if len(whole) <= SHOWN_LENGTH_MAX else whole[:SHOWN_LENGTH_MAX] + "…"


class Notification(msgspec.Struct, frozen=True):
    """One notification as it was received.

    ``pairs`` are the decoded parameters in the order of delivery (bytes that are no UTF-8 as lone surrogates),
    ``received_at`` is in microseconds, UTC, and ``raw`` is the query string, or the query's and the body's, joined.
    """

    raw: bytes
    received_at: int
    pairs: list[tuple[str, str]]

    @property
    def key(self) -> bytes:
        """The delivery key: equal for the same notification, in whatever order its parameters came (SPEC 2)."""
        plain = _canonical_bytes(self.raw, len(self.pairs))
        return delivery_key(self.pairs) if plain is None else hashlib.sha256(plain).digest()

    def problem(self) -> ParameterProblem | None:
        """Return the first problem by SPEC 1, in the order of delivery, or None."""
        # Most notices are ASCII with nothing encoded; none of their texts can be invalid.
        # Bytes are counted, and not looked for with `in`: that takes Python 3.11 ten times as long.
        is_plain = self.raw.isascii() and not self.raw.count(b"%") and not self.raw.count(b"\0")
        if is_plain and _is_valid(self.pairs):
            return None
        return next(_problems(self.pairs, is_plain=is_plain), None)


def read_notification(raw: bytes, received_at: int) -> Notification:
    """Read a query string or form body.

    Raises NotANotification without any parameter, with more than 64 of them, or where no ``f`` is ``tm``.
    """
    pairs = parse_pairs(raw)
    if len(pairs) > PARAMETERS_MAX:
        msg = f"{len(pairs)} parameters: expected at most {PARAMETERS_MAX}"
        raise NotANotification(msg)
    if ("f", "tm") not in pairs:
        given = next((value for name, value in pairs if name == "f"), None)
        msg = (
            "no parameters"
            if not pairs
            else f"f={given!r}: expected tm"
            if given is not None
            else "no f: expected f=tm"
        )
        raise NotANotification(msg)
    return Notification(raw, received_at, pairs)


def parse_pairs(raw: bytes) -> list[tuple[str, str]]:
    """Split ``application/x-www-form-urlencoded`` bytes into decoded pairs, in order."""
    whole = raw.decode(errors="surrogateescape")
    pairs = [segment.partition("=")[::2] for segment in whole.split("&") if segment]
    if "%" in whole or "+" in whole:
        return [(_decoded(name), _decoded(value)) for name, value in pairs]
    return pairs


def _decoded(text: str) -> str:
    if "%" in text or "+" in text:
        encoded = text.replace("+", " ").encode(errors="surrogateescape")
        return unquote_to_bytes(encoded).decode(errors="surrogateescape")
    return text


def encode_query(pairs: list[tuple[str, str]]) -> bytes:
    """Return pairs as a query string, encoded as TringMe does; ``parse_pairs`` reads it back."""
    text = _plain(pairs)
    return (urlencode(pairs, errors="surrogateescape") if text is None else text).encode()


def delivery_key(pairs: list[tuple[str, str]]) -> bytes:
    """Return the SHA-256 of the sorted pairs, percent-encoded and joined with ``&`` (SPEC 2), 32 bytes."""
    return hashlib.sha256(_canonical(pairs).encode()).digest()


def unsigned_key(pairs: list[tuple[str, str]], source: str, row: str) -> bytes:
    """Return the delivery key of a row without a signature; it also covers the source and the row within it.

    So two equal calls stay two. The SHA-256 of ``unsigned``, the source, the row (both percent-encoded) and the pairs as
    above, joined with U+0000: as percent-encoded text has none, no signed notification ever has the same key.
    """
    text = "\0".join(["unsigned", _encode(source), _encode(row), _canonical(pairs)])
    return hashlib.sha256(text.encode()).digest()


def row_claim(source: str, row: str) -> str | None:
    """Return what the row of a table claims in place of a signature (SPEC 9.6); None for a row without an id.

    ``row`` is as in Voucher. The claim covers the source and the id alone, so other parameters make the same one. A
    signature is hexadecimal digits, so no claim equals one.
    """
    if not row.startswith(ROW_ID):
        return None
    return "row:" + hashlib.sha256(f"{_encode(source)}\0{_encode(row)}".encode()).hexdigest()


def _canonical(pairs: list[tuple[str, str]]) -> str:
    # A signature that is in lower case stays as it is.
    folded = sorted(
        [
            (pair[0], pair[1].translate(_HEX_CASE)) if pair[0] == "sig" and not pair[1].islower() else pair
            for pair in pairs
        ]
    )
    text = _plain(folded)
    return "&".join([f"{_encode(name)}={_encode(value)}" for name, value in folded]) if text is None else text


def _canonical_bytes(raw: bytes, pairs: int) -> bytes | None:
    """Return what ``_canonical`` makes of a query with so many pairs; None where anything of it must be decoded or encoded."""
    # Nothing but one `=` in each pair and one `&` between two remains of a query that is taken as it is.
    if raw.translate(None, _UNRESERVED_BYTES) != b"&".join([b"="] * pairs):
        return None
    start = raw.find(b"sig=") + 4
    end = raw.find(b"&", start)
    signature = raw[start:] if end < 0 else raw[start:end]
    if raw.count(b"sig=") != 1 or not signature.islower():
        return None
    # U+0000 sorts before all that a name may have, as the end of a name does.
    segments = raw.replace(b"=", b"\0").split(b"&")
    segments.sort()
    return b"&".join(segments).replace(b"\0", b"=")


def _is_valid(pairs: list[tuple[str, str]]) -> bool:
    """Whether plain pairs have no problem. Where this is false, ``_problems`` has the last word."""
    values = dict(pairs)
    if len(values) < len(pairs) or max(len(values.get("tag", "")), len(values.get("src", ""))) > TEXT_LENGTH_MAX:
        return False
    if _FORMS.keys().isdisjoint(values):
        return True
    return _PLAIN_NUMBERS.fullmatch(",".join([values.get(name, "") for name in _FORMS])) is not None


def _plain(pairs: list[tuple[str, str]]) -> str | None:
    """Return pairs joined as they are, or None if any of them must be encoded.

    Most notifications have no character but the unreserved ones, and no separator except our own.
    """
    text = "&".join([f"{name}={value}" for name, value in pairs])
    return text if _UNRESERVED.fullmatch(text) and text.count("=") == len(pairs) == text.count("&") + 1 else None


def _encode(text: str) -> str:
    # Most texts are names, words and numbers; quote() takes its time to find that out.
    return text if text.isascii() and text.isalnum() else quote(text, safe="", errors="surrogateescape")


def _problems(pairs: list[tuple[str, str]], *, is_plain: bool) -> Iterator[ParameterProblem]:
    if len(dict(pairs)) < len(pairs):
        yield from _repeated(pairs)
    if not is_plain:
        yield from _broken(pairs)
    for name, value in pairs:
        form = _FORMS.get(name)
        if form and not form[0](value):
            yield ParameterProblem(shorten(name), shorten(hide_password(value)), form[1])
        elif name in _TEXTS and len(value) > TEXT_LENGTH_MAX:
            yield ParameterProblem(
                shorten(name), shorten(hide_password(value)), f"at most {TEXT_LENGTH_MAX} characters"
            )


def _repeated(pairs: list[tuple[str, str]]) -> Iterator[ParameterProblem]:
    names = [name for name, _ in pairs]
    for number, (name, value) in enumerate(pairs):
        if name in names[:number]:
            yield ParameterProblem(shorten(name), shorten(hide_password(value)), "each parameter once")


def _broken(pairs: list[tuple[str, str]]) -> Iterator[ParameterProblem]:
    for name, value in pairs:
        if _NOT_UTF8.search(name + value):
            yield ParameterProblem(shorten(name), shorten(hide_password(value)), "valid UTF-8")
        if "\0" in name + value:
            yield ParameterProblem(shorten(name), shorten(hide_password(value)), "no character U+0000")
