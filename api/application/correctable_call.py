"""What operators can correct of a call: its notices, its repeated CDRs, and the corrections that still count."""

from typing import NamedTuple
from uuid import UUID

from domain.calls.call import REPEATED_CDR
from domain.calls.call_stream import CallStream
from domain.events.notice_events import Notice
from domain.events.operator_events import ExceptionResolved, OperatorEvent
from domain.events.streams_of_calls import is_of_call
from domain.ledger import Ledger
from projections.rows.operator_events import operator_event_about


class MovableNotice(NamedTuple):
    """A notice that belongs to the call now: its position, what it says, and when it was received (microseconds, UTC)."""

    position: int
    said: str
    received_at: int


class UndoableCorrection(NamedTuple):
    """A correction that still counts: its position, kind, what it is about, who made it and when (microseconds, UTC)."""

    position: int
    kind: str
    about: str
    by: str
    recorded_at: int


class CorrectableCall(NamedTuple):
    """What can be corrected; ``repeated_cdrs`` are the positions of CDRs that repeat the call's own, and are not billed."""

    call_id: str
    notices: list[MovableNotice]
    repeated_cdrs: list[int]
    corrections: list[UndoableCorrection]
    is_void: bool


def find_correctable(ledger: Ledger, call_id: UUID) -> CorrectableCall | None:
    """Return what can be corrected of a call as it is now, or None if the log has no such call."""
    rows = ledger.history(call_id)
    if not rows or not is_of_call(rows[0]):
        return None
    stream = CallStream(rows, ledger.events_at)
    call = stream.call_at(stream.last)
    notices = [
        MovableNotice(position, _said(notice), notice.received_at)
        for position, notice in stream.notices_at(stream.last)
    ]
    repeated = [raised.position for raised in call.raised if raised.flag == REPEATED_CDR]
    # Of an exception that was resolved and opened again, only the last event says how it stands.
    last: dict[object, UndoableCorrection] = {}
    for position, event in stream.effective_events(stream.last):
        key = (event.flag, event.position) if isinstance(event, ExceptionResolved) else position
        last[key] = _undoable(position, event)
    return CorrectableCall(stream.id, notices, repeated, list(last.values()), is_void=call.voided)


def _said(notice: Notice) -> str:
    values = dict(notice.params)
    return f"{values.get('type', '')} {values.get('status', '')}".strip()


def _undoable(position: int, event: OperatorEvent) -> UndoableCorrection:
    kind = event.TOPIC.partition(":")[2]
    return UndoableCorrection(position, kind, operator_event_about(event), event.by, event.recorded_at)
