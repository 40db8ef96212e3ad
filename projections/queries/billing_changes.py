"""What the events between two positions of the log changed in each account's months, event by event.

Nothing is built for it: a row changes only by events of its own stream. So the streams that have events between the two
positions are folded, event by event. The sum of all changes is exactly the difference of the two billing tables.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from domain.billing.billing_context import BillingContext
from domain.events.codec import decode_operator_event
from domain.events.log_row import LogRow
from domain.events.operator_events import AccountAdjusted, MonthClosed, OperatorEvent
from domain.events.streams_of_calls import is_of_call
from domain.ledger import Ledger
from projections.building import billing_totals as billing
from projections.rows import billed_amounts as bills
from projections.rows import operator_events as operator_rows
from projections.rows.cdrs import CdrRow
from projections.rows.charge_entries import charge_entries
from projections.rows.earlier_events import PAGE_SIZE, prepend_earlier_events
from projections.rows.projector import read_stream
from projections.schema.tables import TOTALS


class BillingChange(NamedTuple):
    """What one event changed in one month of an account.

    ``event`` is the event's topic without its prefix; ``call_id`` is empty if it belongs to no call; ``by`` and ``reason``
    are those of an operator event, else empty. ``totals`` are the differences of billing's totals, amounts in millionths.
    """

    position: int
    event: str
    call_id: str
    by: str
    reason: str
    account: str
    period: str
    totals: tuple[int, ...]


def billing_changes(
    ledger: Ledger, after: int, until: int, progress: Callable[[int], None] = lambda _: None
) -> Iterator[list[BillingChange]]:
    """Yield the changes by the events after a position, up to another one, page by page in the order of the log.

    ``progress`` is called with the number of events done. Raises ProjectionStopped, StoreUnavailable.
    """
    position = after
    while rows := ledger.store.page(position, PAGE_SIZE, until):
        yield sorted(_of_page(ledger, rows))
        position = rows[-1].position
        progress(position - after)


def _of_page(ledger: Ledger, rows: list[LogRow]) -> Iterator[BillingChange]:
    books = ledger.billing_context(rows[-1].position)
    streams: dict[str, list[LogRow]] = {}
    for row in rows:
        if is_of_call(row):
            streams.setdefault(row.stream, []).append(row)
        elif row.topic in (AccountAdjusted.TOPIC, MonthClosed.TOPIC):
            yield from _of_postings(row, books)
    prepend_earlier_events(ledger, streams)
    for stream in streams.values():
        yield from _of_stream(ledger, stream, books, rows[0].position)


def _of_postings(row: LogRow, books: BillingContext) -> Iterator[BillingChange]:
    operator_event = decode_operator_event(row.topic, row.state)
    if isinstance(operator_event, MonthClosed):
        postings = list(charge_entries(row.position, operator_event.charges, operator_event.by))
    else:
        assert isinstance(operator_event, AccountAdjusted)
        postings = [operator_rows.adjustment_row(row.position, operator_event, books)]
    yield from _changes(row, "", operator_event, billing.total_differences([], [], postings)[1])


def _of_stream(ledger: Ledger, rows: list[LogRow], books: BillingContext, start: int) -> Iterator[BillingChange]:
    """Yield the changes by each event of a call's stream, from a position on."""
    stream = read_stream(rows, ledger.events_at)
    before: list[CdrRow] = []
    for row, standing in zip(rows, bills.billing_states(stream, books), strict=True):
        now = [standing.row] if standing.row else []
        if row.position >= start and (now != before or standing.postings):
            _, months = billing.total_differences(before, now, standing.postings)
            yield from _changes(row, stream.id, standing.operator_event, months)
        before = now


def _changes(
    row: LogRow, call_id: str, operator_event: OperatorEvent | None, months: dict[billing.Key, billing.Totals]
) -> Iterator[BillingChange]:
    event = row.topic.partition(":")[2]
    by, reason = (operator_event.by, operator_event.reason) if operator_event else ("", "")
    for (account, period), totals in months.items():
        seen = tuple(totals[: len(TOTALS)])
        if any(seen):
            yield BillingChange(row.position, event, call_id, by, reason, account, period, seen)
