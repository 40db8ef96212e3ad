"""What publishing a tariff does to monthly fees and minimums: the latest version alone decides on every month that is open (SPEC 9.15)."""

from collections.abc import Mapping
from typing import NamedTuple

from domain.amounts import plain
from domain.billing.monthly_prices import MonthlyPrices
from domain.months import Month

NO_PRICES = MonthlyPrices()


class ChargeChange(NamedTuple):
    """What an account is charged by a version of the tariff, and by the version before it (millionths of a US cent).

    ``month`` is the first open month ``YYYY-MM`` for which one of them charges the account.
    """

    account: str
    month: str
    fee: int
    minimum: int
    fee_before: int
    minimum_before: int

    def __str__(self) -> str:
        """Return the change as a sentence."""
        now, before = _charge(self.fee, self.minimum), _charge(self.fee_before, self.minimum_before)
        changed = "" if now == before else f"; the version before: {before}"
        return f"{self.account}, {self.month}: {now}{changed}"


def charge_changes(
    now: Mapping[str, MonthlyPrices], before: Mapping[str, MonthlyPrices], closed: str
) -> list[ChargeChange]:
    """Return what accounts are charged, in order; ``closed`` is the last closed month, empty without one."""
    found = (
        _change(account, now.get(account, NO_PRICES), before.get(account, NO_PRICES), closed)
        for account in sorted({*now, *before})
    )
    return [each for each in found if each]


def _change(account: str, now: MonthlyPrices, before: MonthlyPrices, closed: str) -> ChargeChange | None:
    first = str(Month(closed).next) if closed else ""
    prices = (*now.fees, *now.minimums, *before.fees, *before.minimums)
    for month in sorted({max(first, each.month) for each in prices}):
        if now.charges(month) or before.charges(month):
            amounts = (each(month).price for each in (now.fee_of, now.minimum_of, before.fee_of, before.minimum_of))
            return ChargeChange(account, month, *amounts)
    return None


def _charge(fee: int, minimum: int) -> str:
    parts = [f"{name} {plain(amount)}" for name, amount in (("fee", fee), ("minimum", minimum)) if amount]
    return f"{', '.join(parts)} US cents" if parts else "nothing"
