"""The check of a whole log against its tree: each stored event, each tile, each kept checkpoint.

The prover looks only at the end of the log. What was changed in place before it is found here, position by position.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from domain.log.contract import Log
from domain.proofs.base64_hashes import HASH_BYTES
from domain.proofs.checkpoint import Checkpoint, verify_checkpoint
from domain.proofs.keys import VerifierKey
from domain.proofs.refusals import ProofRefused
from domain.proofs.tiles import TILE_BYTES, WIDTH, Tile
from domain.proofs.tree import GrowingTree
from projections.proofs.epoch_keys import EpochKeys, shared_checkpoints
from projections.proofs.log_spans import NO_EVENT, LogFinding, Span, cut_spans
from projections.proofs.span_check import CheckedSpan, CheckSpans, hash_spans
from projections.proofs.tree_rows import ProofState, TreeRows

FINDINGS_MAX = 1000
# The leaf hashes of a tree, some thousand at a time, in their order.
Leaves = Iterator[Sequence[bytes]]
OUTSIDE, BEFORE = "checkpoint from outside", "checkpoint that it shares with the epoch before"


@dataclass
class LogCheck:
    """What a check found: ``findings`` has the first FINDINGS_MAX of ``found`` ones; the log holds where there is none.

    ``size`` events are in the tree, with that ``root``; ``head`` is the log's last position: events behind ``size`` are not
    in the tree yet. ``signed`` signatures of notices were checked, of ``unchecked`` ones the key is not at hand;
    ``key_sum`` is the sum of the delivery keys that their notices have.
    """

    size: int
    head: int
    root: bytes = b""
    checkpoints: int = 0
    signed: int = 0
    unchecked: int = 0
    key_sum: int = 0
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

    def take(self, checked: CheckedSpan) -> None:
        """Take over what was found in a span."""
        self.signed += checked.signed
        self.unchecked += checked.unchecked
        self.key_sum += checked.key_sum
        for finding in checked.findings:
            self.add(*finding)


def check_log(
    log: Log,
    rows: TreeRows,
    key: VerifierKey | None = None,
    anchors: Iterable[Checkpoint] = (),
    *,
    tell: Callable[[int], object] = lambda _position: None,
    check_spans: CheckSpans | None = None,
) -> LogCheck:
    """Check all events of a log against its tree, and the tree against its checkpoints.

    ``key`` verifies the kept checkpoints, by default the one that the store names; ``anchors`` are checkpoints from outside,
    verified already, that must hold as well. ``tell`` is called with each position that was reached. ``check_spans``
    reads the log and checks its events by themselves, by default only hashes them.
    """
    state = rows.state()
    check = LogCheck(state.size, log.head())

    def compared() -> Leaves:
        for checked in (check_spans or hash_spans(log))(cut_spans(state.size)):
            leaves = _compare(check, checked, _kept_leaves(check, rows, state, checked.span))
            check.take(checked)
            yield leaves
            tell(checked.span.first + checked.span.length)

    keys = EpochKeys(key, state)
    _check_present(check, rows, state, keys, leaves=compared(), anchors=[(OUTSIDE, each) for each in anchors])
    return check


def check_tree(rows: TreeRows, take: Callable[[Sequence[bytes]], object]) -> LogCheck:
    """Check a tree by itself, tiles and checkpoints, without its log; ``take`` is called with its leaf hashes, in their order."""
    state = rows.state()
    check = LogCheck(state.size, state.size)

    def taken() -> Leaves:
        for leaves in _all_leaves(check, rows, state):
            take(leaves)
            yield leaves

    _check_present(check, rows, state, EpochKeys(None, state), leaves=taken(), anchors=[])
    return check


def _check_present(
    check: LogCheck,
    rows: TreeRows,
    state: ProofState,
    keys: EpochKeys,
    *,
    leaves: Leaves,
    anchors: list[tuple[str, Checkpoint]],
) -> None:
    """Check the tree that these leaves make, and the trees of the epochs before: they are the evidence of what was lost."""
    shared = [(BEFORE, each) for each in shared_checkpoints(rows, state, keys)]
    check.root = _check_epoch(check, rows, state, _Roots(check, rows, state.epoch, keys, anchors + shared), leaves)
    for epoch in range(1, state.epoch):
        last = rows.last_checkpoint(epoch)
        if last is not None:
            older = state._replace(epoch=epoch, size=last.size)
            _check_epoch(check, rows, older, _Roots(check, rows, epoch, keys, []), _all_leaves(check, rows, older))


def _check_epoch(check: LogCheck, rows: TreeRows, state: ProofState, due: "_Roots", leaves: Leaves) -> bytes:
    """Check the tiles of an epoch and its checkpoints against the tree that its leaves make; return the tree's root."""
    tree = _FreshTree(check, rows, state)
    due.compare(0, tree.root())
    for added in leaves:
        _append(tree, due, tree.size, added)
    tree.compare_edges()
    due.name_rest()
    return tree.root()


