"""``tringledger undo``: reverse an operator event by another event."""

from __future__ import annotations

import click

from api.cli.correction_output import run_operator_command
from api.cli.options import author_options, dry_run_option, format_option, store_option


@click.command()
@click.argument("position", type=click.IntRange(min=1))
@author_options
@dry_run_option
@format_option
@store_option
def undo(position: int, by: str, reason: str, dry_run: bool, output: str, store: str | None) -> None:
    """Reverse a correction, named by its position in the log.

    Corrections are splits, merges, releases, voids, reratings, adjustments and resolutions. Nothing is deleted: both events stay. The bill of a closed month stays too; the difference is posted to the first open
    month. You cannot undo a published tariff (publish another version instead) or a closing.

    \b
    Examples:
      tringledger undo 217 --by kim --reason "the wrong call"
    """
    run_operator_command(store, by, reason, lambda session: session.undo(position), output, dry_run=dry_run)
