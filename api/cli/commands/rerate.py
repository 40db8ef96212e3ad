"""``tringledger rerate``: price an account's month by another tariff version, or preview the changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from api.cli.console import note, print_json, print_table, progress
from api.cli.ledger_access import open_ledger, read_models
from api.cli.options import author_options, format_option, period_argument, store_option
from domain import times
from domain.amounts import plain

if TYPE_CHECKING:
    from projections.queries.rerating_preview import RerateChange

CALL_COLUMNS = ["call", "cdr_at", "account", "tariff", "price", "new account", "new tariff", "new price", "difference"]
POSTED_COLUMNS = ["account", "period", "calls", "billed seconds", "price"]


@click.command()
@click.option("--account", required=True, help="The account that the calls are billed to now.")
@click.option("--period", required=True, metavar="YYYY-MM", callback=period_argument, help="The month of their CDRs.")
@click.option(
    "--tariff", "version", required=True, type=click.IntRange(min=1), help="The tariff version to price them by."
)
@author_options
@click.option("--dry-run", is_flag=True, help="Preview the changes; append nothing.")
@format_option
@store_option
def rerate(
    account: str, period: str, version: int, by: str, reason: str, dry_run: bool, output: str, store: str | None
) -> None:
    """Price an account's month by another version of the tariff.

    An event is appended to each call whose price, account or rule changes; the call's history shows every price it ever
    had. Changes in a closed month are posted to the first open month. Calls from before the version takes effect stay as
    they are. If a rerating is interrupted, run it again: it continues where it stopped.

    \b
    Examples:
      tringledger rerate --account acme --period 2026-10 --tariff 3 --by kim --reason "agreed on 2026-11-02" --dry-run
    """
    from api.application.rerating import preview_rerating, rerate_calls
    from projections.queries.rerating_preview import ReratingPreview, calls_of_account

    with open_ledger(store) as (ledger, _):
        rerating = ReratingPreview(ledger, version)
        with read_models(ledger, caught_up=True) as read_store, read_store.snapshot() as connection:
            calls = calls_of_account(connection, account, period)
        with progress("Rating", len(calls), "calls") as moved:
            if dry_run:
                changes = list(preview_rerating(rerating, calls, moved))
            else:
                changes = list(rerate_calls(ledger, rerating, calls, version, by, reason, moved))
    _show(changes, output)
    would = "would be" if dry_run else "were"
    note(f"{len(changes)} of {len(calls)} calls {would} rerated by version {version}")
    if rerating.passed_over:
        note(f"{rerating.passed_over} calls unchanged, because they are from before version {version} takes effect")


def _show(changes: list[RerateChange], output: str) -> None:
    from api.application.rerating import change_document, posted_document, sum_posted

    sums = sum_posted(changes)
    if output == "json":
        print_json({"calls": [*map(change_document, changes)], "accounts": [*map(posted_document, sums)]})
        return
    print_table(CALL_COLUMNS, [_row(change) for change in changes])
    click.echo()
    print_table(POSTED_COLUMNS, [list(posted_document(each).values()) for each in sums])


def _row(change: RerateChange) -> list[object]:
    before, after = change.before, change.after
    prices = [plain(before.price), after.account, after.tariff, plain(after.price), plain(after.price - before.price)]
    return [change.call_id, times.iso(change.at), before.account, before.tariff, *prices]
