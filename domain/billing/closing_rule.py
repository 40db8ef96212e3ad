"""The rule for which month can be closed (SPEC 7): the next one that is not closed and that has ended everywhere."""

from domain import times
from domain.billing.billing_context import BillingContext
from domain.errors import CommandRejected
from domain.events.log_row import POSITION_MAX
from domain.months import Month


def check_not_closed(books: BillingContext, period: str) -> None:
    """Raise CommandRejected for a month ``YYYY-MM`` that is closed already; closing a month closes all earlier months."""
    closed = books.closed_through(POSITION_MAX)
    if period <= closed:
        msg = f"{period} is closed already; expected a month from {Month(closed).next} on"
        raise CommandRejected(msg)


def check_closable(books: BillingContext, month: Month, now: int) -> None:
    """Raise CommandRejected for a month that is closed already, or not over yet in the time zone of some account.

    ``now`` is in microseconds, UTC. A month that has ended stays ended, so this may be asked before the log is locked.
    """
    check_not_closed(books, month)
    for zone in sorted(billing_zones(books)):
        if now < times.start_of_day(month.next.first_day, zone):
            msg = f"{month} is not over yet in {zone}; expected a month that has ended"
            raise CommandRejected(msg)


def billing_zones(books: BillingContext) -> set[str]:
    """Return the time zones in which months are billed now: the ledger's, and those of the latest tariff."""
    latest = [books.tariffs[-1].tariff] if books.tariffs else []
    return {books.timezone, *(zone for tariff in latest for zone in (tariff.timezone, *tariff.timezones.values()))}
