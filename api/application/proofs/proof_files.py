"""Proof files of a ledger: its last checkpoint, the proof of an event, and the proof that a checkpoint continues an older one."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from domain.errors import LedgerError
from domain.events.log_row import LogRow
from domain.ledger import Ledger
from domain.proofs.checkpoint import parse_checkpoint
from domain.proofs.entry import encode_entry
from domain.proofs.merkle import verify_consistency
from domain.proofs.notes import parse_note
from domain.proofs.proof_file import ProofFile, encode_hashes
from projections.proofs.proof_store import ProofStore, find_proofs
from projections.proofs.tree_rows import KeptCheckpoint, TreeRows


class NoProof(LedgerError):
    """Something cannot be proved: there is no tree, no checkpoint, or none that has the event yet."""


@contextmanager
def opened_proofs(ledger: Ledger) -> Iterator[ProofStore]:
    """Open a ledger's proofs; raises NoProof where there are none."""
    store = find_proofs(ledger.url, ledger.id)
    if store is None:
        msg = (
            f"the ledger at {ledger.shown_url} has no proofs yet: `tringledger serve` or `tringledger prove` makes them"
        )
        raise NoProof(msg)
    with closing(store):
        yield store


def last_checkpoint(rows: TreeRows) -> KeptCheckpoint:
    """Return the last checkpoint of the log; raises NoProof where nothing was signed."""
    state = rows.state()
    found = rows.last_checkpoint(state.epoch)
    if found is None:
        msg = f"no checkpoint was signed yet (the tree has {state.size} events): set TRINGLEDGER_LOG_KEY where the prover runs"
        raise NoProof(msg)
    return found


def checkpoint_note(ledger: Ledger) -> bytes:
    """Return the last checkpoint as a signed note; raises NoProof."""
    with opened_proofs(ledger) as store, store.reading() as rows:
        return last_checkpoint(rows).note


def prove_event(ledger: Ledger, position: int) -> tuple[ProofFile, LogRow]:
    """Return the proof of the event at a position, and the event; raises NoProof."""
    with opened_proofs(ledger) as store, store.reading() as rows:
        checkpoint = last_checkpoint(rows)
        if not 0 < position <= checkpoint.size:
            msg = f"position {position} is not in the last checkpoint; expected a position from 1 to {checkpoint.size}"
            raise NoProof(msg)
        hashes = rows.reader(rows.state()).prove_inclusion(position - 1, checkpoint.size)
    (event,) = ledger.store.page(position - 1, 1, position)
    proof = ProofFile(position - 1, tuple(hashes), checkpoint.note, encode_entry(*event))
    return proof, event


def prove_consistency(ledger: Ledger, old: bytes) -> tuple[bytes, bytes]:
    """Return the proof that the last checkpoint continues an older one, and that last checkpoint.

    ``old`` is the older checkpoint as a note; its signature is checked by those who verify the proof. Raises NoProof where the log
    is now smaller, ProofRefused where the log does not continue it.
    """
    earlier = parse_checkpoint(parse_note(old).text)
    with opened_proofs(ledger) as store, store.reading() as rows:
        checkpoint = last_checkpoint(rows)
        if earlier.size > checkpoint.size:
            msg = f"the checkpoint given has size {earlier.size}, and the last one {checkpoint.size}: events were lost"
            raise NoProof(msg)
        reader = rows.reader(rows.state())
        hashes = reader.prove_consistency(earlier.size, checkpoint.size)
        # A proof that proves nothing would only be found out elsewhere.
        verify_consistency(earlier.size, earlier.root, checkpoint.size, reader.root(checkpoint.size), hashes)
    return encode_hashes(hashes).encode(), checkpoint.note
