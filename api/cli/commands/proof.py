"""``tringledger proof``: the log's key, checkpoints, proofs of events and calls, publication, and the full check."""

from __future__ import annotations

import click

from api.cli.lazy_group import LazyGroup

SUMMARIES = {
    "adopt": "Let a copied, restored or new tree be signed, once it holds CHECKPOINT.",
    "bill": "Write the bill of an account for a month as a bundle that can be verified without the ledger.",
    "call": "Write the events of a call as a bundle that can be verified without the ledger.",
    "checkpoint": "Write the last checkpoint: the log's signed size and root.",
    "consistency": "Prove that the log still has all that an older CHECKPOINT covers.",
    "event": "Prove that the event at POSITION stands in the log.",
    "fork": "Continue a log that lost signed events under a new name.",
    "key": "Show the log's public key, or make a new key.",
    "publish": "Write the log as static files to DIR, for any web server.",
    "verify": "Check every event against the tree, the tree against checkpoints, and every notice against itself.",
}


@click.group(cls=LazyGroup, package="api.cli.proof_commands", summaries=SUMMARIES)
def proof() -> None:
    """Prove that the log was not changed since it was signed.

    A tree over all events is kept next to the log, with signed checkpoints of it. `tringledger verify` checks what these
    commands write, with nothing but the public key.
    """
