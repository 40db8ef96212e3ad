"""The money that operators' commands move, found before anything is written, by the code that will bill it.

The calls that events touch are folded as they are, and again with these events at their ends: the difference is what moves.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from domain.billing.billing_context import BillingContext
from domain.events.codec import decode_operator_event
from domain.events.log_row import LogRow
from domain.events.operator_events import OPERATOR_EVENTS, AccountAdjusted
from domain.events.streams_of_calls import is_of_call
from domain.ledger import Ledger
from projections.rows import billed_amounts as bills
from projections.rows.cdrs import CdrRow
from projections.rows.entry import NO_AMOUNTS, Entry, EntryAmounts
from projections.rows.folded_entries import entry_of_cdr
from projections.rows.operator_events import adjustment_row
from projections.rows.projector import Projector

Key = tuple[str, str, str]
Amounts = dict[Key, EntryAmounts]


class MovedAmounts(NamedTuple):
    """By how much a month of an account changes; ``original_period`` is the month that it is about, ``period`` where it is posted.

    They differ where the month that it is about is closed.
    """

    account: str
    period: str
    original_period: str
    amounts: EntryAmounts


class CallStanding(NamedTuple):
    """A call at a moment: how many notices it has, and what it comes to; amounts in millionths of a US cent.

    Without a CDR it comes to nothing: ``account`` is empty then, and all amounts are 0.
    """

    notices: int
    has_cdr: bool
    account: str
    cost: int
    price: int
    billed_seconds: int


class CallDifference(NamedTuple):
    """A call before and after a command; ``before`` is None for a call that the command makes."""

    call_id: str
    before: CallStanding | None
    after: CallStanding


class MovedMoney(NamedTuple):
    """What commands move: by account and month, and the calls that they change."""

    months: list[MovedAmounts]
    calls: list[CallDifference]

    @property
    def price(self) -> int:
        """The sum of all prices that move (millionths of a US cent)."""
        return sum(each.amounts.price for each in self.months)

    @property
    def cost(self) -> int:
        """The sum of all costs that move (millionths of a US cent)."""
        return sum(each.amounts.cost for each in self.months)


def find_moved_money(ledger: Ledger, appended: Sequence[LogRow]) -> MovedMoney:
    """Return what events that are not in the log yet, in their order, will move."""
    books = ledger.billing_context()
    before: Amounts = {}
    after: Amounts = {}
    calls = []
    for stream in dict.fromkeys(row.stream for row in appended):
        new = [row for row in appended if row.stream == stream]
        if is_of_call(new[0]):
            rows = ledger.history(UUID(hex=stream))
            was = _fold(rows, books, ledger, before) if rows else None
            calls.append(CallDifference(new[0].stream_id, was, _fold([*rows, *new], books, ledger, after)))
        else:
            _add(after, _adjustments(new, books))
    return MovedMoney(list(_differences(before, after)), calls)


def _fold(rows: list[LogRow], books: BillingContext, ledger: Ledger, amounts: Amounts) -> CallStanding:
    """Add what a call comes to, and return how it stands."""
    projector = Projector(books, ledger.events_at)
    call = projector.add_stream(rows)
    _add(amounts, [*map(entry_of_cdr, projector.batch.of(CdrRow)), *projector.batch.of(Entry)])
    due = bills.billed_amount(call, books)
    if due is None:
        return CallStanding(call.head.events if call.first else 0, False, "", 0, 0, 0)  # noqa: FBT003
    totals = due.totals
    return CallStanding(call.head.events, True, due.rated.account, totals.cost, totals.price, totals.billed_seconds)  # noqa: FBT003


def _adjustments(rows: Iterable[LogRow], books: BillingContext) -> Iterator[Entry]:
    for row in rows:
        event = decode_operator_event(row.topic, row.state) if row.topic in OPERATOR_EVENTS else None
        if isinstance(event, AccountAdjusted):
            yield adjustment_row(row.position, event, books)


def _add(amounts: Amounts, entries: Iterable[Entry]) -> None:
    for entry in entries:
        key = (entry.account, entry.period, entry.original_period)
        values = EntryAmounts(*(getattr(entry, name) for name in EntryAmounts._fields))
        amounts[key] = amounts.get(key, NO_AMOUNTS).plus(values)


def _differences(before: Amounts, after: Amounts) -> Iterator[MovedAmounts]:
    for key in sorted({*before, *after}):
        moved = after.get(key, NO_AMOUNTS).minus(before.get(key, NO_AMOUNTS))
        if any(moved):
            yield MovedAmounts(*key, moved)
