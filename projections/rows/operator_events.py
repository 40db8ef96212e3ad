"""The rows that acts make by themselves: closings, tariffs, and adjustments of accounts (SPEC 4)."""

from domain import times
from domain.billing.billing_context import BillingContext
from domain.events.operator_events import AccountAdjusted, MonthClosed, TariffPublished
from domain.months import Month

ADJUSTMENT = "adjustment"


def closing_row(position: int, act: MonthClosed) -> tuple[object, ...]:
    """Return a closing as a row of the table; what was accepted open is joined with ``; ``."""
    return (act.period, position, act.recorded_at, act.by, act.reason, "; ".join(act.accepted))


def tariff_row(position: int, act: TariffPublished) -> tuple[object, ...]:
    """Return a publication as a row of the table."""
    return (act.version, position, act.recorded_at, act.by, act.reason)


def adjustment_row(position: int, act: AccountAdjusted, books: BillingContext) -> tuple[object, ...]:
    """Return an adjustment as a row of ``postings``: it adds to an account's price and margin, and to nothing else.

    It is posted on the day when it was recorded, if that lies in its month, else on the month's first.
    """
    period = books.open_period(act.period, position)
    recorded = times.day(act.recorded_at, books.timezone)
    day = recorded if Month.of_day(recorded) == period else Month(period).first_day.isoformat()
    nothing = (0,) * 7
    return (
        position,
        1,
        ADJUSTMENT,
        act.account,
        period,
        act.period,
        day,
        "",
        "",
        "",
        "",
        *nothing,
        act.amount,
        act.amount,
        0,
        "",
        "",
        0,
        act.by,
        act.reason,
    )
