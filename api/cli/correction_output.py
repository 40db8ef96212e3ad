"""Runs an operator's command, or previews it, and prints the events and the money that it moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import click

from api.cli.console import note, print_json, print_table
from api.cli.ledger_access import open_ledger

if TYPE_CHECKING:
    from api.application.command_preview import CommandPreview
    from api.application.event_feed import FeedEvent
    from api.application.operator_commands import Command, CommandResult
    from domain.ledger import Ledger
    from domain.operators.session import OperatorSession
    from projections.queries.moved_money import CallStanding

    CallCommand = Callable[[OperatorSession, Sequence[UUID]], object]

# You have just typed it.
UNTOLD = ("reason",)
EVENT_COLUMNS = ["what", "call", "about"]
AMOUNTS = ("cost", "sip_credits", "price", "margin")
MONTH_COLUMNS = ["account", "month", "of month", "calls"]
CALL_COLUMNS = ["call", "notices", "cost", "price", "notices then", "cost then", "price then"]


def run_operator_command(
    store: str | None, by: str, reason: str, command: Command, output: str, *, dry_run: bool = False
) -> None:
    """Run a command, and print the events that came of it; raises CommandRejected, and then nothing was done."""
    with open_ledger(store) as (ledger, _):
        run_command_on(ledger, by, reason, command, output, dry_run=dry_run)


def run_call_command(
    store: str | None,
    by: str,
    reason: str,
    command: CallCommand,
    output: str,
    *,
    calls: Sequence[str],
    dry_run: bool = False,
) -> None:
    """Run a command on calls that are named by their ids or the beginnings of these, and print as run_operator_command does."""
    from api.application.call_ids import find_call_id

    with open_ledger(store) as (ledger, _):
        ids = [find_call_id(ledger, call) for call in calls]
        run_command_on(ledger, by, reason, lambda session: command(session, ids), output, dry_run=dry_run)


def run_command_on(
    ledger: Ledger, by: str, reason: str, command: Command, output: str, *, dry_run: bool = False
) -> None:
    """Run a command on a ledger and print its events; with ``dry_run`` only what it would do, as pages preview it."""
    if dry_run:
        from api.application.command_preview import preview_command

        print_preview(preview_command(ledger, by, reason, command), output)
    else:
        from api.application.operator_commands import run_command

        print_result(run_command(ledger, by, reason, command), output)


def print_preview(preview: CommandPreview, output: str) -> None:
    """Print what a command would do, as tables or as JSON: its events, the money that moves, and the calls that change."""
    from api.application.command_preview import preview_document
    from domain.amounts import plain

    if output == "json":
        print_json(preview_document(preview))
        return
    print_table(EVENT_COLUMNS, [[each.kind, each.call_id, each.about] for each in preview.events])
    moved = preview.moved
    if moved.months:
        click.echo()
        amounts = [[plain(getattr(each.amounts, name)) for name in AMOUNTS] for each in moved.months]
        rows = [
            [each.account, each.period, each.original_period, each.amounts.calls, *those]
            for each, those in zip(moved.months, amounts, strict=True)
        ]
        print_table([*MONTH_COLUMNS, *(name.replace("_", " ") for name in AMOUNTS)], rows)
    if moved.calls:
        click.echo()
        print_table(
            CALL_COLUMNS, [[each.call_id, *_standing(each.before), *_standing(each.after)] for each in moved.calls]
        )
    many = len(preview.events)
    note(f"{many} event{'' if many == 1 else 's'} would be appended; nothing was")


def _standing(found: CallStanding | None) -> list[object]:
    from domain.amounts import plain

    return [found.notices, plain(found.cost), plain(found.price)] if found else ["", "", ""]


def print_result(result: CommandResult, output: str) -> None:
    """Print the events of a command, as a table or as JSON, and how it is reversed."""
    import msgspec

    if output == "json":
        print_json([msgspec.to_builtins(each) for each in result.events])
        return
    print_table(
        ["position", "what", "call", "what exactly"],
        [[each.position, each.type, each.call_id, _exactly(each)] for each in result.events],
    )
    if result.is_reversible:
        note(f"`tringledger undo {result.position}` reverses it")


def _exactly(event: FeedEvent) -> str:
    return " ".join(f"{name}={value}" for name, value in event.parameters if name not in UNTOLD)
