"""Checkpoints: a log's signed statement of its size and root (C2SP tlog-checkpoint), with cosignatures of witnesses."""

from collections.abc import Sequence
from typing import NamedTuple

from domain.proofs.base64_hashes import decode_decimal, decode_hash, encode_base64
from domain.proofs.cosignature import verify_cosignature
from domain.proofs.keys import SigningKey, VerifierKey
from domain.proofs.notes import SignedNote, parse_note, sign_note, verify_note
from domain.proofs.refusals import ProofRefused

_LINES = 3


class Checkpoint(NamedTuple):
    """What a log says of itself: its origin, how many leaves it has, and their root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed: three lines."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"


class VerifiedCheckpoint(NamedTuple):
    """A checkpoint whose signatures were verified, its note, and when which witness cosigned it (name, seconds UTC)."""

    checkpoint: Checkpoint
    note: SignedNote
    cosigned: tuple[tuple[str, int], ...] = ()


def sign_checkpoint(size: int, root: bytes, key: SigningKey) -> SignedNote:
    """Sign a size and root; the key's name is the origin."""
    return sign_note(Checkpoint(key.name, size, root).text, key)


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint without verifying it; raises ProofRefused unless it is exactly three lines."""
    lines = text.removesuffix("\n").split("\n")
    if len(lines) != _LINES or not lines[0]:
        msg = f"a checkpoint has {len(lines)} lines; expected {_LINES}: origin, size and root"
        raise ProofRefused(msg)
    origin, size, root = lines
    size_read = decode_decimal(size, "the checkpoint's size")
    return Checkpoint(origin, size_read, decode_hash(root, "the checkpoint's root"))


def verify_checkpoint(
    raw: bytes, key: VerifierKey, witnesses: Sequence[VerifierKey] = (), quorum: int = 0
) -> VerifiedCheckpoint:
    """Verify a checkpoint with a log's key, and with the keys of witnesses of whom ``quorum`` must have cosigned.

    Raises ProofRefused where the form, the origin (the key's name), a signature or a known witness's cosignature does not
    fit, or fewer witnesses cosigned it.
    """
    note = parse_note(raw)
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != key.name:
        msg = f"the checkpoint is of the log {checkpoint.origin!r}; expected {key.name!r}"
        raise ProofRefused(msg)
    verify_note(note, key)
    found = [(witness, note.find(witness)) for witness in dict.fromkeys(witnesses)]
    cosigned = tuple((who.name, verify_cosignature(note.text, who, line)) for who, line in found if line)
    # One key under two names is one witness.
    count = len({witness.public for witness, line in found if line})
    if count < quorum:
        names = ", ".join(name for name, _ in cosigned) or "none"
        msg = f"the checkpoint is cosigned by {count} of the given witnesses ({names}); expected at least {quorum}"
        raise ProofRefused(msg)
    return VerifiedCheckpoint(checkpoint, note, cosigned)
