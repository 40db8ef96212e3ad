"""``tringledger proof call``: a call as a bundle that proves itself."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.console import note
from api.cli.ledger_access import open_ledger
from api.cli.options import CallIdParameter, store_option
from api.cli.proof_output import output_option, write_proof


@click.command()
@click.argument("call_id", metavar="ID", type=CallIdParameter())
@output_option
@store_option
def call(call_id: str, output: Path | None, store: str | None) -> None:
    """Write the events of a call as a bundle that can be verified without the ledger.

    ID may be the beginning of an id, from 4 digits on, if no other call begins with it.

    \b
    Examples:
      tringledger proof call 78eb532d-9e3f-5d0a-9f53-0a3f7a2f5b11 -o call.zip
    """
    from api.application.call_ids import find_call_id
    from api.application.proofs.bundle_builder import bundle_call

    with open_ledger(store) as (ledger, _):
        made = bundle_call(ledger, find_call_id(ledger, call_id))
    write_proof(made.content, output, "the bundle")
    note(f"{made.events} events, as of position {made.size} of the log")
