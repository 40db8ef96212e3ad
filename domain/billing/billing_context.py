"""The context in which a call is billed: the tariffs and closings known at each position of the log (SPEC 7).

A call's money depends only on its own stream and on earlier events of these two streams. So it is the same whether it is
folded at once, event by event, or years later.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from domain.billing.rating import PublishedTariff, RatedCdr, rate_by_versions, version_in_effect
from domain.billing.tariff import Tariff, parse_tariff
from domain.events.codec import decode_operator_event
from domain.events.operator_events import FALLS_BACK, MonthClosed, TariffPublished
from domain.months import Month
from domain.notices.call_notice import Charges

NOTHING_CLOSED = ""


class Closing(NamedTuple):
    """A month ``YYYY-MM`` that was closed, and the position of its closing."""

    position: int
    period: str


class BillingContext:
    """The tariffs and closings up to a position, and the ledger's billing time zone and line rule."""

    def __init__(
        self,
        timezone: str,
        line_rule: int,
        tariffs: Sequence[PublishedTariff] = (),
        closings: Sequence[Closing] = (),
    ) -> None:
        """Keep tariffs and closings, given in the order of the log."""
        self.timezone = timezone
        self.line_rule = line_rule
        self.tariffs = tariffs
        self.closings = closings
        self._closed_at = [closing.position for closing in closings]

    def with_more(self, tariffs: Sequence[PublishedTariff] = (), closings: Sequence[Closing] = ()) -> "BillingContext":
        """Return the context with more tariffs and closings at the end."""
        return BillingContext(self.timezone, self.line_rule, [*self.tariffs, *tariffs], [*self.closings, *closings])

    def rate_cdr(
        self, call: tuple[str, str], position: int, received_at: int, charges: Charges, rerated: int = 0
    ) -> RatedCdr:
        """Rate the CDR at a position, received at a moment, of a call of this tag and number.

        ``rerated`` is the version of a rerating, 0 without one.
        """
        asked = self.tariff_for(position, received_at, rerated)
        return rate_by_versions(self.tariffs, asked, call, received_at, charges)

    def tariff_for(self, position: int, received_at: int, rerated: int = 0) -> Tariff | None:
        """Return the version that is asked first for the CDR at a position, received at a moment.

        That is the version of a rerating, if there was one; None where no version was published and in effect.
        """
        if not self.tariffs:
            return None
        return self.tariff_version(rerated) if rerated else version_in_effect(self.tariffs, position, received_at)

    def tariff_version(self, number: int) -> Tariff | None:
        """Return a version of the tariff, or None if it is not published."""
        return next((each.tariff for each in self.tariffs if each.tariff.version == number), None)

    def closed_through(self, position: int) -> str:
        """Return the last month closed before a position, which closes all earlier months too; an empty text if there is none."""
        count = bisect_left(self._closed_at, position) if self._closed_at else 0
        return self.closings[count - 1].period if count else NOTHING_CLOSED

    def open_period(self, period: str, position: int) -> str:
        """Return the month to which an event at a position posts amounts of ``period``: that one, or the first open one."""
        closed = self.closed_through(position)
        return period if period > closed else str(Month(closed).next)


def from_streams(timezone: str, line_rule: int, tariffs: Iterable[Any], closings: Iterable[Any]) -> BillingContext:
    """Return the context of the log rows of the two streams; raises UnknownEventShape."""
    published = []
    for row in tariffs:
        event = decode_operator_event(row.topic, row.state)
        if isinstance(event, TariffPublished):
            tariff = parse_cached(event.text, event.version, timezone, line_rule)
            published.append(PublishedTariff(row.position, tariff, falls_back=event.v >= FALLS_BACK))
    closed = []
    for row in closings:
        event = decode_operator_event(row.topic, row.state)
        if isinstance(event, MonthClosed):
            closed.append(Closing(row.position, event.period))
    return BillingContext(timezone, line_rule, published, closed)


@lru_cache(maxsize=256)
def parse_cached(text: str, version: int, timezone: str, line_rule: int) -> Tariff:
    """Return a published tariff, parsed once."""
    return parse_tariff(text, version, timezone=timezone, line_rule=line_rule)
