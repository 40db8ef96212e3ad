"""A log made anew from its events: what a store keeps beside them follows from them.

Each notice has its delivery key, and claims its signature and its nonce, in the order of the log, as when it was recorded.
What correlation knows of a call follows from the call's stream. Whatever a later shape of events keeps elsewhere, only
`append_events` and `line_call_rows` would have to read it from there.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from domain.calls.call_stream import CallStream
from domain.calls.correlation import CallHead
from domain.errors import LedgerError
from domain.events.codec import decode_notice
from domain.events.log_row import POSITION_MAX, LogRow
from domain.events.notice_events import Notice, notice_claim, notice_key
from domain.events.operator_events import OPERATOR_EVENTS
from domain.events.streams import line_key
from domain.events.streams_of_calls import NOTICES_OF_CALLS, is_of_call
from domain.log.contract import Log, LogTransaction
from domain.log.line_call_rows import row_of
from domain.log.tables import TableRow
from domain.notices.call_notice import LineKey, read_call_notice
from domain.notices.notification import delivery_key
from domain.notices.signature import COVERS_ONLY_R

# Behind all ids of streams, which are hexadecimal digits.
_BEHIND_ALL_STREAMS = "g"


class EventsRefused(LedgerError):
    """Events cannot be a ledger's log: one is out of order, or two notices are the same one."""


def append_events(log: LogTransaction, events: Iterable[LogRow]) -> None:
    """Append events, each at its own position, with what they claim; raises EventsRefused, UnknownEventShape."""
    for event in events:
        if event.position != log.position + 1:
            msg = f"the event at position {event.position} comes after position {log.position}; expected the next one"
            raise EventsRefused(msg)
        if event.topic not in OPERATOR_EVENTS:
            _claim(log, event.position, decode_notice(event.state))
        log.append(UUID(hex=event.stream), event.version, event.topic, event.state)


def _claim(log: LogTransaction, position: int, notice: Notice) -> None:
    if before := log.claim_delivery_key(notice_key(notice), position):
        msg = f"the notice at position {position} is that at position {before}; expected each notice once"
        raise EventsRefused(msg)
    values = dict(notice.params)
    if claim := notice_claim(notice.source, notice.formula, notice.voucher, values):
        # In ledgers from before claims, a signature may have come twice: the lowest position has it.
        log.claim_signature(claim, position)
    if notice.formula in COVERS_ONLY_R:
        content = delivery_key([(name, value) for name, value in values.items() if name != "sig"])
        log.claim_nonce(values["r"], content, position)


def line_call_rows(log: Log) -> Iterator[TableRow]:
    """Yield what correlation knows of each call of a log, as rows of ``line_calls``, in the order of the calls' ids."""
    of_calls = filter(is_of_call, log.read_by_stream(POSITION_MAX, "", _BEHIND_ALL_STREAMS))
    for _, events in groupby(of_calls, key=attrgetter("stream")):
        line, head = _fold(log, [*events])
        yield row_of(line_key(line), head)


def _fold(log: Log, events: list[LogRow]) -> tuple[LineKey, CallHead]:
    """Return the line of a call and what correlation needs of it, given all events of its stream."""
    if all(event.topic in NOTICES_OF_CALLS for event in events):
        return _fold_notices([decode_notice(event.state) for event in events])
    stream = CallStream(events, lambda positions: [log.page(each - 1, 1, each)[0] for each in positions])
    head = stream.head_at(stream.last)
    head.events = events[-1].version
    return stream.line_and_ordinal()[0], head


def _fold_notices(notices: list[Notice]) -> tuple[LineKey, CallHead]:
    """Fold a call without corrections, as nearly all are."""
    first = notices[0]
    assert first.line is not None
    head = CallHead(first.ordinal, first.received_at, first.received_at)
    for notice in notices:
        head.apply(read_call_notice(dict(notice.params), notice.received_at))
    return first.line, head
