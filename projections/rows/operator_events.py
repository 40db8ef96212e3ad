"""The rows that operator events make by themselves: closings, tariffs, and adjustments of accounts (SPEC 4)."""

import msgspec

from domain import times
from domain.billing.billing_context import BillingContext
from domain.events.operator_events import AccountAdjusted, MonthClosed, TariffPublished
from domain.months import Month
from projections.rows.entry import ADJUSTMENT, NO_AMOUNTS, Entry


class ClosingRow(msgspec.Struct, frozen=True, gc=False):
    """A month that was closed; ``accepted`` is what was open then, joined with ``; ``."""

    period: str
    position: int
    closed_at: int
    closed_by: str
    reason: str
    accepted: str


class TariffRow(msgspec.Struct, frozen=True, gc=False):
    """A version of the tariff that was published."""

    version: int
    position: int
    published_at: int
    published_by: str
    reason: str


def closing_row(position: int, event: MonthClosed) -> ClosingRow:
    """Return the row of a closing."""
    return ClosingRow(event.period, position, event.recorded_at, event.by, event.reason, "; ".join(event.accepted))


def tariff_row(position: int, event: TariffPublished) -> TariffRow:
    """Return the row of a published tariff."""
    return TariffRow(event.version, position, event.recorded_at, event.by, event.reason)


def adjustment_row(position: int, event: AccountAdjusted, books: BillingContext) -> Entry:
    """Return the row of ``postings`` of an adjustment: it adds to an account's price and margin alone.

    It is posted on the day when it was recorded, if that lies in its month, else on the month's first day.
    """
    period = books.open_period(event.period, position)
    recorded = times.day(event.recorded_at, books.timezone)
    amounts = NO_AMOUNTS._replace(price=event.amount, margin=event.amount)
    return Entry(
        position=position,
        number=1,
        kind=ADJUSTMENT,
        account=event.account,
        period=period,
        original_period=event.period,
        day=recorded if Month.of_day(recorded) == period else Month(period).first_day.isoformat(),
        call_id="",
        tag="",
        src="",
        disposition="",
        **amounts._asdict(),
        level="",
        tariff="",
        rule=0,
        posted_by=event.by,
        reason=event.reason,
    )
