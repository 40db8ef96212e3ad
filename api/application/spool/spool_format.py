r"""The bytes of a spool file: a header that names its ledger, then records, each with its length and its checksum.

    header  = "TRINGSPOOL1 " ledger id " clear\n"
    record  = u32 length || u32 CRC-32 (IEEE) of payload || payload
    payload = u64 received_at (microseconds, UTC) || delivery key, 32 bytes || raw notice

Numbers are big-endian. Nothing here touches a file.
"""

import re
from collections.abc import Callable, Iterator
from struct import Struct
from typing import NamedTuple
from zlib import crc32

MAGIC = "TRINGSPOOL1"
KEY_BYTES = 32
# What a request may have is far less: a greater length is damage.
PAYLOAD_BYTES_MAX = 1 << 20
CHUNK_BYTES = 1 << 20

_HEADER = re.compile(rb"TRINGSPOOL1 ([0-9a-f-]{36}) clear\n")
_PREFIX = Struct(">II")
_FIXED = Struct(f">Q{KEY_BYTES}s")
_DONE = Struct(">QI")

Read = Callable[[int, int], bytes]


class SpoolRecord(NamedTuple):
    """One callback in a spool: when it was received (microseconds, UTC), its delivery key, and its raw parameters."""

    received_at: int
    key: bytes
    raw: bytes


class PlacedRecord(NamedTuple):
    """A record of a file, and the offsets in bytes at which it begins and ends."""

    record: SpoolRecord
    start: int
    end: int


def encode_header(ledger_id: str) -> bytes:
    """Return the header of the spool of a ledger."""
    return f"{MAGIC} {ledger_id} clear\n".encode()


HEADER_BYTES = len(encode_header("0" * 36))


def decode_header(data: bytes) -> str | None:
    """Return the id of the ledger that a file's first bytes name; None if they are no header."""
    found = _HEADER.match(data)
    return found[1].decode() if found else None


def encode_record(record: SpoolRecord) -> bytes:
    """Return a record as it stands in a file."""
    payload = _FIXED.pack(record.received_at, record.key) + record.raw
    return _PREFIX.pack(len(payload), crc32(payload)) + payload


def decode_record(data: bytes, at: int) -> tuple[SpoolRecord, int] | None:
    """Return the record that begins at an index of ``data``, and the index after it; None if it is short or damaged."""
    start = at + _PREFIX.size
    if len(data) < start:
        return None
    length, checksum = _PREFIX.unpack_from(data, at)
    end = start + length
    if not _FIXED.size <= length <= PAYLOAD_BYTES_MAX or len(data) < end:
        return None
    payload = data[start:end]
    if crc32(payload) != checksum:
        return None
    received_at, key = _FIXED.unpack_from(payload)
    return SpoolRecord(received_at, key, payload[_FIXED.size :]), end


def read_records(read: Read, start: int) -> Iterator[PlacedRecord]:
    """Yield records from an offset on, up to the first one that is short or damaged.

    ``read`` returns the bytes at an offset, at most so many; fewer than asked for where the file ends.
    """
    data, base, at = read(start, CHUNK_BYTES), start, 0
    while True:
        found = decode_record(data, at)
        if found is None:
            # It may go on behind what was read, but never further than the greatest record.
            base, at = base + at, 0
            data = read(base, CHUNK_BYTES + PAYLOAD_BYTES_MAX)
            if (found := decode_record(data, 0)) is None:
                return
        record, after = found
        yield PlacedRecord(record, base + at, base + after)
        at = after


def has_record_after(data: bytes) -> bool:
    """Whether a whole record stands anywhere in these bytes, behind their first one."""
    return any(decode_record(data, at) is not None for at in range(1, len(data) - _PREFIX.size - _FIXED.size + 1))


def encode_done(offset: int) -> bytes:
    """Return the content of the file that tells up to which offset records are in the log."""
    packed = _DONE.pack(offset, 0)[:8]
    return packed + crc32(packed).to_bytes(4)


def decode_done(data: bytes) -> int | None:
    """Return that offset; None where the content is torn."""
    if len(data) != _DONE.size:
        return None
    offset, checksum = _DONE.unpack(data)
    return int(offset) if crc32(data[:8]) == checksum else None
