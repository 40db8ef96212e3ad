"""``tringledger proof consistency``: that the log still has all that an older checkpoint covers."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import click

from api.cli.ledger_access import open_ledger
from api.cli.options import store_option
from api.cli.proof_output import output_option, write_proof


@click.command()
@click.argument("old", metavar="CHECKPOINT", type=click.File("rb"))
@output_option
@click.option(
    "--checkpoint-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the last checkpoint, to which the proof leads.",
)
@store_option
def consistency(old: BinaryIO, output: Path | None, checkpoint_file: Path | None, store: str | None) -> None:
    """Prove that the log still has all that an older CHECKPOINT covers.

    The proof has one hash in base64 on each line. `tringledger verify NEW --older CHECKPOINT --hashes FILE` checks it.
    The exit code is 1 where the log does not continue CHECKPOINT: then events were changed or lost.

    \b
    Examples:
      tringledger proof consistency last-year.checkpoint -o growth.hashes --checkpoint-file today.checkpoint
    """
    from api.application.proofs.proof_files import prove_consistency

    with open_ledger(store) as (ledger, _):
        hashes, last = prove_consistency(ledger, old.read())
    if checkpoint_file:
        write_proof(last, checkpoint_file, "the checkpoint")
    write_proof(hashes, output, "the proof")
