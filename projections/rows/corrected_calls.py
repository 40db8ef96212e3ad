"""A call that operators corrected, or during whose life a month was closed: folded once, for the call, its money and its corrections.

Each correction has a row of its own, with the difference between the call's price after and before it.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from domain.billing.billing_context import BillingContext
from domain.calls.call import Call
from domain.calls.call_stream import CallStream
from domain.events.operator_events import ExceptionResolved, OperatorEvent
from projections.rows import billed_amounts as bills
from projections.rows.billed_amounts import CallMoney
from projections.rows.entry import Entry
from projections.rows.operator_events import OperatorEventRow, correction_row
from projections.rows.posted_amounts import BilledAmount


class CorrectedCall(NamedTuple):
    """A call after its last event, its billed amount, its money, and the rows of its corrections."""

    call: Call
    due: BilledAmount | None
    money: CallMoney
    corrections: list[OperatorEventRow]


class _Rated(NamedTuple):
    """The billed amount after an event, and the operator event that it is, if it is one."""

    position: int
    event: OperatorEvent | None
    due: BilledAmount | None


def fold_corrected_call(stream: CallStream, books: BillingContext, since: int, *, closes: bool) -> CorrectedCall:
    """Fold a call with the rows of its corrections from the position ``since`` on; ``closes``: a month was closed during its life."""
    if closes:
        return _fold_across_closings(stream, books, since)
    # Of earlier corrections nothing is wanted; but the account of a call that its CDR has left is known from them alone.
    since = 0 if stream.was_moved and since <= stream.last else since
    corrected = {position for position, _ in stream.operator_events if position >= since}
    rated_at = {before for before, after in pairwise(stream.positions) if after in corrected} | corrected
    rated_at.add(stream.last)
    rated: list[_Rated] = []
    call: Call | None = None
    for position, event, call in stream.states():
        if position in rated_at:
            rated.append(_Rated(position, event, bills.billed_amount(call, books)))
    assert call
    call.resolved = stream.own_resolutions(call)
    due = rated[-1].due
    money = bills.current_money(call, due, books, stream.last)
    return CorrectedCall(call, due, money, list(_corrections(stream.id, rated, since)))


def _fold_across_closings(stream: CallStream, books: BillingContext, since: int) -> CorrectedCall:
    rated: list[_Rated] = []
    postings: list[Entry] = []
    for state in bills.billing_states(stream, books):
        rated.append(_Rated(state.position, state.operator_event, state.due))
        postings += state.postings
    state.call.resolved = stream.own_resolutions(state.call)
    money = CallMoney(state.row, postings)
    return CorrectedCall(state.call, state.due, money, list(_corrections(stream.id, rated, since)))


def _corrections(call_id: str, rated: list[_Rated], since: int) -> Iterator[OperatorEventRow]:
    price, account = 0, ""
    for position, event, due in rated:
        before, price = price, due.rated.price if due else 0
        account = due.rated.account if due else account
        if event and position >= since:
            moved = None if isinstance(event, ExceptionResolved) else price - before
            yield correction_row(position, event, account, call_id, moved)
