"""Files with proofs: of one entry in a log (C2SP tlog-proof), and of one checkpoint continuing another.

Both are text. Reading them proves nothing yet: see `offline.py`.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from domain.proofs.base64_hashes import decode_base64, decode_decimal, decode_hash, encode_base64
from domain.proofs.refusals import ProofRefused

HEADER = "c2sp.org/tlog-proof@v1"
# A tree of 2^63 leaves needs no more; a consistency proof has one hash more.
HASHES_MAX = 64
PROOF_BYTES_MAX = 256 * 1024
_EXTRA = "extra "
_INDEX = "index "
_OLD = "old "


class ProofFile(NamedTuple):
    """A proof that an entry stands at an index: the hashes from its sibling upwards, and the checkpoint's note.

    ``extra`` is the entry as the log gave it, or None: a hint to say what differs, never evidence.
    """

    leaf_index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """Return the file's bytes."""
        extra = "" if self.extra is None else f"{_EXTRA}{encode_base64(self.extra)}\n"
        return f"{HEADER}\n{extra}{_INDEX}{self.leaf_index}\n{encode_hashes(self.hashes)}\n".encode() + self.checkpoint


def parse_proof_file(raw: bytes) -> ProofFile:
    """Read a proof file; raises ProofRefused where its form is not one's."""
    head, checkpoint = _split(raw, "the proof")
    lines = head.split("\n")
    if lines[0] != HEADER:
        msg = f"the proof begins with {lines[0][:100]!r}; expected {HEADER!r}"
        raise ProofRefused(msg)
    del lines[0]
    extra = None
    if lines and lines[0].startswith(_EXTRA):
        extra = decode_base64(lines.pop(0).removeprefix(_EXTRA), "the proof's extra data")
    if not lines or not lines[0].startswith(_INDEX):
        msg = f"the proof has {lines[0][:100] if lines else ''!r}; expected a line {_INDEX.strip()!r} with a number"
        raise ProofRefused(msg)
    index = decode_decimal(lines.pop(0).removeprefix(_INDEX), "the proof's index")
    return ProofFile(index, decode_hashes(lines), checkpoint, extra)


def _split(raw: bytes, what: str) -> tuple[str, bytes]:
    """Return what stands before the first empty line, as text, and the bytes behind it."""
    if len(raw) > PROOF_BYTES_MAX:
        msg = f"{what} has {len(raw)} bytes; expected at most {PROOF_BYTES_MAX}"
        raise ProofRefused(msg)
    head, found, rest = raw.partition(b"\n\n")
    if not found or not head.isascii():
        msg = f"{what} has no checkpoint, or characters that are not ASCII before it; expected one after an empty line"
        raise ProofRefused(msg)
    return head.decode(), rest


def encode_hashes(hashes: Iterable[bytes]) -> str:
    """Return hashes as base64, each with a newline: a consistency file is just that."""
    return "".join(f"{encode_base64(hash_)}\n" for hash_ in hashes)


def decode_hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    """Read a hash from each line; raises ProofRefused where one is none, or there are too many."""
    if len(lines) > HASHES_MAX:
        msg = f"the proof has {len(lines)} hashes; expected at most {HASHES_MAX}"
        raise ProofRefused(msg)
    return tuple(decode_hash(line, f"hash {number} of the proof") for number, line in enumerate(lines, 1))


def parse_consistency_file(raw: bytes) -> tuple[bytes, ...]:
    """Read the hashes of a consistency file; an empty file has none. Raises ProofRefused."""
    if len(raw) > PROOF_BYTES_MAX or not raw.isascii() or (raw and not raw.endswith(b"\n")):
        raise ProofRefused("the consistency proof is malformed; expected one hash in base64 on each line")
    return decode_hashes(raw.decode().removesuffix("\n").split("\n") if raw else [])


def encode_witness_request(old: int, hashes: Iterable[bytes], checkpoint: bytes) -> bytes:
    """Return the body of a request to a witness: its size, the proof from there, and the checkpoint (C2SP tlog-witness)."""
    return f"{_OLD}{old}\n{encode_hashes(hashes)}\n".encode() + checkpoint


def parse_witness_request(raw: bytes) -> tuple[int, tuple[bytes, ...], bytes]:
    """Read the body of a request to a witness: the old size, the proof and the checkpoint; raises ProofRefused."""
    head, checkpoint = _split(raw, "the request")
    first, *lines = head.split("\n")
    if not first.startswith(_OLD):
        msg = f"the request begins with {first[:100]!r}; expected {_OLD.strip()!r} with a size"
        raise ProofRefused(msg)
    return decode_decimal(first.removeprefix(_OLD), "the old size"), decode_hashes(lines), checkpoint
