"""The one way by which read models follow the log: a page of events, folded, written, and tracked in one transaction.

A page collects the calls that it touches and folds each whole, so applying it is idempotent. A failing event stops the
loop with its position; it is never skipped.
"""

from collections.abc import Callable, Iterable, Iterator

from sqlalchemy import Connection, select

from domain import call as calls_fold
from domain.call import Call
from domain.errors import LedgerError, UnknownShape
from domain.events import (
    CallStatusRecorded,
    CdrRecorded,
    ChannelDeletionRecorded,
    UnrecognisedRecorded,
    VoicemailRecorded,
    decode_notice,
)
from domain.ledger import Ledger
from domain.log import LogRow
from projections import billing, calls, cdrs, exceptions, notices
from projections.rows import Row, delete_rows, put_rows
from projections.store import ReadStore
from projections.tables import CALLS, CDRS, CHANNELS, EXCEPTIONS, VOICEMAILS

PAGE_SIZE = 4000
ROWS_AT_ONCE = 400

CALL_TOPICS = (CallStatusRecorded.TOPIC, CdrRecorded.TOPIC)
NO_CALL_TOPICS = (VoicemailRecorded.TOPIC, ChannelDeletionRecorded.TOPIC, UnrecognisedRecorded.TOPIC)


class ProjectionStopped(LedgerError):
    """An event could not be projected, so the read models stand still before it."""


class Page:
    """The rows that a stretch of events yields, gathered for all read models."""

    def __init__(self, timezone: str) -> None:
        """Begin an empty page, for the billing time zone."""
        self._timezone = timezone
        self.calls: list[Row] = []
        self.cdrs: list[Row] = []
        self.exceptions: list[Row] = []
        self.voicemails: list[Row] = []
        self.channels: list[Row] = []

    @property
    def size(self) -> int:
        """How many rows wait to be written, roughly."""
        return len(self.calls) + len(self.exceptions) + len(self.voicemails) + len(self.channels)

    def add_call(self, call: Call) -> None:
        """Add the rows of a call."""
        self.calls.append(calls.row(call))
        cdr = cdrs.row(call, self._timezone)
        if cdr:
            self.cdrs.append(cdr)
        self.exceptions += exceptions.rows(call)

    def add_notice(self, row: LogRow) -> None:
        """Add the rows of a notice that is no call's; one that no read model shows adds none."""
        try:
            notice = decode_notice(row.state)
        except UnknownShape as error:
            raise _stopped(row, error) from error
        if row.topic not in NO_CALL_TOPICS:
            raise _stopped(row, f"its topic {row.topic!r} is not known")
        if row.topic == VoicemailRecorded.TOPIC:
            self.voicemails.append(notices.voicemail_row(row.position, notice))
        elif row.topic == ChannelDeletionRecorded.TOPIC:
            self.channels.append(notices.channel_row(row.position, notice))
        recognised = row.topic != UnrecognisedRecorded.TOPIC
        self.exceptions += exceptions.rows_of_notice(row.position, notice, recognised=recognised)

    def put(self, connection: Connection) -> None:
        """Write the rows, in place of those of the same calls."""
        put_rows(connection, CALLS, self.calls)
        put_rows(connection, CDRS, self.cdrs)
        put_rows(connection, EXCEPTIONS, self.exceptions)
        put_rows(connection, VOICEMAILS, self.voicemails)
        put_rows(connection, CHANNELS, self.channels)


def fold(rows: Iterable[LogRow]) -> Call:
    """Fold the events of one call, in order; raises ProjectionStopped at the one that cannot be folded."""
    call: Call | None = None
    for row in rows:
        try:
            notice = decode_notice(row.state)
            call = call or calls_fold.begin(row.stream_id, notice)
            call.apply(row.position, notice)
        except Exception as error:
            raise _stopped(row, error) from error
    assert call is not None
    return call


def _stopped(row: LogRow, error: object) -> ProjectionStopped:
    return ProjectionStopped(f"the event at position {row.position} cannot be projected: {error}")


def catch_up(
    ledger: Ledger, store: ReadStore, until: int | None = None, progress: Callable[[int], None] = lambda _: None
) -> int:
    """Bring the read models up to a position, by default the log's head as of now, and return where they are then.

    Any number of processes may do so at once: each page is applied by one of them, under the store's write lock.
    ``progress`` is told the position after each page. Raises ProjectionStopped, ReadModelsUnfit, StoreUnavailable.
    """
    target = ledger.head() if until is None else until
    while True:
        # Looked at without the lock first: mostly there is nothing to do.
        with store.reading() as connection:
            position = store.position(connection, ledger.head)
        progress(position)
        if position >= target:
            return position
        with store.writing() as connection:
            position = store.position(connection)
            events = ledger.store.page(position, PAGE_SIZE, target)
            if events:
                _apply(connection, ledger, events)
                store.move_to(connection, events[-1].position)


def _apply(connection: Connection, ledger: Ledger, events: list[LogRow]) -> None:
    page = Page(ledger.timezone)
    streams: dict[str, list[LogRow]] = {}
    for row in events:
        if row.topic in CALL_TOPICS:
            streams.setdefault(row.stream, []).append(row)
        else:
            page.add_notice(row)
    _complete(ledger, streams)
    folded = [fold(stream) for stream in streams.values()]
    for call in folded:
        page.add_call(call)
    start = events[0].position
    replaced = [call.cdr.position for call in folded if call.cdr and call.cdr.position < start]
    billing.change(connection, list(_stored(connection, replaced)), page.cdrs)
    known = [(call.id,) for call in folded if call.first and call.first[0] < start]
    delete_rows(connection, EXCEPTIONS, [EXCEPTIONS.c.call_id], known)
    page.put(connection)


def _complete(ledger: Ledger, streams: dict[str, list[LogRow]]) -> None:
    """Put before each call's events those of earlier pages."""
    cut = [(stream, rows[0].version) for stream, rows in streams.items() if rows[0].version > 1]
    earlier: dict[str, list[LogRow]] = {}
    for row in ledger.store.beginnings(cut):
        earlier.setdefault(row.stream, []).append(row)
    for stream, rows in earlier.items():
        streams[stream] = rows + streams[stream]


def _stored(connection: Connection, positions: list[int]) -> Iterator[Row]:
    """Return the CDR rows at these positions as the last page left them."""
    for start in range(0, len(positions), ROWS_AT_ONCE):
        chunk = positions[start : start + ROWS_AT_ONCE]
        yield from connection.execute(select(CDRS).where(CDRS.c.position.in_(chunk)))
