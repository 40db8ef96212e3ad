"""``tringledger archive verify``: the check of an archive, on any machine."""

from __future__ import annotations

from typing import BinaryIO

import click

from api.cli.console import note, print_json, progress
from api.cli.exit_codes import DONE, FINDING
from api.cli.options import format_option


@click.command()
@click.argument("dest", metavar="DEST")
@click.option("--key", metavar="VKEY", help="The log's public key (default: the one that the archive names).")
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=click.File("rb"),
    help="A checkpoint kept outside, of no more events than the archive has. Repeat it for several.",
)
@format_option
@click.pass_context
def verify(context: click.Context, dest: str, key: str | None, checkpoints: tuple[BinaryIO, ...], output: str) -> None:
    """Check an archive, without the ledger that it was made of.

    Each file must have its digest, each event the hash of its entry, and all events the root that signed checkpoints cover.
    What does not hold is named, by file and position; the exit code is then 1. Give the key, as you know it from elsewhere:
    an archive that somebody made up names a key that fits.

    \b
    Examples:
      tringledger archive verify /var/archive/tringledger --key "$(cat log.vkey)"
      tringledger archive verify s3://archive/tringledger --checkpoint last-year.checkpoint
    """
    from api.application.archive.archive_check import check_archive
    from api.application.archive.folder import ArchiveFolder
    from domain.proofs.keys import VerifierKey

    check = check_archive(
        ArchiveFolder(dest),
        VerifierKey.parse(key) if key else None,
        [each.read() for each in checkpoints],
        lambda what, total: progress(what, total, "events"),
    )
    manifest = check.manifest
    if output == "json":
        shown = {"holds": check.holds, "ledger": manifest.ledger, "position": manifest.position, "root": manifest.root}
        shown |= {"period": manifest.period, "checkpoints": check.checkpoints, "signed": check.signed}
        print_json(shown | {"found": check.found, "findings": check.findings})
    else:
        for finding in check.findings:
            click.echo(finding)
    if not check.holds:
        more = check.found - len(check.findings)
        note(f"the archive does not hold: {check.found} findings" + (f" ({more} not shown)" if more else ""))
        context.exit(FINDING)
    note(
        f"the archive of ledger {manifest.ledger} holds: {manifest.position} events, {check.checkpoints} checkpoints, which"
        f" cover the positions 1 to {check.signed}"
        + ("" if key or not check.checkpoints else ", by the key that it names itself")
    )
    context.exit(DONE)
