"""``tringledger close``: close a month, once nothing is open in it, or what is open is accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from api.cli.console import TABLE_ROWS_MAX, note, print_json, print_more, print_table
from api.cli.exit_codes import FINDING
from api.cli.ledger_access import open_ledger, read_models
from api.cli.options import format_option, period_argument, printable_text, store_option
from domain import times
from domain.amounts import plain

if TYPE_CHECKING:
    from domain.ledger import Ledger
    from projections.queries.closing_blockers import ClosingBlocker
    from projections.stores.base import ReadStore

NOTHING_OPEN = "the month is over, and nothing in it is open"


@click.command()
@click.argument("period", metavar="MONTH", callback=period_argument)
@click.option("--by", metavar="NAME", callback=printable_text, help="Who closes it.")
@click.option("--accept", metavar="REASON", callback=printable_text, help="Close it whatever is open, and say why.")
@click.option("--check", is_flag=True, help="Only say what is open; close nothing.")
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
    """Close a month (YYYY-MM), and with it those before it: from then on it stays the same, byte for byte.

    What would change it later, be it late or imported CDRs, reratings or corrections, is posted to the first open month.

    It is refused, with exit code 1, while something in it is open that may change what is billed: CDRs in quarantine, calls
    that ended and miss their CDR, the exceptions repeated-cdr, contradictory-outcome and nonce-reused, or earlier months
    with entries that are not closed. All of it is listed, with the money at risk. --accept closes nevertheless; what
    was open and why it was accepted are kept with the closing. A month that is not over cannot be closed.

    \b
    Examples:
      tringledger close 2026-10 --check
      tringledger close 2026-10 --by kim
      tringledger close 2026-10 --by kim --accept "TringMe has confirmed that the two CDRs will not come"
    """
    from projections.queries import closing_blockers as hindrances

    if not check and by is None:
        raise click.UsageError("expected --by NAME, or --check")
    with open_ledger(store) as (ledger, _), read_models(ledger, caught_up=True) as read_store:
        if check:
            hindrances.check_closable(ledger.billing_context(), period, times.now())
            found, position = _found(ledger, read_store, period), 0
        else:
            found, position = _close(ledger, read_store, period, by or "", accept)
    _show(period, found, position, output)
    context.exit(FINDING if found and not position else 0)


def _close(
    ledger: Ledger, read_store: ReadStore, period: str, by: str, accept: str | None
) -> tuple[list[ClosingBlocker], int]:
    """Look and close under the log's lock: nothing can come in between."""
    from projections.building.catch_up import catch_up
    from projections.queries import closing_blockers as hindrances

    with ledger.operator_session(by, accept or NOTHING_OPEN) as acting:
        hindrances.check_closable(ledger.billing_context(), period, times.now())
        catch_up(ledger, read_store)
        found = _found(ledger, read_store, period)
        if found and accept is None:
            return found, 0
        return found, acting.close_month(period, [str(each) for each in found])


def _found(ledger: Ledger, read_store: ReadStore, period: str) -> list[ClosingBlocker]:
    from projections.queries import closing_blockers as hindrances

    with read_store.snapshot() as connection:
        return hindrances.find_blockers(ledger, connection, period)


def _show(period: str, found: list[ClosingBlocker], position: int, output: str) -> None:
    from projections.queries.closing_blockers import OPEN_MONTH

    risk = [each for each in found if each.kind != OPEN_MONTH]
    cost, credits_ = (plain(sum(each or 0 for each in amounts)) for amounts in _amounts(risk))
    unknown = sum(each.cost is None for each in risk)
    if output == "json":
        at_risk = {"cost": cost, "sip_credits": credits_, "unknown": unknown}
        document = {"period": period, "closed_at_position": position or None, "at_risk": at_risk}
        print_json(document | {"open": [_document(each) for each in found]})
        return
    if found:
        print_table(
            ["open", "where", "tag", "cost", "SIP credits"],
            [list(_document(each).values()) for each in found[:TABLE_ROWS_MAX]],
        )
        print_more(len(found) - TABLE_ROWS_MAX, "json")
        note(f"at risk: {cost} US cents, {credits_} SIP credits, and {unknown} whose amounts nobody knows")
    if position:
        note(f"{period} is closed, at position {position}")
    else:
        note(f"{period} is not closed: {len(found)} open" if found else f"nothing hinders the closing of {period}")


def _amounts(found: list[ClosingBlocker]) -> tuple[list[int | None], list[int | None]]:
    return [each.cost for each in found], [each.sip_credits for each in found]


def _document(each: ClosingBlocker) -> dict[str, Any]:
    cost, credits_ = (None if amount is None else plain(amount) for amount in (each.cost, each.sip_credits))
    return {"kind": each.kind, "where": each.where, "tag": each.tag, "cost": cost, "sip_credits": credits_}
