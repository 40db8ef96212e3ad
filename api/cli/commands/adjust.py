"""``tringledger adjust``: charge an account, or credit it."""

from __future__ import annotations

import click

from api.cli.correction_output import run_command_on
from api.cli.ledger_access import open_ledger
from api.cli.options import author_options, dry_run_option, format_option, optional_period, store_option


def _amount(_context: click.Context, _argument: click.Parameter, text: str) -> int:
    from api.application.account_adjustment import read_adjustment

    try:
        return read_adjustment(text)
    except ValueError as error:
        msg = f"{text!r}: expected {error}"
        raise click.BadParameter(msg) from None


# So that a credit, which begins with a dash, is not taken for an option.
@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("account")
@click.argument("amount", callback=_amount)
@click.option(
    "--period",
    metavar="YYYY-MM",
    callback=optional_period,
    help="The month that it belongs to (default: the current one).",
)
@click.option("--new-account", is_flag=True, help="Adjust an account that the books do not know yet.")
@author_options
@dry_run_option
@format_option
@store_option
def adjust(
    account: str,
    amount: int,
    period: str | None,
    new_account: bool,
    by: str,
    reason: str,
    dry_run: bool,
    output: str,
    store: str | None,
) -> None:
    """Charge an account AMOUNT US cents, or credit it below 0.

    The statement shows the adjustment with its reason. If the month is closed, the adjustment is posted to the first open
    month. An account that the books do not know is refused: it is usually a typing error.

    \b
    Examples:
      tringledger adjust acme -1250 --by kim --reason "goodwill for the outage of 2026-10-14"
    """
    from api.application.account_adjustment import adjustment_command

    with open_ledger(store) as (ledger, _):
        command = adjustment_command(ledger, account, amount, period=period, new_account=new_account)
        run_command_on(ledger, by, reason, command, output, dry_run=dry_run)
