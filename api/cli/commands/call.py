"""``tringledger call``: correct which notices belong to a call, and which calls are billed."""

from __future__ import annotations

from uuid import UUID

import click

from api.cli.correction_output import run_operator_command
from api.cli.options import author_options, format_option, store_option

position_argument = click.argument("position", type=click.IntRange(min=1))


@click.group()
def call() -> None:
    """Correct which notices belong to a call, and which are billed."""


@call.command()
@click.argument("call_id", type=click.UUID)
@click.argument("positions", metavar="POSITION...", nargs=-1, required=True, type=click.IntRange(min=1))
@author_options
@format_option
@store_option
def split(call_id: UUID, positions: tuple[int, ...], by: str, reason: str, output: str, store: str | None) -> None:
    """Move notices of a call, named by their positions in the log, to a new call of the same line.

    \b
    Examples:
      tringledger call split 0f3c2f0e-4a52-5c5e-9a8e-3a0a6cf6a1d1 17 18 --by kim --reason "two calls, says the customer"
    """
    run_operator_command(store, by, reason, lambda session: session.split_call(call_id, positions), output)


@call.command()
@click.argument("call_id", type=click.UUID)
@click.argument("into", type=click.UUID)
@author_options
@format_option
@store_option
def merge(call_id: UUID, into: UUID, by: str, reason: str, output: str, store: str | None) -> None:
    """Move all notices of a call to another call, INTO; the first call then no longer exists.

    \b
    Examples:
      tringledger call merge 0f3c2f0e-4a52-5c5e-9a8e-3a0a6cf6a1d1 7d0a1f8e-0c0b-5d57-8a53-4a8b4d3a5a11 \\
        --by kim --reason "one call, its notices came an hour late"
    """
    run_operator_command(store, by, reason, lambda session: session.merge_calls(call_id, into), output)


@call.command()
@position_argument
@author_options
@format_option
@store_option
def release(position: int, by: str, reason: str, output: str, store: str | None) -> None:
    """Make a repeated-cdr, named by its position in the log, a call of its own, which is billed.

    \b
    Examples:
      tringledger call release 93 --by kim --reason "TringMe's statement has both"
    """
    run_operator_command(store, by, reason, lambda session: session.release_cdr(position), output)


@call.command()
@click.argument("call_id", type=click.UUID)
@author_options
@format_option
@store_option
def void(call_id: UUID, by: str, reason: str, output: str, store: str | None) -> None:
    """Take a call off its account's bill: its price becomes 0, its cost stays.

    \b
    Examples:
      tringledger call void 0f3c2f0e-4a52-5c5e-9a8e-3a0a6cf6a1d1 --by kim --reason "our own test"
    """
    run_operator_command(store, by, reason, lambda session: session.void_call(call_id), output)
