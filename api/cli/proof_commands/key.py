"""``tringledger proof key``: the public key of the log, or a new key for it."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.console import note
from api.cli.ledger_access import open_ledger
from api.cli.options import store_option


@click.command()
@click.option(
    "--generate",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Make a new key and write it to FILE, which must not exist; only you can read it.",
)
@store_option
def key(generate: Path | None, store: str | None) -> None:
    """Show the log's public key, or make a new key.

    The public key (vkey) goes to stdout: give it to those who will verify bills, in a way that the log's operator does not
    control alone. The private key stays in its file, which TRINGLEDGER_LOG_KEY names.

    \b
    Examples:
      tringledger proof key --generate /etc/tringledger/log.key
      TRINGLEDGER_LOG_KEY=/etc/tringledger/log.key tringledger proof key > log.vkey
    """
    from api.application.proofs.log_key import default_origin, public_key
    from api.application.proofs.prover_settings import signing_settings
    from domain.proofs.keys import SigningKey, write_key_file

    with open_ledger(store) as (ledger, read):
        if generate is None:
            shown = public_key(ledger, signing_settings(read))
        else:
            made = SigningKey.generate(read.origin or default_origin(ledger))
            write_key_file(generate, made)
            shown = made.verifier
            note(
                f"a new key for {made.name} is in {generate}; set TRINGLEDGER_LOG_KEY={generate} where the prover runs"
            )
    click.echo(shown.text)
