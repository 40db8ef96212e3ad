"""The entries of what accounts are charged for a month besides their calls: fees, and top-ups to minimums (SPEC 9.15)."""

from collections.abc import Iterable, Iterator

from domain.amounts import plain
from domain.events.operator_events import AccountCharge
from domain.months import Month
from projections.rows.entry import FEE, MINIMUM, NO_AMOUNTS, Entry

DRAFT = 0  # The position of what is not posted yet.


def charge_entries(position: int, charges: Iterable[AccountCharge], posted_by: str) -> Iterator[Entry]:
    """Yield the entries of charges that the closing at a position posts; an amount of 0 makes none."""
    number = 0
    for charge in charges:
        for kind, amount, reason in (
            (FEE, charge.fee, charge.fee_text),
            (MINIMUM, charge.top_up, top_up_reason(charge)),
        ):
            if amount:
                number += 1
                yield _entry(charge, (position, number, kind), amount, (posted_by, reason))


def top_up_reason(charge: AccountCharge) -> str:
    """Return how a top-up was calculated, in US cents."""
    less = [f"{what} {plain(amount)}" for what, amount in (("fee", charge.fee), ("calls", charge.calls)) if amount]
    return ", less ".join([f"minimum {plain(charge.minimum)}", *less])


def _entry(charge: AccountCharge, key: tuple[int, int, str], amount: int, said: tuple[str, str]) -> Entry:
    position, number, kind = key
    posted_by, reason = said
    return Entry(
        position=position,
        number=number,
        kind=kind,
        account=charge.account,
        period=charge.month,
        original_period=charge.month,
        day=Month(charge.month).last_day.isoformat(),
        call_id="",
        tag="",
        src="",
        disposition="",
        **NO_AMOUNTS._replace(price=amount, margin=amount)._asdict(),
        level="",
        tariff=str(charge.tariff),
        rule=0,
        posted_by=posted_by,
        reason=reason,
    )
