"""``tringledger undo``: reverse what an operator did, by another event."""

from __future__ import annotations

import click

from api.cli.operator_command import run_operator_command
from api.cli.options import author_options, format_option, store_option


@click.command()
@click.argument("position", type=click.IntRange(min=1))
@author_options
@format_option
@store_option
def undo(position: int, by: str, reason: str, output: str, store: str | None) -> None:
    """Reverse a correction, named by its position in the log: a split, merge, release, void, rerating or adjustment.

    Nothing is deleted: both events stay. What was billed in a closed month stays too, the difference is posted to the first
    open one. A publication is followed by another one instead, and a closing is for ever.

    \b
    Examples:
      tringledger undo 217 --by kim --reason "the wrong call"
    """
    run_operator_command(store, by, reason, lambda session: session.undo(position), output)
