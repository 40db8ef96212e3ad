"""``tringledger archive restore``: a ledger made anew from an archive."""

from __future__ import annotations

import click

from api.cli.console import note, progress
from domain import times


@click.command()
@click.argument("dest", metavar="DEST")
@click.argument("to", metavar="TO")
@click.option("--key", metavar="VKEY", help="The log's public key (default: the one that the archive names).")
def restore(dest: str, to: str, key: str | None) -> None:
    """Make a ledger anew from an archive, in an empty store.

    TO is a store URL: sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE. The archive is verified first. The ledger has the events, and what
    follows from them: delivery keys, signatures, what is known of calls, the tree of proofs, and the read models. It has no
    quarantine, no users and no audit log, and is not signed before `tringledger proof adopt`.

    A backup is newer, and has all of that. An archive is for what no backup has any more.

    \b
    Examples:
      tringledger archive restore s3://archive/tringledger sqlite:///old-years.db
    """
    from api.application.archive.remade_ledger import remake_ledger
    from domain.proofs.keys import VerifierKey

    made = remake_ledger(
        dest, to, VerifierKey.parse(key) if key else None, lambda what, total: progress(what, total, "events")
    )
    manifest = made.check.manifest
    note(
        f"made ledger {manifest.ledger} anew: {manifest.position} events, up to the closing of {manifest.period}; the last was"
        f" recorded at {times.iso(made.last_recorded_at)}"
    )
    note(
        "nothing is signed yet: run `tringledger proof adopt --key VKEY` with the latest checkpoint that left the house"
    )
