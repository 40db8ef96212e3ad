"""Whether a log holds against its tree: what a rebuild and a copy ask before they pass its events on."""

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from domain.errors import LedgerError
from domain.ledger import Ledger
from projections.proofs.proof_store import find_proofs

if TYPE_CHECKING:
    from projections.proofs.log_check import LogCheck

FINDINGS_TOLD = 3


class LogUnproven(LedgerError):
    """The log does not hold against its proofs: something in it was changed or lost."""


class CheckedTree(msgspec.Struct, frozen=True):
    """The tree against which a log was checked: its size, its root in hexadecimal digits, and whether the log holds."""

    size: int
    root: str
    holds: bool


def check_against_tree(
    ledger: Ledger, *, unproven: bool = False, tell: Callable[[int], object] = lambda _position: None
) -> CheckedTree | None:
    """Check the events of a ledger against its tree, and return the tree; None where there is none.

    Raises LogUnproven where the log does not hold, unless ``unproven`` is set.
    """
    store = find_proofs(ledger.url, ledger.id)
    if store is None:
        return None
    from projections.proofs.log_check import check_log  # noqa: PLC0415 - certificates are read without checking a log

    with closing(store), store.reading() as rows:
        check = check_log(ledger.store, rows, tell=tell)
    if not check.holds and not unproven:
        msg = (
            f"the log does not hold against its proofs: {_told(check)}. `tringledger proof verify` names each position;"
            " --unproven continues anyway"
        )
        raise LogUnproven(msg)
    return CheckedTree(check.size, check.root.hex(), check.holds)


def _told(check: "LogCheck") -> str:
    told = "; ".join(finding.what for finding in check.findings[:FINDINGS_TOLD])
    return told + (f" (and {check.found - FINDINGS_TOLD} more)" if check.found > FINDINGS_TOLD else "")
