"""The check of a whole log against its tree: each stored event, each tile, each kept checkpoint.

The prover looks only at the end of the log. What was changed in place before it is found here, position by position.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from domain.events.log_row import LogRow
from domain.log.contract import Log
from domain.proofs.base64_hashes import HASH_BYTES
from domain.proofs.checkpoint import Checkpoint, verify_checkpoint
from domain.proofs.entry import hash_events
from domain.proofs.keys import VerifierKey
from domain.proofs.refusals import ProofRefused
from domain.proofs.tiles import TILE_BYTES, WIDTH, Tile
from domain.proofs.tree import GrowingTree
from projections.proofs.tree_rows import ProofState, TreeRows

TILES_AT_ONCE = 16
EVENTS_AT_ONCE = TILES_AT_ONCE * WIDTH
FINDINGS_MAX = 1000
# No event hashes to this: it stands for an event that is missing or not stored as bytes.
_NO_LEAF = b""


class LogFinding(NamedTuple):
    """A problem: of the event at a position, or, with position 0, of no single event."""

    position: int
    what: str


@dataclass
class LogCheck:
    """What a check found: ``findings`` has the first FINDINGS_MAX of ``found`` ones; the log holds where there is none.

    ``size`` events are in the tree, with that ``root``; ``head`` is the log's last position: events behind ``size`` are not
    in the tree yet.
    """

    size: int
    head: int
    root: bytes = b""
    checkpoints: int = 0
    found: int = 0
    findings: list[LogFinding] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether no problem was found."""
        return not self.found

    def add(self, position: int, what: str) -> None:
        """Add a finding."""
        self.found += 1
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(LogFinding(position, what))


def check_log(
    log: Log,
    rows: TreeRows,
    key: VerifierKey | None = None,
    anchors: Iterable[Checkpoint] = (),
    *,
    tell: Callable[[int], object] = lambda _position: None,
    look: Callable[[LogCheck, Sequence[LogRow]], object] = lambda _check, _events: None,
) -> LogCheck:
    """Check all events of a log against its tree, and the tree against its checkpoints.

    ``key`` verifies the kept checkpoints, by default the one that the store names; ``anchors`` are checkpoints from outside,
    verified already, that must hold as well. ``tell`` is called with each position that was reached, and
    ``look`` with the check and each page of stored events, to check them further.
    """
    state = rows.state()
    check = LogCheck(state.size, log.head())
    tree = _FreshTree(check, rows, state)
    due = _Roots(check, rows, state, key, anchors)
    due.compare(0, tree.root())
    for first in range(0, state.size, EVENTS_AT_ONCE):
        kept = _kept_leaves(check, rows, state, first)
        events = log.page(first, EVENTS_AT_ONCE, min(first + EVENTS_AT_ONCE, state.size))
        leaves = _compare(check, first, events, kept)
        look(check, events)
        for end in due.sizes_until(first + len(leaves)):
            tree.append(leaves[tree.size - first : end - first])
            due.compare(end, tree.root())
        tree.append(leaves[tree.size - first :])
        tell(tree.size)
    tree.compare_edges()
    due.name_rest()
    check.root = tree.root()
    return check


