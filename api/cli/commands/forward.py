"""``tringledger forward``: skip notifications that the handler keeps refusing, and list what was skipped."""

from __future__ import annotations

import click

from api.cli.console import note, print_json, print_table
from api.cli.ledger_access import open_ledger
from api.cli.options import format_option, store_option
from domain import times


@click.group()
def forward() -> None:
    """Skip notifications that your handler keeps refusing.

    The handler is the one at TRINGLEDGER_FORWARD_URL.

    \b
    Example:
      tringledger status
      tringledger forward skip 1234 --reason "the handler fails on this tag"
    """


@forward.command()
@click.argument("position", type=click.IntRange(1))
@click.option("--reason", required=True, help="Why; kept permanently.")
@store_option
def skip(position: int, reason: str, store: str | None) -> None:
    """Skip everything up to and including a position; a running service continues after it.

    The events stay in the ledger; only the handler does not receive them. `tringledger status` names the position at
    which forwarding stopped.

    \b
    Example:
      tringledger forward skip 1234 --reason "the handler fails on this tag"
    """
    from api.application import forwarding_position as forwarder

    with open_ledger(store) as (ledger, _):
        skipped = forwarder.skip_through(ledger, position, reason, times.now())
    note(f"skipped positions {skipped.first} to {skipped.last}")


@forward.command("skipped")
@format_option
@store_option
def skipped_(output: str, store: str | None) -> None:
    """List what was skipped, when and why.

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
