"""``tringledger backup``: save a ledger while its service runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.console import note, progress
from api.cli.ledger_access import open_ledger
from api.cli.options import store_option

if TYPE_CHECKING:
    from api.application.backup.manifest import BackupManifest
    from domain.ledger import Ledger


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--keep", type=click.IntRange(1), metavar="N", help="Remove all but the newest N backups of this ledger in DIR."
)
@store_option
def backup(folder: Path, keep: int | None, store: str | None) -> None:
    """Save a ledger into a new folder, while the service runs.

    The folder is DIR/LEDGER-HEAD, and has the ledger as it is at this moment. It has the log, the proofs, the users and the audit log, and manifest.json with the
    SHA-256 of each file. The signing key and your settings are not in it: keep them elsewhere. Read models are not in it:
    `tringledger restore` makes them from the log.

    \b
    Examples:
      tringledger backup /var/backups/tringledger --keep 14
    """
    from api.application.backup.creation import make_backup
    from api.web.auth.store_copy import save_access

    with open_ledger(store) as (ledger, _):
        made = make_backup(ledger, folder, save_access, keep, lambda what, total: progress(what, total, "rows"))
        unknown = _save_last(ledger, made.manifest)
    size = sum(file.bytes for file in made.manifest.files)
    click.echo(made.folder)
    note(f"{made.manifest.head} events, {made.manifest.tree_size} of them in the tree of proofs, {size} bytes")
    for removed in made.removed:
        note(f"removed {removed}")
    if unknown:
        note(f"the ledger does not know of this backup, so metrics do not show it: {unknown}")


def _save_last(ledger: Ledger, manifest: BackupManifest) -> str:
    """Note the backup in the ledger; return why that cannot be: a role of PostgreSQL that only reads can make backups."""
    from api.application.backup.manifest import save_last_backup
    from domain.errors import LedgerError

    try:
        save_last_backup(ledger, manifest)
    except LedgerError as error:
        return str(error)
    return ""
