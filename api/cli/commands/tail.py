"""``tringledger tail``: the events of the log as they come in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from api.cli import stop_signals as outlet
from api.cli.console import note
from api.cli.exit_codes import DONE, SIGNALLED
from api.cli.ledger_access import open_ledger
from api.cli.options import store_option
from api.cli.stop_signals import StopSignal
from domain.events.log_row import POSITION_MAX, LogRow
from domain.text import printable

if TYPE_CHECKING:
    from api.application.event_feed import FeedEvent
    from domain.ledger import Ledger

POLL_SECONDS = 0.2


@click.command()
@click.option("--tag", "tags", multiple=True, help="Only events with exactly this tag. Repeatable.")
@click.option("--type", "types", multiple=True, help="Only events of this type, such as cdr. Repeatable.")
@click.option(
    "--status", "statuses", multiple=True, help="Only events with this status, such as COMPLETED. Repeatable."
)
@click.option(
    "--from",
    "first",
    metavar="POSITION",
    type=click.IntRange(1, POSITION_MAX),
    help="Start with the event at this position (default: the next event that comes in).",
)
@click.option(
    "--follow/--no-follow", default=True, show_default=True, help="Wait for more events, or end at the log's head."
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "ndjson"]),
    default="text",
    show_default=True,
    help="Lines for people, or one JSON object per line for programs.",
)
@store_option
@click.pass_context
def tail(
    context: click.Context,
    tags: tuple[str, ...],
    types: tuple[str, ...],
    statuses: tuple[str, ...],
    first: int | None,
    follow: bool,
    output: str,
    store: str | None,
) -> None:
    """Show events as they come in, until Ctrl-C (exit code 130).

    Each line begins with the event's position in the log. At the end, stderr says which --from continues without missing
    or repeating an event.

    \b
    Examples:
      tringledger tail --tag acme-1
      tringledger tail --from 1 --no-follow --type cdr --format ndjson
    """
    from api.application import event_feed as tailing

    if first is None and not follow:
        raise click.UsageError("expected --from with --no-follow")
    wanted = [(name, values) for name, values in (("tag", tags), ("type", types), ("status", statuses)) if values]
    with open_ledger(store) as (ledger, _), StopSignal() as stopping:
        head = ledger.head()
        position = head if first is None else first - 1
        if position > head:
            note(f"the log ends at position {head}; showing events from position {position + 1} on")
        for rows in _pages(ledger, position, stopping) if follow else tailing.event_pages(ledger, position):
            events = [tailing.read_event(row) for row in rows]
            chosen = [each for each in events if all(getattr(each, name) in values for name, values in wanted)]
            outlet.write_stdout(b"".join([_line(each, output) for each in chosen]))
            position = rows[-1].position
            if stopping.signal:
                break
    note(f"continue with --from {position + 1}")
    context.exit(SIGNALLED + stopping.signal if stopping.signal else DONE)


def _pages(ledger: Ledger, after: int, stopping: StopSignal) -> Iterator[list[LogRow]]:
    from api.application import event_feed as tailing

    def go_on() -> bool:
        if not stopping.signal:
            outlet.sleep_while_read(POLL_SECONDS)
        return not stopping.signal

    note(f"events from position {after + 1} on; stop with Ctrl-C")
    return tailing.follow_events(ledger, after, go_on, note)


def _line(event: FeedEvent, output: str) -> bytes:
    import msgspec

    if output == "ndjson":
        return msgspec.json.encode(event) + b"\n"
    return printable(event.line).encode() + b"\n"
