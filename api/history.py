"""A call's history: each of its events as it came in, and what was known of the call after it."""

from typing import Any
from uuid import UUID

import msgspec

from domain import amounts, times
from domain.call import Call, begin
from domain.events import Notice, decode_notice
from domain.ledger import Ledger
from projections import call_rows, cdrs
from projections.tables import CALLS, CDRS, Kind, exported, kind


class Step(msgspec.Struct, frozen=True):
    """One event of a call, and the call after it as the read model ``calls`` shows it."""

    position: int
    version: int
    type: str
    status: str
    notice: Notice
    after: dict[str, Any]


class History(msgspec.Struct, frozen=True):
    """A call's steps, in the order of the log, and its CDR row, if it has one by then."""

    call_id: str
    steps: list[Step]
    cdr: dict[str, Any] | None


def of_call(ledger: Ledger, call_id: UUID, until: int) -> History | None:
    """Return the history of a call up to a position, or None where the log has no such call by then."""
    call: Call | None = None
    steps = []
    for row in ledger.history(call_id, until):
        notice = decode_notice(row.state)
        if notice.line is None:
            return None
        call = call or begin(row.stream_id, notice)
        call.apply(row.position, notice)
        values = dict(notice.params)
        after = _shown(CALLS, call_rows.row(call))
        steps.append(Step(row.position, row.version, values["type"], values.get("status", ""), notice, after))
    if call is None:
        return None
    cdr = cdrs.row(call, ledger.timezone)
    return History(call.id, steps, _shown(CDRS, cdr) if cdr else None)


def as_document(history: History) -> dict[str, Any]:
    """Return a history as what its JSON says: amounts and times as text (SPEC 8)."""
    return {"call_id": history.call_id, "events": [_event(step) for step in history.steps], "cdr": history.cdr}


def _event(step: Step) -> dict[str, Any]:
    notice = step.notice
    return {
        "position": step.position,
        "version": step.version,
        "type": step.type,
        "status": step.status,
        "received_at": times.iso(notice.received_at),
        "recorded_at": times.iso(notice.recorded_at),
        "source": notice.source,
        "formula": notice.formula,
        "key": notice.key,
        "rule": notice.rule,
        "nonce_reused": notice.nonce_reused or None,
        "voucher": msgspec.to_builtins(notice.voucher),
        "parameters": notice.params,
        "call": step.after,
    }


def _shown(table: Any, row: tuple[object, ...]) -> dict[str, Any]:
    names = [column.name for column in table.columns]
    values = dict(zip(names, row, strict=True))
    return {column.name: _value(values[column.name], kind(column)) for column in exported(table)}


def _value(value: Any, of_kind: Kind) -> Any:
    if value is None:
        return None
    if of_kind in (Kind.AMOUNT, Kind.TOTAL):
        return amounts.plain(value)
    if of_kind is Kind.TIME:
        return times.iso(value)
    return bool(value) if of_kind is Kind.TRUTH else value
