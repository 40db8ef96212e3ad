"""``tringledger proof verify``: the full check of a ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import click

from api.cli.console import note, print_json, progress
from api.cli.exit_codes import DONE, FINDING
from api.cli.ledger_access import open_ledger
from api.cli.options import format_option, store_option

if TYPE_CHECKING:
    from projections.proofs.log_check import LogCheck


@click.command()
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=click.File("rb"),
    help="A checkpoint kept outside: the log must still have all that it covers. Repeat it for several.",
)
@click.option("--key", metavar="VKEY", help="The log's public key (default: the one by which the log was signed last).")
@format_option
@store_option
@click.pass_context
def verify(
    context: click.Context, checkpoints: tuple[BinaryIO, ...], key: str | None, output: str, store: str | None
) -> None:
    """Check every event against the tree, the tree against checkpoints, and every notice against itself.

    A notice must fit its delivery key and, with TRINGME_PRIVATE_KEY set, its signature. Each position that does not hold
    goes to stdout; the exit code is then 1. Checkpoints that you kept outside show what the ledger itself cannot: that log
    and proofs were restored together.

    \b
    Examples:
      tringledger proof verify
      tringledger proof verify --checkpoint last-year.checkpoint
    """
    from api.application.proofs.log_verification import verify_log
    from domain.proofs.keys import VerifierKey

    with open_ledger(store) as (ledger, read), progress("Verifying", ledger.head(), "events") as moved:
        found = verify_log(
            ledger,
            key=VerifierKey.parse(key) if key else None,
            checkpoints=[each.read() for each in checkpoints],
            private_keys=read.private_keys,
            tell=moved,
        )
    if output == "json":
        print_json(_document(found))
    else:
        for finding in found.findings:
            click.echo(f"{finding.position or '-'}\t{finding.what}")
    _tell(found)
    context.exit(DONE if found.holds else FINDING)


def _tell(check: LogCheck) -> None:
    if check.holds:
        signatures = f", {check.signed} signatures" if check.signed else ""
        unchecked = f" ({check.unchecked} signatures not checked: their key is not at hand)" if check.unchecked else ""
        note(f"the log holds: {check.size} events, {check.checkpoints} checkpoints{signatures}{unchecked}")
    else:
        more = check.found - len(check.findings)
        note(f"the log does not hold: {check.found} findings" + (f" ({more} not shown)" if more else ""))
    if check.head > check.size:
        note(f"{check.head - check.size} events are not in the tree yet: nothing is known of them")


def _document(check: LogCheck) -> dict[str, object]:
    findings = [{"position": each.position or None, "what": each.what} for each in check.findings]
    return {
        "holds": check.holds,
        "size": check.size,
        "head": check.head,
        "root": check.root.hex(),
        "checkpoints": check.checkpoints,
        "signatures": {"checked": check.signed, "unchecked": check.unchecked},
        "found": check.found,
        "findings": findings,
    }
