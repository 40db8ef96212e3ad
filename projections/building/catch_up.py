"""Following the log: each page of events is folded, written, and noted as done in one transaction.

All calls that a page touches are folded as a whole, but for those that are only rerated. An event that cannot be projected stops
the read models at its position; it is never skipped.
"""

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import Column, Connection

from domain.calls.call import Call
from domain.events.log_row import LogRow
from domain.events.operator_events import CorrectionReversed
from domain.events.streams_of_calls import is_of_call
from domain.garbage_collection import collecting_rarely
from domain.ledger import Ledger
from projections.building import billing_totals as billing
from projections.building import exception_resolutions as resolutions
from projections.building.rollup_differences import apply_rollup_differences
from projections.building.stored_reratings import NO_RERATINGS, StoredReratings, take_reratings
from projections.rows.calls import CallRow
from projections.rows.cdrs import CdrRow
from projections.rows.earlier_events import PAGE_SIZE, prepend_earlier_events
from projections.rows.entry import Entry
from projections.rows.exceptions import ExceptionRow, ResolutionRow
from projections.rows.projector import ProjectionStopped, Projector, RowBatch, as_tuples
from projections.schema.read_models import READ_MODELS
from projections.schema.tables import CALLS, CDRS, EXCEPTIONS, RESOLUTIONS
from projections.stores.generations import ReadStore
from projections.stores.log_binding import event_digest
from projections.stores.upsert import TableRow, delete_rows, find_rows, put_rows

R = TypeVar("R")

# The keys of rows that are known by a notice of their call, and not by the call.
_KEYS_OF_NOTICES: dict[type[Any], Callable[[Any], object]] = {
    CallRow: attrgetter("position"),
    ExceptionRow: attrgetter("flag", "position"),
    ResolutionRow: attrgetter("flag", "position"),
}

EVENTS_LEFT_MAX = 20_000

__all__ = ["ProjectionStopped", "catch_up", "write_batch"]


@collecting_rarely()
def catch_up(
    ledger: Ledger, store: ReadStore, until: int | None = None, progress: Callable[[int], None] = lambda _: None
) -> int:
    """Bring the read models up to a position, by default the present head of the log, and return their position.

    Any number of processes may do so at once: each page is applied by one of them, under the store's write lock. Read models
    that began with nothing get their indexes at the end, which takes less than keeping them up; until then they are read without.
    ``progress`` is called with the position after each page. Raises ProjectionStopped, ReadModelsUnusable, StoreUnavailable.
    """
    target = ledger.head() if until is None else until
    while True:
        # Checked without the lock first: usually there is nothing to do.
        with store.snapshot() as connection:
            position = store.position(connection, ledger.store)
        progress(position)
        if position >= target:
            if store.lacks_indexes() and not _is_far(position, ledger.head()):
                store.create_missing_indexes()
            return position
        # Without its index no row is found by a call's id.
        finds_calls = not store.lacks_indexes()
        with store.transaction() as connection:
            position = store.position(connection, ledger.store)
            events = ledger.store.page(position, PAGE_SIZE, target)
            if events:
                _apply(connection, ledger, events, finds_calls=finds_calls)
                store.set_position(connection, events[-1].position, event_digest(events[-1]))
                store.note_growth(connection, position, events[-1].position)


