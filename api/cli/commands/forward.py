"""``tringledger forward``: past a notification that the handler refuses for ever, and what was passed over so."""

from __future__ import annotations

import click

from api.cli.console import note, print_json, print_table
from api.cli.ledger_access import open_ledger
from api.cli.options import format_option, store_option
from domain import times


@click.group()
def forward() -> None:
    """Pass over what the handler at TRINGLEDGER_FORWARD_URL refuses for ever, and see what was.

    \b
    Example:
      tringledger status
      tringledger forward skip 1234 --reason "the handler fails on this tag"
    """


@forward.command()
@click.argument("position", type=click.IntRange(1))
@click.option("--reason", required=True, help="Why; it is kept.")
@store_option
def skip(position: int, reason: str, store: str | None) -> None:
    """Forward nothing up to and including a position that was not forwarded yet; a running service goes on after it.

    Events stay as they are: the handler does not hear of them, no more. `tringledger status` names the position at which
    forwarding stands still.

    \b
    Example:
      tringledger forward skip 1234 --reason "the handler fails on this tag"
    """
    from api.application import forwarding_position as forwarder

    with open_ledger(store) as (ledger, _):
        skipped = forwarder.skip_through(ledger, position, reason, times.now())
    note(f"positions {skipped.first} to {skipped.last} are not forwarded")


@forward.command("skipped")
@format_option
@store_option
def skipped_(output: str, store: str | None) -> None:
    """List what was passed over, when, and why.

    \b
    Example:
      tringledger forward skipped --format json
    """
    import msgspec

    from api.application import forwarding_position as forwarder

    with open_ledger(store) as (ledger, _):
        skips = [msgspec.structs.asdict(skipped) for skipped in forwarder.skipped_ranges(ledger)]
    if output == "json":
        print_json(skips)
    else:
        print_table(["first", "last", "at", "reason"], [list(skipped.values()) for skipped in skips])
