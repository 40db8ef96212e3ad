"""A call's history: its notices and operator events in the order of the log, and the call's state after each."""

from typing import Any
from uuid import UUID

import msgspec

from api.application.masking import shown_parameters
from domain import amounts, times
from domain.billing.billing_context import BillingContext
from domain.calls.call import Call
from domain.calls.call_stream import CallStream
from domain.events.notice_events import Notice
from domain.events.operator_events import OperatorEvent
from domain.events.streams_of_calls import is_of_call
from domain.ledger import Ledger
from domain.months import Month
from domain.notices.line_number import hide_password
from projections.rows import billed_amounts as bills
from projections.rows import calls as call_rows
from projections.rows.calls import CallRow
from projections.rows.cdrs import CdrRow
from projections.rows.posted_amounts import BilledAmount
from projections.schema.column_kinds import ColumnKind, column_kind, exported_columns
from projections.schema.tables import CALLS, CDRS


class HistoryStep(msgspec.Struct, frozen=True):
    """One event of a call's stream, a notice or an operator event, and the call after it.

    ``after`` is the call as the read model ``calls`` shows it, None if all its notices belong to another call then;
    ``price`` is the call's price then, None while it has no CDR.
    """

    position: int
    version: int
    type: str
    status: str
    notice: Notice | None
    operator_event: OperatorEvent | None
    after: dict[str, Any] | None
    price: dict[str, Any] | None


class CallHistory(msgspec.Struct, frozen=True):
    """A call's steps in the order of the log, and its row of ``cdrs``, None if it has no CDR."""

    call_id: str
    steps: list[HistoryStep]
    cdr: dict[str, Any] | None


def call_history(ledger: Ledger, call_id: UUID, until: int) -> CallHistory | None:
    """Return the history of a call up to a position, or None if the call did not exist then."""
    rows = ledger.history(call_id, until)
    if not rows or not is_of_call(rows[0]):
        return None
    books = ledger.billing_context(until)
    stream = CallStream(rows, ledger.events_at)
    notices = dict(stream.notices)
    steps = [
        _step((position, version), notices.get(position), operator_event, call, books)
        for version, (position, operator_event, call) in enumerate(stream.states(), start=1)
    ]
    row = bills.money_with_closings(stream, books).cdr
    return CallHistory(stream.id, steps, _shown(CDRS, row) if row else None)


def _step(
    key: tuple[int, int], notice: Notice | None, operator_event: OperatorEvent | None, call: Call, books: BillingContext
) -> HistoryStep:
    values = dict(notice.params) if notice else {}
    kind = operator_event.TOPIC.partition(":")[2] if operator_event else values["type"]
    due = bills.billed_amount(call, books)
    account, period = (due.rated.account, str(Month.of_day(due.day))) if due else ("", "")
    after = _shown(CALLS, call_rows.call_row(call, account, period)) if call.first else None
    return HistoryStep(
        *key, kind, values.get("status", ""), notice, operator_event, after, _price(due) if due else None
    )


def _price(due: BilledAmount) -> dict[str, Any]:
    rated = due.rated
    return {
        "account": rated.account,
        "tariff": rated.tariff,
        "rule": rated.rule or None,
        "billed_seconds": rated.billed_seconds,
        "price": amounts.plain(rated.price),
    }


def history_document(history: CallHistory) -> dict[str, Any]:
    """Return a history as JSON has it: amounts and times as text (SPEC 8)."""
    return {"call_id": history.call_id, "events": [_event(step) for step in history.steps], "cdr": history.cdr}


def _event(step: HistoryStep) -> dict[str, Any]:
    said = _of_notice(step.notice) if step.notice else _of_operator_event(step.operator_event)
    return {
        "position": step.position,
        "version": step.version,
        "type": step.type,
        "status": step.status,
        **said,
        "call": step.after,
        "price": step.price,
    }


def _of_notice(notice: Notice) -> dict[str, Any]:
    return {
        "received_at": times.iso(notice.received_at),
        "recorded_at": times.iso(notice.recorded_at),
        "source": notice.source,
        "formula": notice.formula,
        "key": notice.key,
        "rule": notice.rule,
        "nonce_reused": notice.nonce_reused or None,
        "voucher": msgspec.to_builtins(notice.voucher),
        "parameters": shown_parameters(notice.params),
    }


def _of_operator_event(operator_event: OperatorEvent | None) -> dict[str, Any]:
    assert operator_event
    said: dict[str, Any] = msgspec.to_builtins(operator_event)
    return said | {"recorded_at": times.iso(operator_event.recorded_at)}


def _shown(table: Any, row: CallRow | CdrRow) -> dict[str, Any]:
    shown = {column.name: _value(getattr(row, column.name), column_kind(column)) for column in exported_columns(table)}
    return shown | {"src": hide_password(row.src)}


def _value(value: Any, of_kind: ColumnKind) -> Any:
    if value is None:
        return None
    if of_kind in (ColumnKind.AMOUNT, ColumnKind.TOTAL):
        return amounts.plain(value)
    if of_kind is ColumnKind.TIME:
        return times.iso(value)
    return bool(value) if of_kind is ColumnKind.BOOLEAN else value
