"""``tringledger call``: correct which notices belong to a call, and which calls are billed."""

from __future__ import annotations

import click

from api.cli.correction_output import run_call_command, run_operator_command
from api.cli.options import CallIdParameter, author_options, dry_run_option, format_option, store_option

position_argument = click.argument("position", type=click.IntRange(min=1))


@click.group()
def call() -> None:
    """Correct which notices belong to a call, and which are billed.

    Calls are named by their ids. The beginning of an id will do, from 4 digits on, if no other call begins with it.
    """


@call.command()
@click.argument("call_id", type=CallIdParameter())
@click.argument("positions", metavar="POSITION...", nargs=-1, required=True, type=click.IntRange(min=1))
@author_options
@dry_run_option
@format_option
@store_option
def split(
    call_id: str, positions: tuple[int, ...], by: str, reason: str, dry_run: bool, output: str, store: str | None
) -> None:
    """Move notices of a call, named by their positions in the log, to a new call of the same line.

    \b
    Examples:
      tringledger call split 0f3c2f0e-4a52-5c5e-9a8e-3a0a6cf6a1d1 17 18 --by kim --reason "two calls, says the customer"
    """
    run_call_command(
        store,
        by,
        reason,
        lambda session, ids: session.split_call(ids[0], positions),
        output,
        calls=[call_id],
        dry_run=dry_run,
    )


@call.command()
@click.argument("call_id", type=CallIdParameter())
@click.argument("into", type=CallIdParameter())
@author_options
@dry_run_option
@format_option
@store_option
def merge(call_id: str, into: str, by: str, reason: str, dry_run: bool, output: str, store: str | None) -> None:
    """Move all notices of a call to another call, INTO; the first call then no longer exists.

    \b
    Examples:
      tringledger call merge 0f3c2f0e-4a52-5c5e-9a8e-3a0a6cf6a1d1 7d0a1f8e-0c0b-5d57-8a53-4a8b4d3a5a11 \\
        --by kim --reason "one call, its notices came an hour late"
    """
    run_call_command(
        store,
        by,
        reason,
        lambda session, ids: session.merge_calls(*ids),
        output,
        calls=[call_id, into],
        dry_run=dry_run,
    )


@call.command()
@position_argument
@author_options
@dry_run_option
@format_option
@store_option
def release(position: int, by: str, reason: str, dry_run: bool, output: str, store: str | None) -> None:
    """Make a repeated-cdr, named by its position in the log, a call of its own, which is billed.

    \b
    Examples:
      tringledger call release 93 --by kim --reason "TringMe's statement has both"
    """
    run_operator_command(store, by, reason, lambda session: session.release_cdr(position), output, dry_run=dry_run)


@call.command()
@click.argument("call_id", type=CallIdParameter())
@author_options
@dry_run_option
@format_option
@store_option
def void(call_id: str, by: str, reason: str, dry_run: bool, output: str, store: str | None) -> None:
    """Take a call off its account's bill: its price becomes 0, its cost stays.

    \b
    Examples:
      tringledger call void 0f3c2f0e-4a52-5c5e-9a8e-3a0a6cf6a1d1 --by kim --reason "our own test"
    """
    run_call_command(
        store, by, reason, lambda session, ids: session.void_call(ids[0]), output, calls=[call_id], dry_run=dry_run
    )
