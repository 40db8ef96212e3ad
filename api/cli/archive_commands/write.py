"""``tringledger archive write``: the events of closed months, into a folder or any other storage."""

from __future__ import annotations

import click

from api.cli.console import note, progress
from api.cli.ledger_access import open_ledger
from api.cli.options import store_option


@click.command()
@click.argument("dest", metavar="DEST")
@store_option
def write(dest: str, store: str | None) -> None:
    """Archive the events up to the last closing into DEST.

    DEST is a folder, or an address that fsspec knows, such as s3://bucket/prefix. It must be empty, or an archive of this
    ledger: then only what is new is added. Parts are Parquet files, and count once manifest.json names them. A run that
    was interrupted changes nothing; run the command again.

    Each event is there as it is stored, phone numbers, and passwords in SIP addresses, among them. The quarantine, the
    users and the audit log are not in an archive: `tringledger backup` saves them.

    \b
    Examples:
      tringledger archive /var/archive/tringledger
      tringledger archive s3://archive/tringledger
    """
    from api.application.archive.archive_run import archive_closed_months

    with open_ledger(store) as (ledger, _):
        done = archive_closed_months(ledger, dest, lambda what, total: progress(what, total, "events"))
    manifest = done.manifest
    size = sum(part.bytes for part in manifest.events)
    note(
        f"{done.added} events added; the archive has the positions 1 to {manifest.position}, up to the closing of"
        f" {manifest.period}, in {len(manifest.events)} parts of {size} bytes, root {manifest.root}"
    )
    if not any(each.position == manifest.position for each in manifest.checkpoints):
        note("the ledger has no signed checkpoint: nothing but digests shows that these events are those that it has")
