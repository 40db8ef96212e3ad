"""Every plausible way to sign a notification: a space of small dimensions, of which the named formulas are four points.

TringMe's page names no formula (SPEC 3). Whoever makes one up decides about order, separators, where the key goes, and a
few things more; all their combinations are few enough to try each on a captured notification.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

import msgspec

from domain.errors import LedgerError
from domain.notices.notification import parse_pairs

# The choices of each dimension with their words in messages; the first choice is the default.
DIMENSIONS: dict[str, dict[str, str]] = {
    "digest": {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256"},
    "digits": {"hex": "in hexadecimal digits", "base64": "in base64"},
    "parts": {"pairs": "the name=value pairs", "values": "the values", "both": "the names and values without ="},
    "covered": {
        "all": "of all parameters but sig",
        "no-f": "of all parameters but sig and f",
        "no-r": "of all parameters but sig and r",
        "no-f-r": "of all parameters but sig, f and r",
        "r": "of r alone",
    },
    "empty": {"kept": "with empty values", "dropped": "without empty values"},
    "form": {"decoded": "decoded", "raw": "percent-encoded as delivered"},
    "order": {"sorted": "sorted by name", "reversed": "sorted by name backwards", "delivered": "in the order of delivery"},
    # TringMe's names are in lower case already.
    "names": {"as-is": "names as they are", "upper": "names in upper case"},
    "values": {"as-is": "values as they are", "upper": "values in upper case", "lower": "values in lower case"},
    "separator": {
        "": "joined with nothing",
        "&": "joined with &",
        ",": "joined with a comma",
        "|": "joined with |",
        ";": "joined with ;",
        "\n": "joined with a line feed",
    },
    "key": {
        "last": "then the private key",
        "first": "behind the private key",
        "both": "between the private key and the private key",
        "joined-last": "then, joined likewise, the private key",
        "joined-first": "behind the private key, joined likewise",
        "joined-both": "between the private key and the private key, joined likewise",
        "pair": "then, joined likewise, key= and the private key",
        "hmac": "as an HMAC with the private key",
    },
}  # fmt: skip
_OF_TEXT = ("parts", "covered", "empty", "form", "order", "names", "values", "separator")
_TOLD_ALWAYS = ("digest", "digits", "parts", "covered", "form", "order", "separator", "key")
_LEFT_OUT = {"all": (), "no-f": (b"f",), "no-r": (b"r",), "no-f-r": (b"f", b"r")}
_SIZES = {16: "md5", 20: "sha1", 32: "sha256"}
_URL_SAFE = bytes.maketrans(b" -_", b"++/")

BytePairs = list[tuple[bytes, bytes]]


class NoSignature(LedgerError):
    """The captured text has no signature of a known form."""


class SignatureVariant(msgspec.Struct, frozen=True):
    """A way to sign: a choice of each dimension; by default ``md5-params``."""

    digest: str = "md5"
    digits: str = "hex"
    parts: str = "pairs"
    covered: str = "all"
    empty: str = "kept"
    form: str = "decoded"
    order: str = "sorted"
    names: str = "as-is"
    values: str = "as-is"
    separator: str = ""
    key: str = "last"

    def __str__(self) -> str:
        """Return the way to sign as a phrase."""
        told = [
            words[getattr(self, name)]
            for name, words in DIMENSIONS.items()
            if name in _TOLD_ALWAYS or getattr(self, name) != next(iter(words))
        ]
        digest, digits, parts, covered, *rest = told
        return f"{digest} ({digits}) of {parts} {', '.join([covered, *rest])}"


NAMED = {
    "md5-params": SignatureVariant(),
    "md5-r-key": SignatureVariant(covered="r", parts="values"),
    "md5-key-r": SignatureVariant(covered="r", parts="values", key="first"),
    "hmac-sha256-params": SignatureVariant(digest="sha256", separator="&", key="hmac"),
}


class CapturedNotice(NamedTuple):
    """A captured notification: its parameters but ``sig``, decoded and as delivered, and what ``sig`` is."""

    decoded: BytePairs
    raw: BytePairs
    wanted: bytes
    digest: str
    digits: str


def parse_captured(query: bytes) -> CapturedNotice:
    """Read a captured query string; raises NoSignature if ``sig`` is missing, doubled or not a digest."""
    decoded = [(_bytes(name), _bytes(value)) for name, value in parse_pairs(query)]
    raw = [(name, value) for name, _, value in (part.partition(b"=") for part in query.split(b"&") if part)]
    given = [value for name, value in decoded if name == b"sig"]
    if len(given) != 1:
        msg = f"it has {len(given)} sig: expected one"
        raise NoSignature(msg)
    decode: Callable[[bytes], bytes]
    for digits, decode in (("hex", binascii.unhexlify), ("base64", _unbase64)):
        wanted = _tried(decode, given[0])
        if len(wanted) in _SIZES:
            return CapturedNotice(_signed(decoded), _signed(raw), wanted, _SIZES[len(wanted)], digits)
    msg = f"its sig has {len(given[0])} characters: expected 32, 40 or 64 hexadecimal digits, or 16, 20 or 32 bytes in base64"
    raise NoSignature(msg)


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _signed(pairs: BytePairs) -> BytePairs:
    return [pair for pair in pairs if pair[0] != b"sig"]


def _unbase64(text: bytes) -> bytes:
    return base64.b64decode(
        text.translate(_URL_SAFE).rstrip(b"=") + b"=" * (-len(text.rstrip(b"=")) % 4), validate=True
    )


def _tried(decode: Callable[[bytes], bytes], text: bytes) -> bytes:
    try:
        return decode(text)
    except ValueError:
        return b""


def fits(variant: SignatureVariant, notice: CapturedNotice, keys: Sequence[bytes]) -> bool:
    """Whether a captured notification was signed in this way with one of the keys."""
    if (variant.digest, variant.digits) != (notice.digest, notice.digits):
        return False
    text = _text(variant, notice)
    return text is not None and any(_digest(variant, text, key) == notice.wanted for key in keys)


def fitting(notice: CapturedNotice, keys: Sequence[bytes]) -> list[SignatureVariant]:
    """Return all ways in which a captured notification may have been signed with one of the keys."""
    found = []
    alike: dict[tuple[bytes, str], list[SignatureVariant]] = {}
    for variant in _texts(notice.digest, notice.digits):
        text = _text(variant, notice)
        if text is not None:
            alike.setdefault((text, variant.separator), []).append(variant)
    for (text, _), variants in alike.items():
        for keyed in _keyed(variants[0]):
            if any(_digest(keyed, text, key) == notice.wanted for key in keys):
                found += [msgspec.structs.replace(variant, key=keyed.key) for variant in variants]
    return [variant for variant in found if canonical(variant) == variant]


def size() -> int:
    """Return the number of variants, without those that can never differ from another one."""
    texts = [keyed for variant in _texts("md5", "hex") for keyed in _keyed(variant)]
    different = sum(canonical(variant) == variant for variant in texts)
    return different * len(DIMENSIONS["digest"]) * len(DIMENSIONS["digits"])


def canonical(variant: SignatureVariant) -> SignatureVariant:
    """Return the variant with the default for each choice that makes no difference in combination with the others."""
    void: dict[str, str] = {}
    if variant.parts == "values":
        void["names"] = "as-is"
    if variant.covered == "r":
        void |= {"empty": "kept", "order": "sorted"}
        if not variant.key.startswith(("joined-", "pair")):
            void["separator"] = ""
    if not variant.separator:
        void["key"] = variant.key.removeprefix("joined-")
    return msgspec.structs.replace(variant, **void)


def _texts(digest: str, digits: str) -> Iterator[SignatureVariant]:
    for chosen in product(*(DIMENSIONS[name] for name in _OF_TEXT)):
        yield SignatureVariant(digest, digits, *chosen)


def _keyed(variant: SignatureVariant) -> Iterator[SignatureVariant]:
    return (msgspec.structs.replace(variant, key=key) for key in DIMENSIONS["key"])


def _text(variant: SignatureVariant, notice: CapturedNotice) -> bytes | None:
    """Return the text that is signed, without the key; None if no parameter would be covered."""
    pairs = notice.decoded if variant.form == "decoded" else notice.raw
    if variant.covered == "r":
        pairs = [pair for pair in pairs if pair[0] == b"r"][:1]
    elif variant.covered != "all":
        pairs = [pair for pair in pairs if pair[0] not in _LEFT_OUT[variant.covered]]
    if variant.empty == "dropped":
        pairs = [pair for pair in pairs if pair[1]]
    if not pairs:
        return None
    if variant.order != "delivered":
        pairs = sorted(pairs, key=lambda pair: pair[0], reverse=variant.order == "reversed")
    return variant.separator.encode().join(_parts(variant, pairs))


def _parts(variant: SignatureVariant, pairs: BytePairs) -> list[bytes]:
    names = [_cased(variant.names, name) for name, _ in pairs]
    values = [_cased(variant.values, value) for _, value in pairs]
    if variant.parts == "values":
        return values
    equals = b"=" if variant.parts == "pairs" else b""
    return [name + equals + value for name, value in zip(names, values, strict=True)]


def _cased(case: str, text: bytes) -> bytes:
    return text if case == "as-is" else text.upper() if case == "upper" else text.lower()


def _digest(variant: SignatureVariant, text: bytes, key: bytes) -> bytes:
    if variant.key == "hmac":
        return hmac.digest(key, text, variant.digest)
    joint = b"" if variant.key in {"last", "first", "both"} else variant.separator.encode()
    before = key + joint if variant.key.endswith(("first", "both")) else b""
    behind = (
        joint + key
        if variant.key.endswith(("last", "both"))
        else joint + b"key=" + key
        if variant.key == "pair"
        else b""
    )
    return hashlib.new(variant.digest, before + text + behind, usedforsecurity=False).digest()
