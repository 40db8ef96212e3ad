"""Copying a ledger with its proofs: refused where the source does not hold, and checked in the copy before anybody uses it."""

from contextlib import closing
from functools import partial

from domain import times
from domain.copying.copy import CopyReport, Progress, copy_ledger
from domain.ledger import Ledger
from domain.log.contract import Log
from projections.proofs.checked_tree import CheckedTree, check_against_tree
from projections.proofs.proof_store import find_proofs
from projections.proofs.tree_copy import copy_tree
from projections.proofs.tree_rows import TreeRows


def copy_with_proofs(
    source: Ledger, url: str, progress: Progress, *, unproven: bool = False
) -> tuple[CopyReport, CheckedTree | None]:
    """Copy a ledger into the store at a URL, its proofs with it; return what was copied, and the tree that it holds against.

    The copy's tree is marked: it grows, and is not signed until an operator adopts it. Raises LogUnproven where the source
    does not hold against its proofs, unless ``unproven``, and what `copy_ledger` raises.
    """
    tree = check_against_tree(source, unproven=unproven)
    proofs = find_proofs(source.url, source.id)
    if proofs is None:
        return copy_ledger(source, url, times.now, progress), tree
    with closing(proofs), proofs.reading() as rows:
        rows.state()  # From here on the tree is seen as it is now: no larger than the log that is copied.
        finish = partial(_finish, source, rows, url, unproven=unproven)
        return copy_ledger(source, url, times.now, progress, finish=finish), tree


def _finish(source: Ledger, rows: TreeRows, url: str, target: Log, *, unproven: bool) -> None:
    copy_tree(rows, target, url, source.id, f"copied from {source.shown_url}", unproven=unproven)