def _is_far(position: int, head: int) -> bool:
    """Whether what is still to be folded is worth waiting for with the indexes: filling from nothing may take several calls."""
    return head - position > max(EVENTS_LEFT_MAX, position // 10)


def _apply(connection: Connection, ledger: Ledger, events: list[LogRow], *, finds_calls: bool) -> None:
    start, books = events[0].position, ledger.billing_context(events[-1].position)
    projector = Projector(books, ledger.events_at, since=start)
    batch = projector.batch
    streams: dict[str, list[LogRow]] = {}
    for row in events:
        if is_of_call(row):
            streams.setdefault(row.stream, []).append(row)
        else:
            projector.add(row)
    rerated = take_reratings(connection, ledger, streams, batch, books) if finds_calls else NO_RERATINGS
    prepend_earlier_events(ledger, streams)
    is_within_undo = may_be_within_undo(events[-1])
    if is_within_undo:
        streams[events[-1].stream] = streams.pop(events[-1].stream)
    folded = [projector.add_stream(stream) for stream in streams.values()]
    if is_within_undo:
        _keep_last_of_each_key(batch)
    # Calls are folded as a whole: what their earlier events posted is in the tables and in the totals already.
    batch.rows[Entry] = [posting for posting in batch.of(Entry) if posting.position >= start]
    _replace_rows(connection, ledger, start, batch, folded, rerated)
    resolutions.apply_resolutions(connection, batch.resolutions)


def _replace_rows(  # noqa: PLR0917  # Where to, of which page, and its rows.
    connection: Connection, ledger: Ledger, start: int, batch: RowBatch, folded: list[Call], rerated: StoredReratings
) -> None:
    """Write the rows of a page, and sums by the difference to the rows that they replace."""
    moved, former = batch.moved, _possible_keys(batch)
    replaced = [call.cdr.position for call in folded if call.cdr and call.cdr.position < start and call.id not in moved]
    old = [
        *_current_rows(connection, CdrRow, [CDRS.c.position], [(position,) for position in replaced]),
        *_current_rows(connection, CdrRow, [CDRS.c.position, CDRS.c.call_id], former),
        *rerated.before,
    ]
    new = [*batch.of(CdrRow), *rerated.after]
    billing.apply_difference(connection, old, new, batch.of(Entry))
    old_calls = _current_calls(connection, batch, start)
    apply_rollup_differences(connection, "cdrs", old, new, ledger.timezone)
    apply_rollup_differences(connection, "calls", old_calls, batch.of(CallRow), ledger.timezone)
    flagless = {row.call_id for row in old_calls if not row.flags} - moved.keys()
    known = {call.id for call in folded if call.first and call.first[0] < start} - flagless
    for table, calls in ((EXCEPTIONS, known | moved.keys()), (RESOLUTIONS, batch.resolved)):
        delete_rows(connection, table, [table.c.call_id], [(call_id,) for call_id in sorted(calls)])
    for table in (CALLS, CDRS):
        delete_rows(connection, table, [table.c.position, table.c.call_id], former)
    write_batch(connection, batch)
    rerated.write(connection)


def may_be_within_undo(last: LogRow) -> bool:
    """Whether an event may be the first of the two that undo a move: up to there two calls have the same notices.

    The call of that event then has the rows that are known by a notice: so they do not depend on how the log was read.
    """
    return last.topic == CorrectionReversed.TOPIC and is_of_call(last)


def _keep_last_of_each_key(batch: RowBatch) -> None:
    for kind, key in _KEYS_OF_NOTICES.items():
        rows = batch.of(kind)
        rows[:] = {key(row): row for row in rows}.values()


def _possible_keys(batch: RowBatch) -> list[tuple[int, str]]:
    """Return the keys of all rows that calls with moved notices can have: they are not searched by the calls' ids.

    Until read models that began with nothing have caught up, they have no index by those ids.
    """
    return [(position, call_id) for call_id, positions in batch.moved.items() for position in sorted(positions)]


def _current_calls(connection: Connection, batch: RowBatch, start: int) -> list[CallRow]:
    """Return the stored rows of calls that a batch replaces or deletes: of its calls, and those at their positions.

    A page may end between the two events of a correction: then a call takes the position back that another still has.
    """
    taken = {row.position for row in batch.of(CallRow) if row.position < start}
    former = {position for position, _ in _possible_keys(batch)}
    keys = [(position,) for position in sorted(taken | former)]
    found = _current_rows(connection, CallRow, [CALLS.c.position], keys)
    return [row for row in found if row.position in taken or row.call_id in batch.moved]


def write_batch(connection: Connection, batch: RowBatch) -> None:
    """Write a batch's rows; they replace rows with the same keys."""
    for model in READ_MODELS:
        if model.row and model.is_stored:
            put_rows(connection, model.table, as_tuples(batch.rows.get(model.row, ())))


def _current_rows(
    connection: Connection, kind: type[R], columns: Sequence[Column[Any]], keys: Sequence[TableRow]
) -> Iterator[R]:
    """Yield the stored rows, of a class, that have one of these values in some columns of its table."""
    for row in find_rows(connection, columns[0].table, columns, keys):
        yield kind(*row)
