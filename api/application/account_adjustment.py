"""Adjusting an account: a charge or a credit that is not a call's, on an account that the books know."""

from contextlib import closing

from api.application.operator_commands import CommandResult, run_command
from domain.errors import CommandRejected
from domain.events.streams import account_stream
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.queries.accounts import has_account
from projections.stores.generations import open_current


def adjust_account(
    ledger: Ledger,
    by: str,
    reason: str,
    account: str,
    amount: int,
    *,
    period: str | None = None,
    new_account: bool = False,
) -> CommandResult:
    """Charge an account an amount in millionths of a US cent, or credit it with a negative one.

    ``period`` is the month ``YYYY-MM`` that it belongs to; None takes the present one. Raises CommandRejected if the books
    do not know the account, which is a typing error more often than not; ``new_account`` allows it.
    """
    if not new_account and not is_known(ledger, account):
        msg = (
            f"the books have no account {account!r}: `tringledger export billing` lists the accounts; --new-account adjusts"
            " one that has no calls yet"
        )
        raise CommandRejected(msg)
    return run_command(ledger, by, reason, lambda session: session.adjust_account(account, amount, period))


def is_known(ledger: Ledger, account: str) -> bool:
    """Whether an account has an entry in the books, was adjusted before, or is named by the tariff in effect."""
    if ledger.history(account_stream(account)):
        return True
    tariffs = ledger.billing_context().tariffs
    if tariffs and account in {*tariffs[-1].tariff.timezones, *(rule.account for rule in tariffs[-1].tariff.rules)}:
        return True
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)
        with store.snapshot() as connection:
            return has_account(connection, account)
