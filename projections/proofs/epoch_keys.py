"""The key of a log under the names of its epochs: so checkpoints from before a fork can be verified again."""

from collections.abc import Iterator
from contextlib import suppress

from domain.proofs.checkpoint import Checkpoint, parse_checkpoint, verify_checkpoint
from domain.proofs.keys import NOTE, VerifierKey
from domain.proofs.notes import parse_note
from domain.proofs.refusals import ProofRefused
from projections.proofs.tree_rows import ProofState, TreeRows


class EpochKeys:
    """One public key: by the present origin it signs in the ``present`` epoch, by earlier names it signed in earlier ones."""

    def __init__(self, key: VerifierKey | None, state: ProofState) -> None:
        """Use ``key``, by default the one that the tree's state names."""
        self.present = state.epoch
        self._key = key or (VerifierKey.parse(state.vkey) if state.vkey else None)

    def key_of(self, epoch: int, note: bytes) -> VerifierKey:
        """Return the key under the name by which an epoch signed a note; raises ProofRefused where it is another log's name.

        A log that was signed for the first time after a fork has no number in its name: a name without one is the log's too.
        """
        if self._key is None:
            raise ProofRefused("no key is known that signed it")
        if epoch == self.present:
            return self._key
        base = self._key.name.removesuffix(f"/{self.present}")
        origin = parse_checkpoint(parse_note(note).text).origin
        if origin not in (base, f"{base}/{epoch}"):
            msg = f"the checkpoint is of the log {origin!r}; expected {base!r} or {f'{base}/{epoch}'!r}"
            raise ProofRefused(msg)
        return VerifierKey(origin, NOTE, self._key.public)


def shared_checkpoints(rows: TreeRows, state: ProofState, keys: EpochKeys) -> Iterator[Checkpoint]:
    """Return the checkpoints of the epoch before that the present epoch holds as well: it begins with the same events.

    Those that do not verify are left out: the check of their own epoch names them.
    """
    if not state.kept:
        return
    for kept in rows.checkpoints(state.epoch - 1):
        if kept.size > state.kept:
            return
        with suppress(ProofRefused):
            yield verify_checkpoint(kept.note, keys.key_of(kept.epoch, kept.note)).checkpoint
