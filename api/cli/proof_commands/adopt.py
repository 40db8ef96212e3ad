"""``tringledger proof adopt``: a tree that signed nothing here may sign from now on."""

from __future__ import annotations

from typing import BinaryIO

import click

from api.cli.console import note
from api.cli.ledger_access import open_ledger
from api.cli.options import store_option


@click.command()
@click.argument("checkpoint", metavar="CHECKPOINT", type=click.File("rb"))
@click.option("--key", metavar="VKEY", help="The log's public key (default: the one that the tree names).")
@store_option
def adopt(checkpoint: BinaryIO, key: str | None, store: str | None) -> None:
    """Let a copied, restored or new tree be signed, once it holds CHECKPOINT.

    Take the last checkpoint that you keep in another place. Two stores of one ledger that both sign are two histories: stop the
    service of the other one first.

    \b
    Examples:
      tringledger proof adopt last.checkpoint
    """
    from api.application.proofs.log_forks import adopt_tree
    from domain.proofs.keys import VerifierKey

    with open_ledger(store) as (ledger, _):
        found = adopt_tree(ledger, checkpoint.read(), VerifierKey.parse(key) if key else None)
    note(f"the tree holds the checkpoint of {found.origin} of size {found.size}, and is signed from now on")
