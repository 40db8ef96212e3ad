"""``tringledger proof publish``: the log's tree as static files."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.console import note
from api.cli.ledger_access import open_ledger
from api.cli.options import store_option


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@store_option
def publish(directory: Path, store: str | None) -> None:
    """Write the log as static files to DIR, for any web server.

    Only what DIR lacks is written: tiles and entries first, the checkpoint last, each file whole or not at all. Entries
    hold digests of events, no numbers and no amounts.

    \b
    Examples:
      tringledger proof publish /srv/www/log
    """
    from api.application.proofs import publication

    with open_ledger(store) as (ledger, _):
        done = publication.publish(ledger, directory)
    note(f"{directory} has the log up to position {done.size}: {done.files} files written")
