"""Hashes and other short values as base64 and decimal text, read strictly: each value has exactly one text.

The standard library ignores stray bits at the end of base64. A reader of proofs must not: a changed character that
changes no byte would pass unseen.
"""

import binascii
import re

from domain.proofs.refusals import ProofRefused

HASH_BYTES = 32
_DECIMAL = re.compile("0|[1-9][0-9]{0,18}", re.ASCII)


def encode_base64(value: bytes) -> str:
    """Return bytes as base64 (RFC 4648, 4)."""
    return binascii.b2a_base64(value, newline=False).decode()


def decode_base64(text: str, what: str) -> bytes:
    """Read base64, padded and with no bits left over; raises ProofRefused, naming ``what`` it was to be."""
    try:
        value = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError:
        value = None
    if value is None or encode_base64(value) != text:
        msg = f"{what} is not base64: got {text[:100]!r}; expected padded base64 without any other character"
        raise ProofRefused(msg)
    return value


def decode_hash(text: str, what: str) -> bytes:
    """Read a hash of 32 bytes from base64; raises ProofRefused, naming ``what`` it was to be."""
    value = decode_base64(text, what)
    if len(value) != HASH_BYTES:
        msg = f"{what} has {len(value)} bytes; expected a hash of {HASH_BYTES}"
        raise ProofRefused(msg)
    return value


def decode_decimal(text: str, what: str) -> int:
    """Read a whole number from 0 to below 10^19 without leading zeros; raises ProofRefused."""
    if not _DECIMAL.fullmatch(text):
        msg = f"{what} is not a number: got {text[:100]!r}; expected decimal digits without leading zeros"
        raise ProofRefused(msg)
    return int(text)
