"""What was signed of the events that an archive has: the ledger's last checkpoint, and its roots where its tree is kept."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from api.application.archive.archive_manifest import ArchivedCheckpoint
from domain.events.log_row import LogRow
from domain.ledger import Ledger
from domain.proofs.entry import hash_events
from domain.proofs.frontier import Frontier
from projections.proofs.proof_store import find_proofs
from projections.proofs.tree_rows import ProofState, TreeRows

EVENTS_AT_ONCE = 2000


class SignedRoot(NamedTuple):
    """A checkpoint for an archive, and the public key of its signature."""

    checkpoint: ArchivedCheckpoint
    vkey: str


def read_events(ledger: Ledger, after: int, until: int) -> Iterator[list[LogRow]]:
    """Yield the events after a position and up to another in lists, in their order."""
    while after < until:
        events = ledger.store.page(after, EVENTS_AT_ONCE, until)
        if not events:
            return
        yield events
        after = events[-1].position


def root_of(ledger: Ledger, position: int) -> bytes:
    """Return the root over the events up to a position, from the tree if it has them, else made from all of them."""
    with _tree(ledger) as tree:
        if tree and tree[1].size >= position:
            return tree[0].reader(tree[1]).root(position)
    frontier = Frontier()
    for events in read_events(ledger, 0, position):
        frontier.append(hash_events(events))
    return frontier.root()


def tree_root(ledger: Ledger, position: int) -> bytes | None:
    """Return the root over the events up to a position as the tree has it; None where it does not have them."""
    with _tree(ledger) as tree:
        return tree[0].reader(tree[1]).root(position) if tree and tree[1].size >= position else None


def find_signed_root(ledger: Ledger, position: int) -> SignedRoot | None:
    """Return the last checkpoint, with the proof that it covers the events up to a position or, behind them, none; None without any."""
    with _tree(ledger) as tree:
        if tree is None:
            return None
        rows, state = tree
        last = rows.last_checkpoint(state.epoch)
        if last is None:
            return None
        hashes = rows.reader(state).prove_consistency(position, last.size) if last.size > position else []
    return SignedRoot(ArchivedCheckpoint(position, last.note.decode(), [each.hex() for each in hashes]), state.vkey)


@contextmanager
def _tree(ledger: Ledger) -> Iterator[tuple[TreeRows, ProofState] | None]:
    """Return the tree of a ledger as it is now; None where there is none."""
    found = find_proofs(ledger.url, ledger.id)
    if found is None:
        yield None
        return
    with closing(found), found.reading() as rows:
        yield rows, rows.state()
