"""The full check of a ledger: each event against the tree, the tree against checkpoints, and each notice against itself."""

from collections.abc import Callable, Sequence

from api.application.proofs.proof_files import opened_proofs
from domain.ledger import Ledger
from domain.proofs.checkpoint import Checkpoint, verify_checkpoint
from domain.proofs.keys import VerifierKey
from domain.proofs.refusals import ProofRefused
from projections.proofs.delivery_key_check import check_delivery_keys
from projections.proofs.log_check import LogCheck, check_log
from projections.proofs.span_workers import choose_check
from projections.proofs.tree_rows import TreeRows


def verify_log(
    ledger: Ledger,
    *,
    key: VerifierKey | None = None,
    checkpoints: Sequence[bytes] = (),
    private_keys: Sequence[str] = (),
    tell: Callable[[int], object] = lambda _position: None,
) -> LogCheck:
    """Check a ledger whole; ``checkpoints`` are notes from outside, verified by ``key`` or by the key that signed the log.

    Raises NoProof where there is no tree, ProofRefused where a checkpoint from outside is not the log's.
    """
    ledger.store.keep_few_pages()
    with opened_proofs(ledger) as store, store.reading() as rows:
        anchors = [_anchor(rows, key, each) for each in checkpoints]
        check_spans = choose_check(ledger, private_keys)
        check = check_log(ledger.store, rows, key, anchors, tell=tell, check_spans=check_spans)
    check_delivery_keys(ledger.store, check)
    return check


def _anchor(rows: TreeRows, key: VerifierKey | None, note: bytes) -> Checkpoint:
    state = rows.state()
    if key is None and not state.vkey:
        raise ProofRefused("nothing was signed here, so no key is known; expected --key VKEY to verify the checkpoint")
    return verify_checkpoint(note, key or VerifierKey.parse(state.vkey)).checkpoint
