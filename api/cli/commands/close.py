"""``tringledger close``: close a month when nothing in it is open, or when open items are accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from api.cli.console import TABLE_ROWS_MAX, note, print_json, print_more, print_table
from api.cli.exit_codes import DONE, FINDING
from api.cli.ledger_access import open_ledger, read_models
from api.cli.options import format_option, period_argument, printable_text, store_option

if TYPE_CHECKING:
    from api.application.month_closing import ClosingResult


@click.command()
@click.argument("period", metavar="MONTH", callback=period_argument)
@click.option("--by", metavar="NAME", callback=printable_text, help="Who closes it.")
@click.option(
    "--accept", metavar="REASON", callback=printable_text, help="Close it despite open items, for this reason."
)
@click.option("--check", is_flag=True, help="Only list open items; close nothing.")
@format_option
@store_option
@click.pass_context
def close(
    context: click.Context,
    period: str,
    by: str | None,
    accept: str | None,
    check: bool,
    output: str,
    store: str | None,
) -> None:
    """Close a month (YYYY-MM), and all months before it.

    Closed months stay the same, byte for byte. Later changes, such as late or imported CDRs, reratings and corrections, are posted to the first open month.

    The command exits with 1 and closes nothing while items are open that may change what is billed: CDRs in quarantine,
    ended calls without their CDR, the exceptions repeated-cdr, contradictory-outcome and nonce-reused, runs of suspects
    (calls that were perhaps sent again, see `exception suspects`), and earlier months with entries that are not closed. It lists them with the money at risk. --accept closes the month anyway; the
    open items and the reason are kept with the closing. You cannot close a month that is not over.

    \b
    Examples:
      tringledger close 2026-10 --check
      tringledger close 2026-10 --by kim
      tringledger close 2026-10 --by kim --accept "TringMe has confirmed that the two CDRs will not come"
    """
    from api.application.month_closing import check_month, close_month

    if not check and by is None:
        raise click.UsageError("expected --by NAME, or --check")
    with open_ledger(store) as (ledger, _), read_models(ledger, caught_up=True) as read_store:
        if check:
            result = check_month(ledger, read_store, period)
        else:
            result = close_month(ledger, read_store, period, by or "", accept)
    _show(result, output)
    context.exit(FINDING if result.is_open else DONE)


def _show(result: ClosingResult, output: str) -> None:
    from api.application.month_closing import blocker_document, closing_document

    if output == "json":
        print_json(closing_document(result))
        return
    found = result.blockers
    if found:
        rows = [list(blocker_document(each).values()) for each in found[:TABLE_ROWS_MAX]]
        print_table(["open", "where", "tag", "cost", "SIP credits"], rows)
        print_more(len(found) - TABLE_ROWS_MAX, "json")
        cost, credits_, unknown = result.amounts_at_risk
        note(f"at risk: {cost} US cents, {credits_} SIP credits, and {unknown} with unknown amounts")
    _show_charges(result)
    if result.suspects_alone:
        note(f"{result.suspects_alone} suspects that are in no run: `tringledger exception suspects` lists them")
    if result.position:
        note(f"{result.period} is closed, at position {result.position}")
    elif found:
        note(f"{result.period} not closed: {len(found)} open items")
    else:
        note(f"{result.period} can be closed")


def _show_charges(result: ClosingResult) -> None:
    from api.application.month_closing import charge_document

    if result.charges:
        rows = [list(charge_document(each).values()) for each in result.charges[:TABLE_ROWS_MAX]]
        columns = ["account", "month", "tariff", "text", "fee", "calls", "minimum", "top-up"]
        print_table(columns, rows, title="charged" if result.position else "to be charged")
        print_more(len(result.charges) - TABLE_ROWS_MAX, "json")
