"""``tringledger exception``: list exceptions, resolve them, and open them again."""

from __future__ import annotations

from typing import Any

import click

from api.cli.console import note, print_json, print_table
from api.cli.correction_output import run_operator_command
from api.cli.ledger_access import open_ledger, read_models
from api.cli.options import author_options, catch_up_option, format_option, store_option
from domain import amounts, times
from domain.calls.call import FLAGS

COLUMNS = [
    "flag",
    "position",
    "received_at",
    "call_id",
    "tag",
    "src",
    "cost",
    "sip_credits",
    "resolved_by",
    "resolution",
]
flag_argument = click.argument("flag", type=click.Choice(FLAGS))
position_argument = click.argument("position", type=click.IntRange(min=1))


@click.group()
def exception() -> None:
    """List exceptions that concern money, and resolve them."""


@exception.command("list")
@click.option("--flag", type=click.Choice(FLAGS), help="Only this flag.")
@click.option("--tag", help="Only this tag.")
@click.option("--period", metavar="YYYY-MM", help="Only exceptions of this month, in the billing time zone.")
@click.option("--all", "every", is_flag=True, help="Include resolved exceptions.")
@format_option
@catch_up_option
@store_option
def list_(
    flag: str | None,
    tag: str | None,
    period: str | None,
    every: bool,
    output: str,
    no_catch_up: bool,
    store: str | None,
) -> None:
    """List open exceptions in the order of the log, with the money at stake.

    \b
    Examples:
      tringledger exception list --flag repeated-cdr --period 2026-10
    """
    from projections.queries.conditions import build_selection
    from projections.queries.exception_totals import selected_exceptions

    with open_ledger(store) as (ledger, _):
        wanted = build_selection("exceptions", flag=flag, tag=tag, period=period, timezone=ledger.timezone)
        with read_models(ledger, caught_up=not no_catch_up) as read_store, read_store.snapshot() as connection:
            read_store.position(connection, ledger.store)
            rows = selected_exceptions(connection, wanted, ledger.timezone, resolved_too=every)
            found = [_document(row) for row in rows]
    if output == "json":
        print_json(found)
        return
    print_table(COLUMNS, [list(each.values()) for each in found])
    note(f"{len(found)} exceptions" + ("" if every else " open"))


@exception.command()
@flag_argument
@position_argument
@author_options
@format_option
@store_option
def resolve(flag: str, position: int, by: str, reason: str, output: str, store: str | None) -> None:
    """Resolve an exception, named by its flag and position. `exception list --all` still lists it.

    \b
    Examples:
      tringledger exception resolve repeated-cdr 93 --by kim --reason "TringMe confirms: sent twice"
    """
    run_operator_command(store, by, reason, lambda session: session.resolve_exception(flag, position), output)


@exception.command()
@flag_argument
@position_argument
@author_options
@format_option
@store_option
def reopen(flag: str, position: int, by: str, reason: str, output: str, store: str | None) -> None:
    """Open a resolved exception again.

    \b
    Examples:
      tringledger exception reopen repeated-cdr 93 --by kim --reason "TringMe's statement has it twice"
    """
    run_operator_command(
        store, by, reason, lambda session: session.resolve_exception(flag, position, reopened=True), output
    )


def _document(row: Any) -> dict[str, Any]:
    said: dict[str, Any] = {name: getattr(row, name) for name in COLUMNS}
    for name in ("cost", "sip_credits"):
        said[name] = None if said[name] is None else amounts.plain(said[name])
    return said | {"received_at": times.iso(row.received_at)}
