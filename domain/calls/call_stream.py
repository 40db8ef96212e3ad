"""A call's stream with its corrections: which notices belong to the call, and its state after each event.

Notices stay permanently in the stream in which they were recorded. An operator event says that some now belong to another
call, and the fold follows it. Nearly all streams have no operator events, and are folded directly.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from domain.calls.call import Call, Resolution, new_call
from domain.calls.correlation import CallHead
from domain.events.codec import UnknownEventShape, decode_notice, decode_operator_event
from domain.events.log_row import LogRow
from domain.events.notice_events import Notice
from domain.events.operator_events import (
    CALL_CORRECTIONS,
    CallRerated,
    CallVoided,
    CorrectionReversed,
    ExceptionResolved,
    NoticesMoved,
    OperatorEvent,
)
from domain.notices.call_notice import LineKey

Fetch = Callable[[list[int]], list[LogRow]]
PositionedNotice = tuple[int, Notice]
# When a call began and ended that has no notices left: before all that any notice could be received at.
BEFORE_ALL = -1


class PositionedEvent(NamedTuple):
    """An operator event of the stream, and its position."""

    position: int
    event: OperatorEvent


class FoldError(UnknownEventShape):
    """The event ``row`` cannot be folded."""

    def __init__(self, row: LogRow, error: object) -> None:
        """Keep the event with the error that it caused."""
        super().__init__(str(error))
        self.row = row


class CallStream:
    """All events of one call's stream up to a position.

    ``id`` is the call's; ``positions`` those of the stream's events, in order; ``last`` and ``versions`` tell its last event's
    position and how many there are.
    """

    def __init__(self, rows: Iterable[LogRow], fetch: Fetch, id: str = "") -> None:  # noqa: A002
        """Read the rows of the stream, in order; ``fetch`` returns the events at positions of other streams. Raises FoldError.

        ``id`` is needed for one that has no events yet.
        """
        self._fetch = fetch
        self.notices: list[PositionedNotice] = []
        self.operator_events: list[PositionedEvent] = []
        self.positions: list[int] = []
        self.id = id
        for row in rows:
            self._read(row)
        self._elsewhere: dict[int, Notice] = {}
        self._find_elsewhere()

    def append(self, position: int, event: OperatorEvent) -> None:
        """Append an operator event."""
        self.positions.append(position)
        self.operator_events.append(PositionedEvent(position, event))
        self._find_elsewhere()

    def _read(self, row: LogRow) -> None:
        self.id = self.id or row.stream_id
        self.positions.append(row.position)
        try:
            if row.topic in CALL_CORRECTIONS:
                self.operator_events.append(PositionedEvent(row.position, decode_operator_event(row.topic, row.state)))
            else:
                self.notices.append((row.position, decode_notice(row.state)))
        except Exception as error:
            raise FoldError(row, error) from error

    def _find_elsewhere(self) -> None:
        own = {position for position, _ in self.notices}
        moves = [each.event for each in self.operator_events if isinstance(each.event, NoticesMoved)]
        missing = {position for move in moves for position in move.positions} - own - self._elsewhere.keys()
        for row in self._fetch(sorted(missing)) if missing else ():
            self._elsewhere[row.position] = decode_notice(row.state)

    @property
    def last(self) -> int:
        """The position of the last event."""
        return self.positions[-1]

    def line_and_ordinal(self) -> tuple[LineKey, int]:
        """Return the line and the ordinal of the call whose stream it is."""
        for each in self.operator_events:
            if isinstance(each.event, NoticesMoved):
                return each.event.line, each.event.ordinal
        notice = self.notices[0][1]
        assert notice.line is not None
        return notice.line, notice.ordinal

    def effective_events(self, until: int) -> list[PositionedEvent]:
        """Return the operator events up to a position that are not reversed up to there."""
        known = [each for each in self.operator_events if each.position <= until]
        undone = {each.event.reversed_position for each in known if isinstance(each.event, CorrectionReversed)}
        return [
            each for each in known if each.position not in undone and not isinstance(each.event, CorrectionReversed)
        ]

    def notices_at(self, until: int) -> list[PositionedNotice]:
        """Return the notices that belong to the call at a position, in the order of the log."""
        found = {position: notice for position, notice in self.notices if position <= until}
        for _, event in self.effective_events(until):
            if isinstance(event, NoticesMoved) and event.gone:
                for position in event.positions:
                    found.pop(position, None)
            elif isinstance(event, NoticesMoved):
                own = dict(self.notices)
                found |= {position: own.get(position) or self._elsewhere[position] for position in event.positions}
        return sorted(found.items())

    def call_at(self, until: int) -> Call:
        """Fold the call up to a position; a call whose notices have all moved elsewhere has no events."""
        line, ordinal = self.line_and_ordinal()
        members = (
            self.notices_at(until) if self.operator_events else [each for each in self.notices if each[0] <= until]
        )
        if not members:
            return Call(self.id, line, ordinal, CallHead(ordinal, 0, 0))
        at = members[0][1].received_at
        call = Call(self.id, line, ordinal, CallHead(ordinal, at, at))
        for position, notice in members:
            call.apply(position, notice)
        return self._with_corrections(call, until)

    def head_at(self, until: int) -> CallHead:
        """Return what correlation needs of the call up to a position; of a call without notices, only that its ordinal is used."""
        call = self.call_at(until)
        return call.head if call.first else CallHead(call.ordinal, BEFORE_ALL, BEFORE_ALL)

    def _with_corrections(self, call: Call, until: int) -> Call:
        for position, event in self.effective_events(until) if self.operator_events else ():
            if isinstance(event, CallRerated):
                call.rerated = event.tariff
            elif isinstance(event, CallVoided):
                call.voided = True
            elif isinstance(event, ExceptionResolved) and event.reopened:
                call.resolved.pop((event.flag, event.position), None)
            elif isinstance(event, ExceptionResolved):
                call.resolved[event.flag, event.position] = Resolution(
                    position, event.by, event.reason, event.recorded_at
                )
        return call

    def states(self) -> Iterator[tuple[int, OperatorEvent | None, Call]]:
        """Yield the call after each event of the stream: the position, the operator event, if it is one, and the call.

        The call is the same object, changed, from one to the next: who wants to keep it copies what is wanted.
        """
        if self.operator_events:
            events = dict(self.operator_events)
            for position in self.positions:
                yield position, events.get(position), self.call_at(position)
            return
        call = new_call(self.id, self.notices[0][1])
        for position, notice in self.notices:
            call.apply(position, notice)
            yield position, None, call
