"""Adjusting an account: a charge or a credit that is not a call's, on an account that the books know."""

import re
from contextlib import closing

from api.application.operator_commands import Command
from domain.amounts import millionths
from domain.errors import CommandRejected
from domain.events.streams import account_stream
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.queries.accounts import has_account
from projections.stores.generations import open_current

_AMOUNT = re.compile(r"([+-]?)([0-9]{1,9}(?:\.[0-9]{1,6})?)")


def adjustment_command(
    ledger: Ledger, account: str, amount: int, *, period: str | None = None, new_account: bool = False
) -> Command:
    """Return the command that charges an account an amount in millionths of a US cent, or credits it with a negative one.

    ``period`` is the month ``YYYY-MM`` that it belongs to; None takes the present one. Raises CommandRejected if the books
    do not know the account, which is a typing error more often than not; ``new_account`` allows it.
    """
    if not new_account and not is_known(ledger, account):
        msg = (
            f"the books have no account {account!r}: `tringledger export billing` lists the accounts; --new-account, or"
            " new_account in the API, adjusts one that has no calls yet"
        )
        raise CommandRejected(msg)
    return lambda session: session.adjust_account(account, amount, period)


def read_adjustment(text: str) -> int:
    """Return an amount in US cents, with a sign or without one, in millionths; raises ValueError, which says what is expected."""
    read = _AMOUNT.fullmatch(text)
    if not read:
        raise ValueError("US cents, at most 9 digits before and 6 after the point, such as 250 or -12.5")
    return -millionths(read[2]) if read[1] == "-" else millionths(read[2])


def is_known(ledger: Ledger, account: str) -> bool:
    """Whether an account has an entry in the books, was adjusted before, or is named by the tariff in effect."""
    if ledger.history(account_stream(account)):
        return True
    tariffs = ledger.billing_context().tariffs
    if tariffs and account in tariffs[-1].tariff.accounts:
        return True
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)
        with store.snapshot() as connection:
            return has_account(connection, account)
