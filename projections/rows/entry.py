"""Entry: one line of the books, a CDR or a posting, as the table ``postings`` and the view ``entries`` have it."""

from collections.abc import Iterable
from operator import add, sub
from typing import NamedTuple

from domain.billing.rounding import round_total

CDR, DIFFERENCE, ADJUSTMENT = "cdr", "difference", "adjustment"
FEE, MINIMUM = "fee", "minimum"  # What a month's closing charges besides calls (SPEC 9.15).
ANSWERED = "ANSWERED"  # The disposition of the calls that count as answered.


class EntryAmounts(NamedTuple):
    """What an entry adds to billing: counts, seconds, and amounts in millionths of a US cent or of a SIP credit.

    ``rounding`` is the part of the price that rounding per call has added.
    """

    calls: int
    answered: int
    src_seconds: int
    dest_seconds: int
    cost: int
    sip_credits: int
    billed_seconds: int
    price: int
    margin: int
    rounding: int

    def plus(self, other: "EntryAmounts") -> "EntryAmounts":
        """Return the sum of both."""
        return EntryAmounts(*map(add, self, other))

    def minus(self, other: "EntryAmounts") -> "EntryAmounts":
        """Return by how much this is more than another."""
        return EntryAmounts(*map(sub, self, other))


NO_AMOUNTS = EntryAmounts(*[0] * len(EntryAmounts._fields))


class Entry(NamedTuple):
    """An entry; amounts are millionths of a US cent, SIP credits millionths of a credit, all others as in ``cdrs``.

    ``period`` and ``day`` are those to which it is posted, ``original_period`` is the month that it is about.
    ``rounding`` is the part of the price that rounding per call has added.
    """

    position: int
    number: int
    kind: str
    account: str
    period: str
    original_period: str
    day: str
    call_id: str
    tag: str
    src: str
    disposition: str
    calls: int
    answered: int
    src_seconds: int
    dest_seconds: int
    cost: int
    sip_credits: int
    billed_seconds: int
    price: int
    margin: int
    rounding: int
    level: str
    tariff: str
    rule: int
    posted_by: str
    reason: str


def level_totals(entries: Iterable[Entry]) -> dict[str, int]:
    """Return the sum of prices for each way in which a statement's total is rounded; empty for prices that are not."""
    totals: dict[str, int] = {}
    for entry in entries:
        totals[entry.level] = totals.get(entry.level, 0) + entry.price
    return totals


def statement_roundings(totals: dict[str, int]) -> dict[str, int]:
    """Return what rounding a statement's totals adds, by the way of rounding, in code-point order.

    The prices of calls whose rules round the statement's total are summed and rounded as one; all other prices, and
    adjustments, stay as they are.
    """
    return {level: round_total(total, level) - total for level, total in sorted(totals.items()) if level}
