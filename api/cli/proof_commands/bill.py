"""``tringledger proof bill``: a bill as a bundle that proves itself."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.console import note
from api.cli.ledger_access import open_ledger, read_models
from api.cli.options import period_argument, store_option
from api.cli.proof_output import output_option, write_proof


@click.command()
@click.option("--account", required=True, metavar="ACCOUNT", help="Whose bill.")
@click.option("--period", required=True, metavar="YYYY-MM", callback=period_argument, help="Of which month.")
@output_option
@store_option
def bill(account: str, period: str, output: Path | None, store: str | None) -> None:
    """Write the bill of an account for a month as a bundle that can be verified without the ledger.

    The bundle has each event that the bill comes from, with full phone numbers, the tariffs and closings, and what proves
    that all of it stands in the log as of the last checkpoint. `tringledger verify FILE --key VKEY` prints its sum.

    \b
    Examples:
      tringledger proof bill --account acme --period 2026-10 -o acme-2026-10.zip
    """
    from api.application.proofs.bundle_builder import bundle_bill

    with open_ledger(store) as (ledger, _), read_models(ledger, caught_up=True) as read_store:
        made = bundle_bill(ledger, read_store, account, period)
    write_proof(made.content, output, "the bundle")
    note(f"{made.entries} entries from {made.events} events, as of position {made.size} of the log")
