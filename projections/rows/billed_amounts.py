"""The money of a call: its billed amount, and what is posted where once months are closed (SPEC 7).

While the month of a call's CDR is open, its row is made anew. A row in a closed month stays as it was at the closing,
permanently; later changes are posted as differences: to the call's own month (that of its CDR in the time zone of its
account) while that is open, else to the first open one (SPEC 9.9).
"""

from collections.abc import Iterator
from typing import NamedTuple

from domain import times
from domain.billing.billing_context import BillingContext
from domain.calls.call import Call
from domain.calls.call_stream import CallStream
from domain.events.operator_events import CorrectionReversed, OperatorEvent
from domain.months import Month, period_of_day
from domain.notices.call_notice import NO_CHARGES
from projections.rows import cdrs
from projections.rows.cdrs import CdrRow
from projections.rows.entry import DIFFERENCE, Entry
from projections.rows.posted_amounts import AmountChange, BilledAmount, PostedAmounts

RECORDED_LATER = "recorded after the month was closed"


class CallMoney(NamedTuple):
    """A call's money: its row of ``cdrs``, if it has one, and its rows of ``postings``."""

    cdr: CdrRow | None
    postings: list[Entry]


def billed_amount(call: Call, books: BillingContext) -> BilledAmount | None:
    """Return the billed amount of a call, or None if it has no CDR."""
    cdr = call.cdr
    if cdr is None:
        return None
    charges = cdr.charges
    tag, src = call.line
    line = (tag, cdr.src if src is None else src)
    rated = books.rate_cdr(line, cdr.position, cdr.received_at, charges, call.rerated)
    if call.voided:
        rated = rated._replace(price=0, rounding=0, billed_seconds=0)
    day = times.day(cdr.received_at, rated.timezone or books.timezone)
    return BilledAmount(rated, day, call.disposition, charges)


def current_money(call: Call, due: BilledAmount | None, books: BillingContext, position: int) -> CallMoney:
    """Return the money of a call during whose life no month was closed, at the position of its last event."""
    return CallMoney(_cdr_row(call, due, books, position) if due else None, [])


class BillingState(NamedTuple):
    """A call's money after an event of its stream.

    ``operator_event`` is the event if an operator caused it; ``call`` is the call, the same object each time. ``due`` is its billed
    amount; ``row`` its row of ``cdrs``, which does not change once its month is closed; ``postings`` what the event posted
    instead.
    """

    position: int
    operator_event: OperatorEvent | None
    call: Call
    due: BilledAmount | None
    row: CdrRow | None
    postings: list[Entry]


def billing_states(stream: CallStream, books: BillingContext) -> Iterator[BillingState]:
    """Yield the state of a call's money after each event of its stream."""
    row: CdrRow | None = None
    amounts = PostedAmounts()
    operator_events = dict(stream.operator_events)
    for position, operator_event, call in stream.states():
        due = billed_amount(call, books)
        postings: list[Entry] = []
        if row is None or row.period > books.closed_through(position):
            row = _cdr_row(call, due, books, position) if due else None
            amounts.replace(due)
        else:
            undone = (
                operator_events.get(operator_event.reversed_position)
                if isinstance(operator_event, CorrectionReversed)
                else None
            )
            changes = amounts.change(due, operator_event, undone, row.original_period)
            postings = [
                _difference(call, change, (position, number), books.open_period(change.month, position), operator_event)
                for number, change in enumerate(changes, start=1)
            ]
        yield BillingState(position, operator_event, call, due, row, postings)


def money_with_closings(stream: CallStream, books: BillingContext) -> CallMoney:
    """Return the money of a call during whose life a month was closed, by folding it event by event."""
    row: CdrRow | None = None
    postings: list[Entry] = []
    for standing in billing_states(stream, books):
        row = standing.row
        postings += standing.postings
    return CallMoney(row, postings)


def _cdr_row(call: Call, due: BilledAmount, books: BillingContext, position: int) -> CdrRow:
    return cdrs.cdr_row(call, due, books.line_rule, posting_dates(due.day, books, position))


def posting_dates(day: str, books: BillingContext, position: int) -> tuple[str, str, str]:
    """Return the month and the day to which an event at a position posts a CDR of a day, and the CDR's own month."""
    native = period_of_day(day)
    period = books.open_period(native, position)
    return period, day if period == native else Month(period).first_day.isoformat(), native


def _difference(
    call: Call, change: AmountChange, key: tuple[int, int], period: str, operator_event: OperatorEvent | None
) -> Entry:
    """Return the posting of a change: it is dated on the first day of the month to which it is posted."""
    tag, src = call.line
    due = change.due
    rated = due.rated if due else None
    position, number = key
    return Entry(
        position=position,
        number=number,
        kind=DIFFERENCE,
        account=change.account,
        period=period,
        original_period=change.month,
        day=Month(period).first_day.isoformat(),
        call_id=call.id,
        tag=tag,
        src=src or "",
        disposition=due.disposition if due else "",
        **change.totals._asdict(),
        level=rated.level if rated else "",
        tariff=rated.tariff if rated else "",
        rule=rated.rule if rated else 0,
        posted_by=operator_event.by if operator_event else "",
        reason=operator_event.reason if operator_event else RECORDED_LATER,
    )


def account_of_call(call: Call, books: BillingContext) -> tuple[str, str]:
    """Return the account and the month of a call that has no CDR, by the tariff that was known when it began."""
    tag, src = call.line
    first = call.first
    assert first
    rated = books.rate_cdr((tag, src or ""), first[0], call.head.first_at, NO_CHARGES, call.rerated)
    return rated.account, period_of_day(times.day(call.head.first_at, rated.timezone or books.timezone))
