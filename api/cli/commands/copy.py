"""``tringledger copy``: move a ledger into another store, from a file to PostgreSQL or back, and know that it is all there."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import click

from api.cli.console import note, progress

if TYPE_CHECKING:
    from domain.copying.copy import CopyReport


@click.command("copy")
@click.argument("origin", metavar="FROM")
@click.argument("to", metavar="TO")
@click.option("--unproven", is_flag=True, help="Copy a log that does not hold against its proofs, too.")
def copy(origin: str, to: str, unproven: bool) -> None:
    """Copy a ledger, as it is at this moment, from one store into another, and compare the two.

    FROM and TO are addresses: sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE. Every event keeps its
    position; delivery keys, lines, quarantine and how far forwarding has come are copied with it. Read models are made
    anew from the log.

    TO must be empty (tables are made where there are none; a ledger that `migrate` has just created, with nothing in
    it, is given up), or a copy of this very ledger that nobody has written since. Until the copy is complete, nothing else
    can use it. After an interruption run it again: it goes on where it was. A service may go on writing FROM; to move for
    good, stop it, and run the copy once more, which writes only what is new.

    The proofs are copied with it, and a log that does not hold against them is refused. The copy signs no checkpoints until
    `tringledger proof adopt` there, so that two stores of one ledger never both sign.

    \b
    Examples:
      tringledger copy sqlite:///tringledger.db postgresql://ledger@db.example.com/tringledger
      tringledger copy postgresql://ledger@db.example.com/tringledger sqlite:///backup.db
    """
    from api.application.proofs.copied_ledger import copy_with_proofs
    from domain.ledger import Ledger

    begun_at = monotonic()
    with Ledger(origin) as source:
        report, tree = copy_with_proofs(
            source, to, lambda what, total: progress(what, total, "rows"), unproven=unproven
        )
    _print(report, monotonic() - begun_at)
    if tree:
        held = "it holds against" if tree.holds else "IT DOES NOT HOLD against"
        note(f"{held} its proofs of {tree.size} events; it signs none until `tringledger proof adopt CHECKPOINT` there")


def _print(report: CopyReport, seconds: float) -> None:
    from domain.log.tables import DELIVERY_KEYS, EVENTS, LINE_CALLS, QUARANTINE

    rows = report.rows
    note(
        f"the copy is complete: {rows[EVENTS.name]} events, {rows[DELIVERY_KEYS.name]} delivery keys,"
        f" {rows[LINE_CALLS.name]} calls, {rows[QUARANTINE.name]} in quarantine, digest {report.digest},"
        f" {seconds:.1f} s"
    )
    if report.is_behind:
        note(
            f"meanwhile FROM has got {report.behind} events, or something in quarantine: to move, stop what writes it,"
            " and run this again"
        )
