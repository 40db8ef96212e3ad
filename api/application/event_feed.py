"""The events of the log as they come in, page by page from any position on, and each as a line of text.

The log is polled, so a lost wake-up cannot stall a reader. Positions have no gaps, and no event appears before one that was
already read, so the last position read is all you need to continue.
"""

from collections.abc import Callable, Iterator

import msgspec

from api.application.masking import (
    masked_number,
    masked_operator_event,
    masked_parameters,
    masked_text,
    shown_parameters,
)
from domain import times
from domain.amounts import plain
from domain.errors import StoreUnavailable
from domain.events.codec import decode_notice, decode_operator_event
from domain.events.log_row import POSITION_MAX, LogRow
from domain.events.notice_events import Notice
from domain.events.operator_events import OPERATOR_EVENTS, OperatorEvent
from domain.events.streams_of_calls import is_of_call
from domain.ledger import Ledger
from domain.notices.line_number import hide_password

PAGE_SIZE = 1000
# Left out of an event's line: what its beginning says already, and what only proves its authenticity.
_UNSHOWN = {"f", "type", "status", "r", "sig"}
_WHAT_WIDTH = len("callstatus DESTNETWORKERROR")


class FeedEvent(msgspec.Struct, frozen=True):
    """An event for programs; times are UTC in ISO 8601, ``call_id`` and ``rule`` are null if it belongs to no call."""

    position: int
    call_id: str | None
    received_at: str
    recorded_at: str
    source: str
    type: str
    status: str
    tag: str
    src: str
    rule: int | None
    parameters: list[tuple[str, str]]

    @property
    def line(self) -> str:
        """The event as a line for people."""
        what = f"{self.type} {self.status}".strip() or "(no type)"
        shown = " ".join([f"{name}={value}" for name, value in self.parameters if name not in _UNSHOWN])
        return f"{self.position}  {self.received_at}  {what:{_WHAT_WIDTH}}  {shown}".rstrip()


def read_event(row: LogRow, *, whole: bool = True) -> FeedEvent:
    """Return a stored event, a notice or an operator event, masked unless ``whole``; raises UnknownEventShape."""
    if row.topic in OPERATOR_EVENTS:
        return _of_operator_event(row, whole=whole)
    notice: Notice = decode_notice(row.state)
    said = dict(notice.params)
    src = hide_password(said.get("src", ""))
    # An unknown type or status may be any text, which its parameter masks as well.
    kind, status = (said.get(name, "") if whole else masked_text(said.get(name, "")) for name in ("type", "status"))
    return FeedEvent(
        position=row.position,
        call_id=row.stream_id if notice.line else None,
        received_at=times.iso(notice.received_at),
        recorded_at=times.iso(notice.recorded_at),
        source=notice.source,
        type=kind,
        status=status,
        tag=said.get("tag", ""),
        src=src if whole else masked_number(src),
        rule=notice.rule or None,
        parameters=shown_parameters(notice.params) if whole else masked_parameters(notice.params),
    )


def _of_operator_event(row: LogRow, *, whole: bool) -> FeedEvent:
    operator_event = decode_operator_event(row.topic, row.state)
    reason = operator_event.reason if whole else masked_text(operator_event.reason)
    said = {**event_fields(operator_event, whole=whole), "reason": reason}
    at = times.iso(operator_event.recorded_at)
    return FeedEvent(
        position=row.position,
        call_id=row.stream_id if is_of_call(row) else None,
        received_at=at,
        recorded_at=at,
        source=operator_event.by,
        type=row.topic.partition(":")[2],
        status="",
        tag="",
        src="",
        rule=None,
        parameters=list(said.items()),
    )


def event_pages(ledger: Ledger, after: int) -> Iterator[list[LogRow]]:
    """Yield the events after a position, up to the current head; raises StoreUnavailable."""
    until = ledger.head()
    while rows := ledger.store.page(after, PAGE_SIZE, until):
        after = rows[-1].position
        yield rows


def follow_events(
    ledger: Ledger, after: int, wait: Callable[[], bool], tell: Callable[[str], None]
) -> Iterator[list[LogRow]]:
    """Yield the events after a position for as long as ``wait`` returns True.

    If the store is unavailable, ``tell`` is called once, and reading is retried.
    """
    failing = False
    while True:
        rows = []
        try:
            rows = ledger.store.page(after, PAGE_SIZE, POSITION_MAX)
        except StoreUnavailable as error:
            if not failing:
                tell(f"{error}; retrying")
            failing = True
        else:
            if failing:
                tell("the store is available again; no event was missed")
            failing = False
        if rows:
            after = rows[-1].position
            yield rows
        elif not wait():
            return


AMOUNTS = ("amount",)


COMMON = ("v", "recorded_at", "by", "reason")


def event_fields(operator_event: OperatorEvent, *, whole: bool = True) -> dict[str, str]:
    """Return the own fields of an operator event, as text; masked unless ``whole``."""
    said = {name: value for name, value in msgspec.to_builtins(operator_event).items() if name not in COMMON}
    return {name: field_text(name, value) for name, value in (said if whole else masked_operator_event(said)).items()}


def field_text(name: str, value: object) -> str:
    """Return one field of an operator event as text."""
    if name in AMOUNTS:
        assert isinstance(value, int)
        return plain(value)
    return hide_password(value if isinstance(value, str) else msgspec.json.encode(value).decode())
