"""``tringledger proof checkpoint``: the log's last signed size and root."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.ledger_access import open_ledger
from api.cli.options import store_option
from api.cli.proof_output import output_option, write_proof


@click.command()
@output_option
@store_option
def checkpoint(output: Path | None, store: str | None) -> None:
    """Write the last checkpoint: the log's signed size and root.

    Keep checkpoints in another place: any of them shows later whether the log was changed or lost events.

    \b
    Examples:
      tringledger proof checkpoint -o today.checkpoint
      tringledger proof checkpoint | mail -s "today's checkpoint" auditor@example.com
    """
    from api.application.proofs.proof_files import checkpoint_note

    with open_ledger(store) as (ledger, _):
        content = checkpoint_note(ledger)
    write_proof(content, output, "the checkpoint")
