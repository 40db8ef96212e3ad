"""``tringledger metrics``: figures of an account's calls in a month, such as ASR, ACD and the cost of a minute."""

from __future__ import annotations

import csv
import sys

import click

from api.cli.console import print_json, print_table
from api.cli.ledger_access import open_ledger, read_models
from api.cli.options import catch_up_option, optional_period, report_format_option, store_option


@click.command()
@click.option("--account", help="Only this account.")
@click.option("--period", metavar="YYYY-MM", callback=optional_period, help="Only this month.")
@report_format_option
@catch_up_option
@store_option
def metrics(account: str | None, period: str | None, form: str, no_catch_up: bool, store: str | None) -> None:
    """Show figures per account and month, such as ASR and ACD.

    They are attempts, answered calls, ASR, NER, ACD, short calls and the cost of a minute. docs/reference/metrics.md defines each. A call counts in the month of its CDR, or without one in the month of its
    first notice. A figure that would need a division by zero is empty.

    \b
    Examples:
      tringledger metrics --period 2026-10
      tringledger metrics --account acme --format csv
    """
    from projections.queries.metrics import Metrics, account_metrics

    with (
        open_ledger(store) as (ledger, _),
        read_models(ledger, caught_up=not no_catch_up) as read_store,
        read_store.snapshot() as connection,
    ):
        read_store.position(connection, ledger.store)
        found = account_metrics(connection, account=account, period=period)
    if form == "json":
        print_json([each._asdict() for each in found])
    elif form == "csv":
        csv.writer(sys.stdout, lineterminator="\r\n").writerows([Metrics._fields, *found])
    else:
        print_table(Metrics._fields, found, may_be_records=True)
