"""Runs an operator's command, and prints the events that it appended to the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from api.cli.console import note, print_json, print_table
from api.cli.ledger_access import open_ledger

if TYPE_CHECKING:
    from api.application.event_feed import FeedEvent
    from api.application.operator_commands import Command, CommandResult
    from domain.operators.session import OperatorSession

    CallCommand = Callable[[OperatorSession, Sequence[UUID]], object]

# You have just typed it.
UNTOLD = ("reason",)


def run_operator_command(store: str | None, by: str, reason: str, command: Command, output: str) -> None:
    """Run a command, and print the events that came of it; raises CommandRejected, and then nothing was done."""
    from api.application.operator_commands import run_command

    with open_ledger(store) as (ledger, _):
        result = run_command(ledger, by, reason, command)
    print_result(result, output)


def run_call_command(
    store: str | None, by: str, reason: str, command: CallCommand, output: str, *, calls: Sequence[str]
) -> None:
    """Run a command on calls that are named by their ids or the beginnings of these, and print as run_operator_command does."""
    from api.application.call_ids import find_call_id
    from api.application.operator_commands import run_command

    with open_ledger(store) as (ledger, _):
        ids = [find_call_id(ledger, call) for call in calls]
        result = run_command(ledger, by, reason, lambda session: command(session, ids))
    print_result(result, output)


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
