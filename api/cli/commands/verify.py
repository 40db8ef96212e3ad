"""``tringledger verify``: what a proof, a bundle or a checkpoint shows, with nothing but public keys."""

from __future__ import annotations

from typing import BinaryIO

import click

from api.cli.console import note, print_json, print_table
from api.cli.options import format_option


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "--key", required=True, metavar="VKEY", help="The log's public key, as `tringledger proof key` prints it."
)
@click.option(
    "--event", type=click.File("rb"), help="The event that a proof is of, as `proof event --event-file` writes it."
)
@click.option("--older", type=click.File("rb"), help="An older checkpoint that the checkpoint FILE must continue.")
@click.option("--hashes", type=click.File("rb"), help="The proof of that, as `proof consistency` writes it.")
@click.option(
    "--witness", "witnesses", multiple=True, metavar="VKEY", help="The public key of a witness. Repeat it for several."
)
@click.option("--quorum", type=click.IntRange(0), help="How many of the witnesses must have cosigned (default: all).")
@format_option
def verify(
    file: BinaryIO,
    key: str,
    event: BinaryIO | None,
    older: BinaryIO | None,
    hashes: BinaryIO | None,
    witnesses: tuple[str, ...],
    quorum: int | None,
    output: str,
) -> None:
    """Verify a bundle, the proof of an event, or a checkpoint.

    FILE is a bundle of a bill or a call, a proof or a checkpoint; you need no ledger and no network. The events of a bundle
    are checked against the signed root, folded again, and compared with its rows; the sum goes to stdout. If anything does
    not fit, the exit code is 1 and the message says what.

    What it cannot show: that what TringMe said is true, that the bundle has the latest events of each call, and that no
    other call belongs to the account.

    \b
    Examples:
      tringledger verify acme-2026-10.zip --key "$(cat log.vkey)"
      tringledger verify 4711.tlog-proof --event 4711.json --key "$(cat log.vkey)"
      tringledger verify today.checkpoint --older last-year.checkpoint --hashes growth.hashes --key "$(cat log.vkey)"
    """
    from api.application.proofs.offline_verification import OfflineFiles, read_trust, verify_files

    given = (each.read() if each else None for each in (event, older, hashes))
    found = verify_files(OfflineFiles(file.read(), *given), read_trust(key, witnesses, quorum))
    if output == "json":
        print_json(dict(found))
    else:
        print_table(["", ""], found)
    note("it holds")
