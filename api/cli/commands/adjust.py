"""``tringledger adjust``: charge an account an amount, or credit it one."""

from __future__ import annotations

import re

import click

from api.cli.operator_command import run_operator_command
from api.cli.options import author_options, format_option, optional_period, store_option
from domain.amounts import millionths

_AMOUNT = re.compile(r"([+-]?)([0-9]{1,9}(?:\.[0-9]{1,6})?)")


def _amount(_context: click.Context, _argument: click.Parameter, text: str) -> int:
    read = _AMOUNT.fullmatch(text)
    if not read:
        msg = f"{text!r}: expected US cents, at most 9 digits before and 6 after the point, such as 250 or -12.5"
        raise click.BadParameter(msg)
    return -millionths(read[2]) if read[1] == "-" else millionths(read[2])


# So that a credit, which begins with a dash, is not taken for an option.
@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("account")
@click.argument("amount", callback=_amount)
@click.option(
    "--period",
    metavar="YYYY-MM",
    callback=optional_period,
    help="The month to which it belongs (default: the present one).",
)
@author_options
@format_option
@store_option
def adjust(account: str, amount: int, period: str | None, by: str, reason: str, output: str, store: str | None) -> None:
    """Charge an account AMOUNT US cents, or credit it with a negative one; it is on the statement, with the reason.

    Where the month is closed, it is posted to the first open one.

    \b
    Examples:
      tringledger adjust acme -1250 --by kim --reason "goodwill for the outage of 2026-10-14"
    """
    run_operator_command(store, by, reason, lambda session: session.adjust_account(account, amount, period), output)
