"""A call's stream with its corrections: which notices belong to the call, and its state after each event.

Notices stay permanently in the stream in which they were recorded. An operator event says that some now belong to another
call, and the fold follows it. Nearly all streams have no operator events, and are folded directly.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from domain.calls.call import Call, Resolution
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
        if not self.was_moved:
            return
        own = {position for position, _ in self.notices}
        moves = [each.event for each in self.operator_events if isinstance(each.event, NoticesMoved)]
        missing = {position for move in moves for position in move.positions} - own - self._elsewhere.keys()
        for row in self._fetch(sorted(missing)) if missing else ():
            self._elsewhere[row.position] = decode_notice(row.state)

    @property
    def was_moved(self) -> bool:
        """Whether notices were ever moved to the call or from it, whatever became of that."""
        return any(isinstance(each.event, NoticesMoved) for each in self.operator_events)

    def own_resolutions(self, call: Call) -> dict[tuple[str, int], Resolution]:
        """Return what was resolved of the call, as ``states`` yields it last: an exception of another call's notice is that call's."""
        own = self.notice_positions() if call.resolved else ()
        return {key: found for key, found in call.resolved.items() if key[1] in own}

    def notice_positions(self) -> set[int]:
        """Return the positions of all notices that the call has, or once had."""
        return {position for position, _ in self.notices} | self._elsewhere.keys()

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
        return self._members(self.effective_events(until), until)

    def _members(self, effective: Iterable[PositionedEvent], until: int) -> list[PositionedNotice]:
        found = {position: notice for position, notice in self.notices if position <= until}
        for _, event in effective:
            if isinstance(event, NoticesMoved) and event.gone:
                for position in event.positions:
                    found.pop(position, None)
            elif isinstance(event, NoticesMoved):
                own = dict(self.notices)
                found |= {position: own.get(position) or self._elsewhere[position] for position in event.positions}
        return sorted(found.items())

    def call_at(self, until: int) -> Call:
        """Fold the call up to a position; a call whose notices have all moved elsewhere has no events."""
        effective = self.effective_events(until) if self.operator_events else []
        members = self._members(effective, until)
        if not members:
            return self._empty_call(0)
        call = self._empty_call(members[0][1].received_at)
        for position, notice in members:
            call.apply(position, notice)
        for position, event in effective:
            _correct(call, position, event)
        if call.resolved:
            # An exception of a notice that has moved is another call's, where it can be resolved anew.
            own = {position for position, _ in members}
            call.resolved = {key: found for key, found in call.resolved.items() if key[1] in own}
        return call

    def _empty_call(self, at: int) -> Call:
        line, ordinal = self.line_and_ordinal()
        return Call(self.id, line, ordinal, CallHead(ordinal, at, at))

    def head_at(self, until: int) -> CallHead:
        """Return what correlation needs of the call up to a position; of a call without notices, only that its ordinal is used."""
        call = self.call_at(until)
        return call.head if call.first else CallHead(call.ordinal, BEFORE_ALL, BEFORE_ALL)

    def states(self) -> Iterator[tuple[int, OperatorEvent | None, Call]]:
        """Yield the call after each event of the stream: the position, the operator event, if it is one, and the call.

        The call is the same object, changed, from one to the next: who wants to keep it copies what is wanted.
        """
        events, notices = dict(self.operator_events), dict(self.notices)
        call: Call | None = None
        goes_on = True  # Until notices move or a correction is reversed, each event adds to the call as it was.
        for position in self.positions:
            event = events.get(position)
            goes_on = goes_on and not isinstance(event, _RETOLD)
            if not goes_on:
                call = self.call_at(position)
            elif event is None:
                notice = notices[position]
                call = call or self._empty_call(notice.received_at)
                call.apply(position, notice)
            else:
                assert call
                _correct(call, position, event)
            assert call
            yield position, event, call


# After one of these, the call is told anew from all events that count.
_RETOLD = (NoticesMoved, CorrectionReversed)


def _correct(call: Call, position: int, event: OperatorEvent) -> None:
    """Apply what an operator said of a call, other than which notices are its own."""
    if isinstance(event, CallRerated):
        call.rerated = event.tariff
    elif isinstance(event, CallVoided):
        call.voided = True
    elif isinstance(event, ExceptionResolved) and event.reopened:
        call.resolved.pop((event.flag, event.position), None)
    elif isinstance(event, ExceptionResolved):
        call.resolved[event.flag, event.position] = Resolution(position, event.by, event.reason, event.recorded_at)
