"""Fold a log and check it against its proof tree at once: each event is hashed as it is folded, so that none is read twice.

The tree is checked first, by itself: its tiles against one another and against the signed checkpoints. Then all events that
were folded must have its leaves, and no others. Only where they do not is the log read again, to name each position.
"""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager

from msgspec import structs

from domain.errors import Unavailable
from domain.ledger import Ledger
from projections.building.partitions import FoldedPart, FoldStrategy, Range, SharedBuild
from projections.proofs.checked_tree import CheckedTree, LogUnproven, check_against_tree
from projections.proofs.leaf_product import NOTHING, PRIME, LeafPoint, multiply_leaves
from projections.proofs.proof_store import find_proofs


class ProvenFolding:
    """Folds as another strategy does, and checks what is folded; ``tree`` is what it was checked against, if there is one."""

    def __init__(self, ledger: Ledger, folding: FoldStrategy, *, unproven: bool) -> None:
        """Check the tree by itself; raises LogUnproven where it or the log does not hold, unless ``unproven`` is set."""
        self.jobs = folding.jobs
        self.tree: CheckedTree | None = None
        self._ledger = ledger
        self._folding = folding
        self._unproven = unproven
        self._at: LeafPoint | None = None
        self._folded = self._kept = NOTHING
        self._check_tree()

    def _check_tree(self) -> None:
        store = find_proofs(self._ledger.url, self._ledger.id)
        if store is None:
            return
        from projections.proofs.log_check import check_tree  # noqa: PLC0415 - most rebuilds have no tree

        point = secrets.randbelow(PRIME)

        def take(leaves: Iterable[bytes]) -> None:
            self._kept = multiply_leaves(self._kept, point, leaves)

        with closing(store), store.reading() as rows:
            check = check_tree(rows, take)
        if not check.holds or self._ledger.head() < check.size:
            self.tree = self._check_whole()
            return
        self.tree = CheckedTree(check.size, check.root.hex(), holds=True)
        self._at = LeafPoint(check.size, point)

    def _check_whole(self) -> CheckedTree | None:
        return check_against_tree(self._ledger, unproven=self._unproven)

    def __call__(  # noqa: D102
        self,
        ledger: Ledger,
        cut: int,
        ranges: Iterable[Range],
        at: LeafPoint | None = None,
        into: SharedBuild | None = None,
    ) -> Iterator[FoldedPart]:
        parts = self._folding(ledger, cut, ranges, at or self._at, into)
        with closing(parts):  # type: ignore[type-var]
            for part in parts:
                self._folded = self._folded * part.leaves % PRIME
                yield part

    @contextmanager
    def checking(self) -> Iterator[None]:
        """Check what was folded in a block; where it fails, and the log does not hold, that is the reason to give.

        Raises LogUnproven, unless ``unproven`` was set.
        """
        try:
            yield
        except Unavailable:
            raise
        except Exception:
            if self._at:
                self._check_whole()
            raise
        if self._at and self._folded != self._kept:
            self._refuse()

    def _refuse(self) -> None:
        whole = self._check_whole()
        if not self._unproven:
            msg = (
                "the events that were read are not those of the proofs, though the log holds now: got others, or more; expected"
                " a log that nobody changes meanwhile. Run the rebuild again; --unproven continues anyway"
            )
            raise LogUnproven(msg)
        self.tree = whole and structs.replace(whole, holds=False)
