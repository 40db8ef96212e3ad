"""The model's wire: a raw query to pairs, their signature, and what of it is broken.

It stands apart from the rules of correlation because it works on bytes: a signature covers what was
delivered, so a notice that is not UTF-8 can still be authentic.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from urllib.parse import quote, urlencode

Pairs = Sequence[tuple[str, str]]
BytePairs = Sequence[tuple[bytes, bytes]]
AnyPairs = Pairs | BytePairs

FORMULAS = ("md5-params", "md5-r-key", "md5-key-r", "hmac-sha256-params", "off")
PARAMETERS_MAX = 64
TEXT_MAX_CODE_POINTS = 256
DURATIONS = ("srcduration", "destduration")
CHARGES = ("srccharge", "destcharge", "srcsipcharge", "destsipcharge")
INTEGER = re.compile(r"[0-9]{1,9}")
# Section 9.1: up to thirty places, and an exponent as programs print small floats.
DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?")
CHARGE_BELOW = Decimal(10) ** 9
EXACTLY = Context(prec=200, rounding=ROUND_HALF_EVEN)


def charge(text: str) -> Decimal:
    """Section 9.1: a charge's typed value, rounded half-even to a millionth."""
    return Decimal(text).quantize(Decimal("0.000001"), context=EXACTLY)


# From the wire and back


def split(raw: bytes) -> list[tuple[bytes, bytes]]:
    """The decoded pairs of a query, in the order of delivery."""
    partitions = [segment.partition(b"=") for segment in raw.split(b"&") if segment]
    return [(decoded(name), decoded(value)) for name, _, value in partitions]


def decoded(text: bytes) -> bytes:
    """Undo the form encoding; a percent sign without two digits stands for itself."""
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), text.replace(b"+", b" "))


def as_bytes(pairs: AnyPairs) -> list[tuple[bytes, bytes]]:
    """The same pairs, with every text in UTF-8."""
    return [(encoded(name), encoded(value)) for name, value in pairs]


def encoded(text: str | bytes) -> bytes:
    """The UTF-8 of a text; bytes are taken as they are."""
    return text.encode() if isinstance(text, str) else text


def query(pairs: AnyPairs) -> bytes:
    """The pairs as they go over the wire."""
    return urlencode(as_bytes(pairs)).encode()


# Section 1


def is_notification(pairs: BytePairs) -> bool:
    """Section 2: neither empty nor over the limit, and some `f` is `tm`."""
    return 0 < len(pairs) <= PARAMETERS_MAX and (b"f", b"tm") in pairs


def texts(pairs: BytePairs) -> list[tuple[str, str]] | None:
    """The pairs as text, or None where they are not UTF-8."""
    try:
        return [(name.decode(), value.decode()) for name, value in pairs]
    except UnicodeDecodeError:
        return None


def problem(pairs: Pairs | None) -> str | None:
    """The first way in which the values break section 1, or None."""
    if pairs is None:
        return "invalid UTF-8"
    names = [name for name, _ in pairs]
    twice = [f"twice: {name}" for name in names if names.count(name) > 1]
    values = [found for name, value in pairs if (found := problem_of_value(name, value))]
    return next(iter(twice + values), None)


def problem_of_value(name: str, value: str) -> str | None:
    """What is wrong with one value, or None; an empty number is an absent one."""
    if "\0" in name + value:
        return f"U+0000: {name}"
    if name in ("tag", "src") and len(value) > TEXT_MAX_CODE_POINTS:
        return f"too long: {name}"
    if name in DURATIONS and value and not INTEGER.fullmatch(value):
        return f"not a number: {name}"
    if name in CHARGES and value and not (DECIMAL.fullmatch(value) and charge(value) < CHARGE_BELOW):
        return f"not a number: {name}"
    return None


# Section 2: the same notification


def folded(sig: bytes) -> bytes:
    """Hexadecimal digits in either case are the same; other letters are not touched."""
    return sig.translate(bytes.maketrans(b"ABCDEF", b"abcdef"))


def delivery_key(pairs: Pairs) -> str:
    """SHA-256 of the sorted pairs, percent-encoded and joined with `&`."""
    same_case = [(n, folded(v.encode()).decode() if n == "sig" else v) for n, v in pairs]
    joined = "&".join(f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in sorted(same_case))
    return hashlib.sha256(joined.encode()).hexdigest()


def unsigned_key(pairs: Pairs, source: str, row: str) -> str:
    """Of a row without a signature: its source and which row of it it is count too, and no signed notice has the same."""
    own = "&".join(f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in sorted(pairs))
    whole = f"unsigned\0{quote(source, safe='')}\0{quote(row, safe='')}\0{own}"
    return hashlib.sha256(whole.encode()).hexdigest()


# Section 3


def is_authentic(pairs: BytePairs, keys: Iterable[str], formula: str) -> bool:
    """Exactly one `sig`, and it fits one of the keys; or nothing is checked."""
    if formula == "off":
        return True
    sigs = [value for name, value in pairs if name == b"sig"]
    fitting = [sign(pairs, key, formula).encode() for key in keys]
    return len(sigs) == 1 and folded(sigs[0]) in fitting


def sign(pairs: AnyPairs, key: str, formula: str) -> str:
    """The signature of the pairs (a `sig` among them is passed over); empty for `off`."""
    content = sorted((pair for pair in as_bytes(pairs) if pair[0] != b"sig"), key=lambda pair: pair[0])
    joined = [name + b"=" + value for name, value in content]
    r = next((value for name, value in content if name == b"r"), b"")
    secret = key.encode()
    match formula:
        case "md5-params":
            return md5(b"".join(joined) + secret)
        case "md5-r-key":
            return md5(r + secret)
        case "md5-key-r":
            return md5(secret + r)
        case "hmac-sha256-params":
            return hmac.new(secret, b"&".join(joined), "sha256").hexdigest()
        case "off":
            return ""
    message = f"formula is {formula!r}, expected one of {FORMULAS}"
    raise ValueError(message)


def md5(text: bytes) -> str:
    """The digest as 32 hexadecimal digits."""
    return hashlib.md5(text, usedforsecurity=False).hexdigest()