def _append(tree: "_FreshTree", due: "_Roots", first: int, leaves: Sequence[bytes]) -> None:
    """Add the leaves from an index on to the tree, and compare its root wherever there is a checkpoint."""
    for end in due.sizes_until(first + len(leaves)):
        tree.append(leaves[tree.size - first : end - first])
        due.compare(end, tree.root())
    tree.append(leaves[tree.size - first :])


def _kept_leaves(check: LogCheck, rows: TreeRows, state: ProofState, span: Span) -> bytes:
    """Return the leaf hashes that the tree has of a span."""
    first, count = span
    kept = rows.read_leaves(state.epoch, first // WIDTH, (first + count - 1) // WIDTH)[: count * HASH_BYTES]
    if len(kept) < count * HASH_BYTES:
        what = f"tiles of level 0 are missing or short from position {first + 1} to {first + count}"
        check.add(0, f"{what} (epoch {state.epoch})")
        kept = kept.ljust(count * HASH_BYTES, b"\0")
    return kept


def _all_leaves(check: LogCheck, rows: TreeRows, state: ProofState) -> Leaves:
    for span in cut_spans(state.size):
        yield _split(_kept_leaves(check, rows, state, span))


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[start : start + HASH_BYTES] for start in range(0, len(hashes), HASH_BYTES)]


def _compare(check: LogCheck, checked: CheckedSpan, kept: bytes) -> list[bytes]:
    """Add a finding for each event that is not the one in the tree; return the leaf hashes of the tree."""
    leaves = checked.leaves
    if b"".join(leaves) == kept:
        return leaves
    expected = _split(kept)
    for position, (leaf, wanted) in enumerate(zip(leaves, expected, strict=True), checked.span.first + 1):
        if leaf != wanted:
            what = "is missing from the log" if leaf == NO_EVENT else "is not the event in the tree"
            check.add(position, f"the event at position {position} {what}")
    return expected


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
            what = f"tile {tile.number} of level {tile.level} does not fit the tiles below it"
            self._check.add(0, f"{what} (epoch {self._epoch})")


class _Roots:
    """The checkpoints that the tree must lead to, smallest first: stored ones, and others with what they are called."""

    def __init__(
        self, check: LogCheck, rows: TreeRows, epoch: int, keys: EpochKeys, anchors: Iterable[tuple[str, Checkpoint]]
    ) -> None:
        self._check = check
        self._kind = "kept checkpoint" + (f" (epoch {epoch})" if epoch != keys.present else "")
        self._kept = self._verified(rows, epoch, keys)
        self._anchors = sorted(anchors, key=lambda anchor: anchor[1].size)
        self._next_kept = next(self._kept, None)

    def _verified(self, rows: TreeRows, epoch: int, keys: EpochKeys) -> Iterator[Checkpoint]:
        for kept in rows.checkpoints(epoch):
            try:
                checkpoint = verify_checkpoint(kept.note, keys.key_of(epoch, kept.note)).checkpoint
                if checkpoint.size != kept.size:
                    msg = f"it says size {checkpoint.size}"
                    raise ProofRefused(msg)  # noqa: TRY301
            except ProofRefused as error:
                self._check.add(0, f"the {self._kind} of size {kept.size} does not hold: {error}")
            else:
                self._check.checkpoints += 1
                yield checkpoint

    def _smallest(self) -> Checkpoint | None:
        waiting = [first for first in (self._next_kept, *(anchor for _, anchor in self._anchors[:1])) if first]
        return min(waiting, key=lambda checkpoint: checkpoint.size, default=None)

    def sizes_until(self, size: int) -> Iterator[int]:
        """Yield each size up to ``size`` of which there is a checkpoint, for `compare` to be told the root of."""
        while (checkpoint := self._smallest()) and checkpoint.size <= size:
            yield checkpoint.size

    def compare(self, size: int, root: bytes) -> None:
        """Compare the root of a size with all checkpoints of that size."""
        while (checkpoint := self._smallest()) and checkpoint.size == size:
            kind = self._take(checkpoint)
            if checkpoint.root != root:
                what = f"got the root {root.hex()}; expected {checkpoint.root.hex()}"
                self._check.add(0, f"the tree does not hold the {kind} of size {size}: {what}")

    def _take(self, checkpoint: Checkpoint) -> str:
        """Remove the smallest checkpoint; return its kind."""
        if checkpoint is self._next_kept:
            self._next_kept = next(self._kept, None)
            return self._kind
        kind, _ = self._anchors.pop(0)
        return kind

    def name_rest(self) -> None:
        """Add a finding for each checkpoint of a size that the tree does not have."""
        while checkpoint := self._smallest():
            kind, size = self._take(checkpoint), checkpoint.size
            self._check.add(0, f"the {kind} says size {size}; the tree has {self._check.size}: later events are lost")