def _kept_leaves(check: LogCheck, rows: TreeRows, state: ProofState, first: int) -> bytes:
    """Return the leaf hashes that the tree has from an index on."""
    count = min(EVENTS_AT_ONCE, state.size - first)
    kept = rows.read_leaves(state.epoch, first // WIDTH, (first + count - 1) // WIDTH)[: count * HASH_BYTES]
    if len(kept) < count * HASH_BYTES:
        check.add(0, f"tiles of level 0 are missing or short from position {first + 1} to {first + count}")
        kept = kept.ljust(count * HASH_BYTES, b"\0")
    return kept


def _compare(check: LogCheck, first: int, events: Sequence[LogRow], kept: bytes) -> list[bytes]:
    """Add a finding for each event that is not the one in the tree; return the leaf hashes of the tree."""
    leaves = hash_in_place(events, first, len(kept) // HASH_BYTES)
    if b"".join(leaves) == kept:
        return leaves
    expected = [kept[start : start + HASH_BYTES] for start in range(0, len(kept), HASH_BYTES)]
    stored = {event.position for event in events}
    for position, (leaf, wanted) in enumerate(zip(leaves, expected, strict=True), first + 1):
        if leaf != wanted:
            what = "is not the event in the tree" if position in stored else "is missing from the log"
            check.add(position, f"the event at position {position} {what}")
    return expected


def hash_in_place(events: Sequence[LogRow], first: int, count: int) -> list[bytes]:
    """Return the leaf hash of each position from ``first + 1`` on; _NO_LEAF where no event can have one."""
    try:
        if len(events) == count and events[0].position == first + 1 and events[-1].position == first + count:
            return hash_events(events)
    except TypeError:
        pass  # An event that is not stored as bytes: found below.
    leaves = [_NO_LEAF] * count
    for event in events:
        if isinstance(event.state, bytes):
            (leaves[event.position - first - 1],) = hash_events([event])
    return leaves


class _FreshTree:
    """The tree, computed again from the leaf hashes, and compared tile by tile with the stored one."""

    def __init__(self, check: LogCheck, rows: TreeRows, state: ProofState) -> None:
        self._check = check
        self._rows = rows
        self._epoch = state.epoch
        self._tree = GrowingTree()
        self._edges: dict[int, Tile] = {}

    @property
    def size(self) -> int:
        return self._tree.size

    def root(self) -> bytes:
        return self._tree.root()

    def append(self, leaves: Sequence[bytes]) -> None:
        for tile in self._tree.append(leaves):
            self._edges[tile.level] = tile
            if tile.level and len(tile.hashes) == TILE_BYTES:
                self._compare(tile)

    def compare_edges(self) -> None:
        """Compare the tiles that are partial at the end."""
        for tile in self._edges.values():
            if tile.level and len(tile.hashes) < TILE_BYTES:
                self._compare(tile)

    def _compare(self, tile: Tile) -> None:
        kept = self._rows.read_tile(self._epoch, tile.level, tile.number)
        if kept[: len(tile.hashes)] != tile.hashes:
            self._check.add(0, f"tile {tile.number} of level {tile.level} does not fit the tiles below it")


class _Roots:
    """The checkpoints that the tree must lead to, smallest first: stored ones, and those from outside."""

    def __init__(
        self,
        check: LogCheck,
        rows: TreeRows,
        state: ProofState,
        key: VerifierKey | None,
        anchors: Iterable[Checkpoint],
    ) -> None:
        self._check = check
        self._key = key or (VerifierKey.parse(state.vkey) if state.vkey else None)
        self._kept = self._verified(rows, state.epoch)
        self._anchors = sorted(anchors, key=lambda anchor: anchor.size)
        self._next_kept = next(self._kept, None)

    def _verified(self, rows: TreeRows, epoch: int) -> Iterator[Checkpoint]:
        for kept in rows.checkpoints(epoch):
            try:
                if self._key is None:
                    raise ProofRefused("no key is known that signed it")  # noqa: TRY301
                checkpoint = verify_checkpoint(kept.note, self._key).checkpoint
                if checkpoint.size != kept.size:
                    msg = f"it says size {checkpoint.size}"
                    raise ProofRefused(msg)  # noqa: TRY301
            except ProofRefused as error:
                self._check.add(0, f"the kept checkpoint of size {kept.size} does not hold: {error}")
            else:
                self._check.checkpoints += 1
                yield checkpoint

    def _smallest(self) -> Checkpoint | None:
        waiting = [first for first in (self._next_kept, *self._anchors[:1]) if first]
        return min(waiting, key=lambda checkpoint: checkpoint.size, default=None)

    def sizes_until(self, size: int) -> Iterator[int]:
        """Yield each size up to ``size`` of which there is a checkpoint, for `compare` to be told the root of."""
        while (checkpoint := self._smallest()) and checkpoint.size <= size:
            yield checkpoint.size

    def compare(self, size: int, root: bytes) -> None:
        """Compare the root of a size with all checkpoints of that size."""
        while (checkpoint := self._smallest()) and checkpoint.size == size:
            if checkpoint.root != root:
                what = f"got the root {root.hex()}; expected {checkpoint.root.hex()}"
                self._check.add(0, f"the tree does not hold the {self._take(checkpoint)} of size {size}: {what}")
            else:
                self._take(checkpoint)

    def _take(self, checkpoint: Checkpoint) -> str:
        """Remove the smallest checkpoint; return its kind."""
        if checkpoint is self._next_kept:
            self._next_kept = next(self._kept, None)
            return "kept checkpoint"
        del self._anchors[0]
        return "checkpoint from outside"

    def name_rest(self) -> None:
        """Add a finding for each checkpoint of a size that the tree does not have."""
        while checkpoint := self._smallest():
            kind, size = self._take(checkpoint), checkpoint.size
            self._check.add(0, f"the {kind} says size {size}; the tree has {self._check.size}: later events are lost")
