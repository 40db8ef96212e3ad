"""Which days a page of billing is about: a month, or any days from one to another; and the days just before, to compare with."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import NamedTuple

from domain import times
from domain.months import Month
from projections.queries import time_points as moments
from projections.queries.billing_overview import DAY, MONTH
from projections.queries.time_points import SelectionError

DAYS_MAX = 186
MONTHS_MAX = 120
MONTHS_USUAL = 12
ONE_DAY = timedelta(days=1)
MONTHS_A_YEAR = 12


class DateRange(NamedTuple):
    """The days from ``first`` up to but not including ``after``; shown by day or by month."""

    first: date
    after: date
    by: str

    @property
    def last(self) -> date:
        """The last day."""
        return self.after - ONE_DAY

    @property
    def is_of_months(self) -> bool:
        """Whether it consists of whole months."""
        return self.first.day == 1 and self.after.day == 1

    @property
    def is_one_month(self) -> bool:
        """Whether it is one whole month."""
        return self.is_of_months and move_months(self.first, 1) == self.after

    @property
    def name(self) -> str:
        """Its name: a month, a day, or its first and last."""
        if self.is_one_month:
            return f"{self.first:%Y-%m}"
        if self.is_of_months:
            return f"{self.first:%Y-%m} to {self.last:%Y-%m}"
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"

    def in_words(self, timezone: str) -> str:
        """Return it with its hours in a time zone."""
        first, after = (times.start_of_day(day, timezone) for day in (self.first, self.after))
        return moments.describe_span(first, after, timezone)

    @property
    def filters(self) -> dict[str, str]:
        """The filters that select it on the billing page."""
        if self.is_one_month:
            return {"period": f"{self.first:%Y-%m}", "by": self.by}
        return {"from": str(self.first), "through": str(self.last), "by": self.by}

    @property
    def entries(self) -> dict[str, str]:
        """The filters that select its CDRs and their other postings."""
        return selecting(self.first, self.after)

    def beside(self, direction: int) -> "DateRange":
        """Return the range of equal length that ends where this one begins (-1), or begins where it ends (1)."""
        if self.is_of_months:
            length = direction * _months_between(self.first, self.after)
            return self._replace(first=move_months(self.first, length), after=move_months(self.after, length))
        length_in_days = direction * (self.after - self.first)
        return self._replace(first=self.first + length_in_days, after=self.after + length_in_days)

    def steps(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield its days or months, each with the filters of its CDRs."""
        at = self.first
        while at < self.after:
            following = move_months(at, 1) if self.by == MONTH else at + ONE_DAY
            yield (f"{at:%Y-%m}" if self.by == MONTH else str(at)), selecting(at, following)
            at = following


def selecting(first: date, after: date) -> dict[str, str]:
    """Return the filters of the CDRs that are billed on these days."""
    if first.day == 1 and move_months(first, 1) == after:
        return {"period": f"{first:%Y-%m}"}
    last = after - ONE_DAY
    return {"day": str(first) if first == last else f"{first}..{last}"}


def read_date_range(query: Mapping[str, str], timezone: str, now: int, latest: str | None) -> DateRange:
    """Read a span from an address; without one it is the latest month that has something, or the year that ends with it.

    Raises SelectionError.
    """
    by = query.get("by") or DAY
    if by not in (DAY, MONTH):
        msg = f"by={by!r}: expected day or month"
        raise SelectionError(msg)
    span = _read(query, timezone, now, latest, by)
    if by == MONTH:
        span = DateRange(span.first.replace(day=1), _next_first(span.after), by)
    if span.after <= span.first:
        msg = f"the last day {span.last} lies before the first {span.first}: expected a later one"
        raise SelectionError(msg)
    if by == DAY and (span.after - span.first).days > DAYS_MAX:
        msg = f"{(span.after - span.first).days} days are too many to be shown by day: expected at most {DAYS_MAX}, or by month"
        raise SelectionError(msg)
    if _months_between(span.first, span.after) > MONTHS_MAX:
        msg = f"{span.name} is too long to be shown: expected at most {MONTHS_MAX} months"
        raise SelectionError(msg)
    return span


def _read(query: Mapping[str, str], timezone: str, now: int, latest: str | None, by: str) -> DateRange:
    today = times.day(now, timezone)
    if query.get("period"):
        month = moments.read_month(query["period"])
        return DateRange(month.first_day, month.next.first_day, by)
    if not any(query.get(name) for name in ("from", "to", "through")):
        month = Month(latest) if latest else Month.of_day(today)
        first, after = month.first_day, month.next.first_day
        return DateRange(first if by == DAY else move_months(after, -MONTHS_USUAL), after, by)
    after = date.fromisoformat(today) + ONE_DAY
    if (until := _until(query, timezone, now)) is not None:
        after = date.fromisoformat(times.day(max(until - 1, 0), timezone)) + ONE_DAY
    if not query.get("from"):
        return DateRange(move_months(after.replace(day=1), -1), after, by)
    since = moments.read_time_point(query["from"], timezone, now)
    assert since is not None
    return DateRange(date.fromisoformat(times.day(since, timezone)), after, by)


def _until(query: Mapping[str, str], timezone: str, now: int) -> int | None:
    """Return the end that an address names, in microseconds, UTC, excluded; ``through`` is taken in."""
    until, through = query.get("to") or None, query.get("through") or None
    if until and through:
        msg = f"got to={until}, which is excluded, and through={through}, which is taken in: expected one of them"
        raise SelectionError(msg)
    return moments.read_last(through, timezone, now) if through else moments.read_time_point(until, timezone, now)


def year_to(span: DateRange) -> DateRange:
    """Return the twelve months of which the last is that in which a span ends."""
    after = _next_first(span.after)
    return DateRange(move_months(after, -MONTHS_USUAL), after, MONTH)


def move_months(first: date, months: int) -> date:
    """Return the first day of a month, a number of months later; raises SelectionError beyond the calendar."""
    year, month = divmod(first.year * MONTHS_A_YEAR + first.month - 1 + months, MONTHS_A_YEAR)
    try:
        return date(year, month + 1, 1)
    except ValueError:
        raise SelectionError("this is beyond the calendar: expected a month between 1970 and 9998") from None


def _next_first(day: date) -> date:
    return day if day.day == 1 else move_months(day, 1)


def _months_between(first: date, after: date) -> int:
    return (after.year - first.year) * MONTHS_A_YEAR + after.month - first.month
