"""``tringledger proof event``: that an event stands in the log."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.ledger_access import open_ledger
from api.cli.options import store_option
from api.cli.proof_output import output_option, write_proof


@click.command()
@click.argument("position", type=click.IntRange(1))
@output_option
@click.option(
    "--event-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the event itself, as JSON: `tringledger verify --event` takes it.",
)
@store_option
def event(position: int, output: Path | None, event_file: Path | None, store: str | None) -> None:
    """Prove that the event at POSITION stands in the log.

    The proof (a .tlog-proof) has the hashes that lead from the event to the last checkpoint, and that checkpoint.

    \b
    Examples:
      tringledger proof event 4711 -o 4711.tlog-proof --event-file 4711.json
    """
    from api.application.proofs.event_file import encode_event
    from api.application.proofs.proof_files import prove_event

    with open_ledger(store) as (ledger, _):
        found, row = prove_event(ledger, position)
    if event_file:
        write_proof(encode_event(row), event_file, "the event")
    write_proof(found.encode(), output, "the proof")
