"""``tringledger restore``: bring a backup back, once all of it is verified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.console import note, progress
from domain import times

if TYPE_CHECKING:
    from api.application.backup.restoration import Restored


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("to", metavar="TO")
@click.option(
    "--checkpoint",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The latest checkpoint that you keep elsewhere: it shows whether signed events are missing.",
)
@click.option("--key", metavar="VKEY", help="The log's public key (default: the one that the backup names).")
@click.option(
    "--accept-loss", is_flag=True, help="Restore although signed events are missing, and note that in the log."
)
@click.option("--by", metavar="NAME", default="", help="--accept-loss: who accepts it.")
@click.option("--reason", metavar="TEXT", default="", help="--accept-loss: why.")
def restore(
    folder: Path, to: str, checkpoint: Path | None, key: str | None, accept_loss: bool, by: str, reason: str
) -> None:
    """Verify a backup, and restore it into an empty store.

    DIR is the folder of the backup. TO is a store URL: sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE. Nothing is restored before everything
    fits: each file its SHA-256, each event its leaf in the tree, the tree its signed checkpoints and FILE, the read models
    the certificate of the last rebuild. What does not fit is named, and nothing is restored (exit code 1).

    \b
    Examples:
      tringledger restore /var/backups/tringledger/LEDGER-90122 sqlite:///tringledger.db --checkpoint last.checkpoint
    """
    from api.application.backup.restoration import RestoreOptions, restore_backup
    from api.web.auth.store_copy import load_access
    from domain.operators.author import Author
    from domain.proofs.keys import VerifierKey

    if accept_loss and not (checkpoint and by and reason):
        raise click.UsageError("--accept-loss needs --checkpoint, --by and --reason: expected all of them")
    options = RestoreOptions(
        checkpoint.read_bytes() if checkpoint else None,
        VerifierKey.parse(key) if key else None,
        Author(by, reason) if accept_loss else None,
    )
    done = restore_backup(folder, to, load_access, options, lambda what, total: progress(what, total, "rows"))
    _tell(done)


def _tell(done: Restored) -> None:
    note(f"restored ledger {done.manifest.ledger}, {done.manifest.head} events, as it was at {done.manifest.made_at}")
    if not done.has_proofs:
        note("the backup has no proofs: nothing shows that its events are those that were recorded")
    if not done.is_certified:
        note("the backup has no certificate that this version can compare its read models with")
    if done.lost:
        note(f"{done.lost} signed events are lost; the log continues as a new epoch of its proofs, and records that")
    if not done.is_signed_again:
        note(
            "nothing is signed yet, since no later checkpoint was given: run `tringledger proof adopt` with the latest one"
            " that left the house"
        )
    since = f"since {times.iso(done.last_recorded_at)}" if done.last_recorded_at else "so far"
    note(
        f"what TringMe has sent {since} can be taken again from your proxy's access log (`tringledger import --format"
        " access-log`): what the ledger has already stays a duplicate"
    )
