"""Polls the read models and the end of the log for what the live page shows.

Each poll costs the same however busy the ledger is: of the events since the last poll only the latest few are read.
The counts are taken less often, since their cost grows with the number of overdue calls.
"""

from collections.abc import Callable, Iterable
from threading import Lock
from time import monotonic
from uuid import UUID

from api.application.read_model_pool import ReadModelPool, ReadSession
from api.web.live.window import ROWS_MAX, LiveCall, LiveCounts, LiveWindow, trim
from domain import times
from domain.events.codec import decode_notice, decode_operator_event
from domain.events.log_row import LogRow
from domain.events.operator_events import OPERATOR_EVENTS
from domain.ledger import Ledger
from projections.queries import call_health as calls
from projections.queries.call_lookup import calls_with_ids, count_cdrs_since, latest_in_progress, latest_with_cdr

EVENTS_MAX = 400
COUNT_SECONDS = 2.0
COUNTED_MAX = 10_000
COUNT_SHARE = 20
HOUR = 3600 * times.SECOND


class LivePoller:
    """Polls from any thread, and keeps the last result."""

    def __init__(self, shelf: ReadModelPool, ledger: Ledger, clock: Callable[[], int] = times.now) -> None:
        """Use the read models, the log, and the clock that decides which calls are stale."""
        self._shelf = shelf
        self._ledger = ledger
        self._clock = clock
        self._lock = Lock()
        self._window: LiveWindow | None = None
        self._counts, self._count_at = LiveCounts(), 0.0

    def poll(self) -> LiveWindow:
        """Return the window as of now; raises what the read model pool raises if the read models cannot be read."""
        with self._lock, self._shelf.session() as room:
            before = self._window
            counts = self._counted(room)
            if before and before.position == room.position and before.counts == counts:
                return before
            self._window = self._moved(room, before, counts)
            return self._window

    def _moved(self, room: ReadSession, before: LiveWindow | None, counts: LiveCounts) -> LiveWindow:
        """Return the window after the latest events, based on an earlier one if that is recent enough."""
        after = max(room.position - EVENTS_MAX, 0)
        if before and after <= before.position <= room.position:
            after = before.position
            kept, floor = before.rows, before.floor
        else:
            kept, floor = self._known_before(room), after
        events = self._ledger.store.page(after, EVENTS_MAX, room.position)
        moved = {row.stream_id: row for row in events}
        found = {row.id: row for row in _read(room, moved)}
        fresh = self._clock() - self._ledger.options.window.max_age
        everything = [*found.values(), *(row for row in kept if row.id not in moved)]
        everything = [row for row in everything if not row.is_live or row.last_at >= fresh]
        rows = trim(everything)
        # A call that ended earlier than all that are shown is missed by nobody.
        forgotten = {row.at for row in everything if row.is_live} - {row.at for row in rows}
        return LiveWindow(room.position, max(floor, *forgotten, 0), rows, counts)

    def _known_before(self, room: ReadSession) -> tuple[LiveCall, ...]:
        """Return the calls in progress that changed last, and those that ended last, however far back in the log their events are."""
        fresh = self._clock() - self._ledger.options.window.max_age
        ids = [*latest_in_progress(room.connection, fresh, ROWS_MAX), *latest_with_cdr(room.connection, ROWS_MAX)]
        last = {call_id: self._ledger.history(UUID(call_id), room.position)[-1] for call_id in ids}
        return tuple(_read(room, last))

    def _counted(self, room: ReadSession) -> LiveCounts:
        """Count again unless the counts are recent; a count that takes long is repeated less often."""
        if (begun := monotonic()) >= self._count_at:
            now = self._clock()
            waiting = calls.count_overdue(room.connection, self._ledger.options.window, now)
            self._counts = LiveCounts(
                waiting.in_progress - waiting.stale,
                count_cdrs_since(room.connection, now - HOUR, COUNTED_MAX),
                waiting.stale,
                waiting.missing_cdr,
            )
            done = monotonic()
            self._count_at = done + max(COUNT_SECONDS, COUNT_SHARE * (done - begun))
        return self._counts


def _read(room: ReadSession, last: dict[str, LogRow]) -> Iterable[LiveCall]:
    """Return the rows of those streams that are calls, each with its last event."""
    for found in calls_with_ids(room.connection, last):
        event = last[found.call_id]
        label, event_at = read_label(event)
        yield LiveCall(
            found.call_id,
            found.state,
            found.disposition,
            found.tag,
            found.src,
            found.opened_at,
            found.ended_at,
            found.last_at,
            label,
            event.position,
            found.flags,
            event_at,
        )


def read_label(event: LogRow) -> tuple[str, int]:
    """Return one word for an event, and its time (microseconds, UTC).

    The word is a notice's status, or its type if it has none, or the operator event's name.
    """
    if event.topic in OPERATOR_EVENTS:
        return event.topic.rpartition(":")[2], decode_operator_event(event.topic, event.state).recorded_at
    notice = decode_notice(event.state)
    values = dict(notice.params)
    kind = values.get("type", "")
    return "CDR" if kind == "cdr" else values.get("status", "") or kind, notice.received_at
