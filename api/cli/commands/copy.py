"""``tringledger copy``: copy a ledger into another store, from a file to PostgreSQL or back, and compare the two."""

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
@click.option("--unproven", is_flag=True, help="Copy a log that does not match its proofs, too.")
def copy(origin: str, to: str, unproven: bool) -> None:
    """Copy a ledger into another store, and compare the two.

    FROM and TO are store URLs: sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE. Every event keeps its
    position. Delivery keys, lines, quarantine and the position of forwarding are copied too; read models are built
    again from the log.

    TO must be empty, or an earlier copy of this ledger that nothing else has written to. Missing tables are created; an
    empty ledger that `migrate` has just created is replaced. Nothing else can use TO until the copy is complete. If the
    copy is interrupted, run it again: it continues where it stopped. A service can keep writing to FROM. To move for
    good, stop the service and run the copy again; it then writes only what is new.

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
            f"FROM has {report.behind} new events since then, or new notices in quarantine: to move for good, stop the"
            " service and run this command again"
        )
