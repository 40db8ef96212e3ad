"""Cosignatures: a witness's statement that, at a time, a checkpoint continued all it had seen of a log (C2SP tlog-cosignature)."""

from domain.proofs.keys import COSIGNATURE, SigningKey, VerifierKey
from domain.proofs.notes import NoteSignature
from domain.proofs.refusals import KeyRefused, ProofRefused

_TIME_BYTES = 8
_SIGNATURE_BYTES = 64
_TIME_MAX = (1 << 63) - 1


def _message(text: str, time_seconds: int) -> bytes:
    return f"cosignature/v1\ntime {time_seconds}\n{text}".encode()


def cosign(text: str, key: SigningKey, time_seconds: int) -> NoteSignature:
    """Return a witness's line for the text of a checkpoint, at a time in seconds UTC."""
    if key.kind != COSIGNATURE:
        msg = f"the key of {key.name} is of kind {key.kind}; expected {COSIGNATURE}, a witness's"
        raise KeyRefused(msg)
    signature = key.sign(_message(text, time_seconds))
    return NoteSignature(key.name, key.verifier.key_id, time_seconds.to_bytes(_TIME_BYTES, "big") + signature)


def verify_cosignature(text: str, key: VerifierKey, line: NoteSignature) -> int:
    """Check a witness's line under the text of a checkpoint; return its time in seconds UTC.

    Raises ProofRefused where it does not fit.
    """
    if len(line.signature) != _TIME_BYTES + _SIGNATURE_BYTES:
        msg = (
            f"the cosignature of {key.name} has {len(line.signature)} bytes; expected {_TIME_BYTES + _SIGNATURE_BYTES}"
        )
        raise ProofRefused(msg)
    time_seconds = int.from_bytes(line.signature[:_TIME_BYTES], "big")
    if time_seconds > _TIME_MAX or not key.verifies(_message(text, time_seconds), line.signature[_TIME_BYTES:]):
        msg = f"the cosignature of {key.name} does not fit the checkpoint: one of them was changed"
        raise ProofRefused(msg)
    return time_seconds
