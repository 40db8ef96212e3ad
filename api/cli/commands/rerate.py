"""``tringledger rerate``: price an account's month by another tariff version, or preview the changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from api.cli.console import note, print_json, print_table, progress
from api.cli.ledger_access import open_ledger, read_models
from api.cli.options import author_options, format_option, period_argument, store_option
from domain import times
from domain.amounts import plain

if TYPE_CHECKING:
    from projections.queries.rerating_preview import PostedPrice, RerateChange

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
    sums = _summed(changes)
    if output == "json":
        print_json({"calls": [_document(change) for change in changes], "accounts": [_posted(*each) for each in sums]})
        return
    print_table(CALL_COLUMNS, [_row(change) for change in changes])
    click.echo()
    shown = [
        (posted.account, posted.period, calls, posted.billed_seconds, plain(posted.price)) for posted, calls in sums
    ]
    print_table(POSTED_COLUMNS, shown)


def _summed(changes: list[RerateChange]) -> list[tuple[PostedPrice, int]]:
    """Return how much each account's month changes, and through how many calls."""
    from projections.queries.rerating_preview import PostedPrice

    sums: dict[tuple[str, str], tuple[int, int, int]] = {}
    for change in changes:
        for account, period, seconds, price in change.posted:
            calls, seconds_before, price_before = sums.get((account, period), (0, 0, 0))
            sums[account, period] = (calls + 1, seconds_before + seconds, price_before + price)
    return [(PostedPrice(*key, seconds, price), calls) for key, (calls, seconds, price) in sorted(sums.items())]


def _row(change: RerateChange) -> list[object]:
    before, after = change.before, change.after
    prices = [plain(before.price), after.account, after.tariff, plain(after.price), plain(after.price - before.price)]
    return [change.call_id, times.iso(change.at), before.account, before.tariff, *prices]


def _document(change: RerateChange) -> dict[str, Any]:
    return {
        "call_id": change.call_id,
        "cdr_at": times.iso(change.at),
        "before": _rated(change, "before"),
        "after": _rated(change, "after"),
        "difference": plain(change.after.price - change.before.price),
        "posted": [_posted(each, 1) for each in change.posted],
    }


def _rated(change: RerateChange, which: str) -> dict[str, Any]:
    rated = change.before if which == "before" else change.after
    return {
        "account": rated.account,
        "tariff": rated.tariff,
        "rule": rated.rule,
        "billed_seconds": rated.billed_seconds,
        "price": plain(rated.price),
    }


def _posted(posted: PostedPrice, calls: int) -> dict[str, Any]:
    return {
        "account": posted.account,
        "period": posted.period,
        "calls": calls,
        "billed_seconds": posted.billed_seconds,
        "price": plain(posted.price),
    }
