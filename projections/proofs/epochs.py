"""Epochs of a proof tree: a log that lost signed events continues under a new name, and keeps the evidence of what was lost.

A log must never sign two histories. So its old epoch stays as it is, tiles and checkpoints, and the new one shares its
beginning up to the last event that both have.
"""

from typing import NamedTuple

from domain.errors import CommandRejected
from domain.log.contract import Log
from domain.proofs.base64_hashes import HASH_BYTES
from domain.proofs.keys import NOTE, VerifierKey
from domain.proofs.tiles import HEIGHT, WIDTH, Tile
from domain.proofs.tree import read_hashes
from projections.proofs.log_spans import cut_spans, hash_span
from projections.proofs.tree_rows import ProofState, TreeRows


class Epoch(NamedTuple):
    """A new epoch: its number, its log's name and key, and the last position that it shares with the one before.

    Name and key are empty where nothing was ever signed.
    """

    number: int
    origin: str
    vkey: str
    kept: int


def next_epoch(log: Log, rows: TreeRows) -> Epoch:
    """Return the epoch in which a log that diverged from its tree can continue.

    Raises CommandRejected where the log continues its tree, or events before the end were changed in place: that is no
    loss of the end, and a fork would hide it.
    """
    state = rows.state()
    number = state.epoch + 1
    kept = _last_common_position(log, rows, state)
    if not state.vkey:
        return Epoch(number, "", "", kept)
    base = state.origin.removesuffix(f"/{state.epoch}") if state.epoch > 1 else state.origin
    origin = f"{base}/{number}"
    key = VerifierKey(origin, NOTE, VerifierKey.parse(state.vkey).public)
    return Epoch(number, origin, key.text, kept)


def _last_common_position(log: Log, rows: TreeRows, state: ProofState) -> int:
    """Return the last position up to which log and tree agree; raises CommandRejected unless only the end differs."""
    head = log.head()
    end = min(head, state.size)
    first_difference = 0
    for span in cut_spans(end):
        first, count = span
        events = log.page(first, count, first + count)
        kept = rows.read_leaves(state.epoch, first // WIDTH, (first + count - 1) // WIDTH)
        for position, leaf in enumerate(hash_span(span, events), first + 1):
            place = (position - first - 1) * HASH_BYTES
            if leaf != kept[place : place + HASH_BYTES]:
                first_difference = first_difference or position
            elif first_difference:
                msg = (
                    f"the event at position {first_difference} was changed in place, and later ones were not: restore a"
                    " backup; a fork is only for a log whose end was lost"
                )
                raise CommandRejected(msg)
    if not first_difference and head >= state.size:
        msg = (
            f"the log continues its proofs up to position {state.size}; expected one that lost events: nothing to fork"
        )
        raise CommandRejected(msg)
    return first_difference - 1 if first_difference else end


def begin_epoch(rows: TreeRows, epoch: Epoch) -> None:
    """Write the start of an epoch: the tiles at the edge of what it shares with the one before, and its facts."""
    old = rows.state()
    rows.put_tiles(epoch.number, _edge(rows, old.epoch, epoch.kept))
    rows.note({"epoch": epoch.number, "size": epoch.kept, "kept": epoch.kept, "diverged": "", "witness_failures": ""})
    if epoch.vkey:
        rows.note({"origin": epoch.origin, "vkey": epoch.vkey})


def _edge(rows: TreeRows, epoch: int, size: int) -> list[Tile]:
    """Return the partial tiles of the tree of a size: later tiles of the old epoch are not the new one's."""
    edge = []
    level = 0
    while count := size >> HEIGHT * level:
        number, width = divmod(count, WIDTH)
        if width:
            hashes = read_hashes(lambda lv, n: rows.read_tile(epoch, lv, n), level, number, 0, width)
            edge.append(Tile(level, number, hashes))
        level += 1
    return edge
