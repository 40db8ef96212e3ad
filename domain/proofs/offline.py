"""Verification of proofs without a store and without a network: with nothing but files and public keys.

Only what a signed checkpoint's root leads to is trusted. Tiles never are: a tile and the entry that it was changed for
always fit each other, so a tile counts only where it leads up to the root.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from domain.proofs.checkpoint import VerifiedCheckpoint, verify_checkpoint
from domain.proofs.entry import EventEntry, EventFields, encode_entry, hash_leaf, name_differences, parse_entry
from domain.proofs.keys import VerifierKey
from domain.proofs.merkle import verify_consistency, verify_inclusion
from domain.proofs.proof_file import ProofFile, parse_proof_file
from domain.proofs.refusals import ProofRefused


class Trust(NamedTuple):
    """Whom a verifier trusts: the log's key, the keys of witnesses, and how many of these must have cosigned."""

    log: VerifierKey
    witnesses: Sequence[VerifierKey] = ()
    quorum: int = 0

    def verify(self, checkpoint: bytes) -> VerifiedCheckpoint:
        """Verify a checkpoint; raises ProofRefused."""
        return verify_checkpoint(checkpoint, self.log, self.witnesses, self.quorum)


class ProvenEvent(NamedTuple):
    """An entry that stands in a log, and the checkpoint that says so."""

    entry: EventEntry
    checkpoint: VerifiedCheckpoint


def verify_event(raw: bytes, trust: Trust, event: EventFields | None = None) -> ProvenEvent:
    """Verify a proof file: that the event given stands in the log, at its position.

    Without an event, the entry that the file carries is proven; its content is then known by digest only. Raises
    ProofRefused, naming what did not fit.
    """
    proof = parse_proof_file(raw)
    checkpoint = trust.verify(proof.checkpoint)
    entry = _entry_of(proof, event)
    said = parse_entry(entry)
    if said.position != proof.leaf_index + 1:
        msg = f"the event is at position {said.position}; expected {proof.leaf_index + 1}, the proof's index and one"
        raise ProofRefused(msg)
    _, size, root = checkpoint.checkpoint
    verify_inclusion(hash_leaf(entry), proof.leaf_index, size, proof.hashes, root)
    return ProvenEvent(said, checkpoint)


def _entry_of(proof: ProofFile, event: EventFields | None) -> bytes:
    """Return the entry to prove: made from the event, which the proof's own entry must equal where it carries one."""
    if event is None:
        if proof.extra is None:
            raise ProofRefused("the proof carries no entry; expected the event with it")
        return proof.extra
    entry = encode_entry(*event)
    if proof.extra is not None and proof.extra != entry:
        differences = name_differences(parse_entry(entry), parse_entry(proof.extra))
        msg = f"the event differs from the one that was proven: {differences}"
        raise ProofRefused(msg)
    return entry


def verify_continuation(old: bytes, new: bytes, hashes: Sequence[bytes], trust: Trust) -> VerifiedCheckpoint:
    """Verify that the log of the checkpoint ``new`` begins with that of ``old``; raises ProofRefused.

    The older checkpoint needs the log's signature alone: it is the verifier's own, from an earlier day.
    """
    earlier = verify_checkpoint(old, trust.log).checkpoint
    later = trust.verify(new)
    verify_consistency(earlier.size, earlier.root, later.checkpoint.size, later.checkpoint.root, hashes)
    return later


def hash_entries(entries: Iterable[bytes]) -> list[bytes]:
    """Return the leaf hashes of entries as they stand in bundles, in their order."""
    return [hash_leaf(entry) for entry in entries]
