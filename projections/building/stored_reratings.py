"""Reratings of calls whose CDR is stored: its row is rated again in place, and the call's other events are not read.

A rerating of a month makes an event for each of its calls, of which all else stays as it is.
"""

from typing import Any, NamedTuple, cast

from sqlalchemy import Connection

from domain.billing.billing_context import BillingContext
from domain.events.log_row import LogRow
from domain.events.operator_events import CallRerated
from domain.ledger import Ledger
from projections.rows.cdrs import CdrRow
from projections.rows.operator_events import OperatorEventRow
from projections.rows.projector import RowBatch
from projections.rows.rerated_cdrs import PRICE_COLUMNS, rerate_cdr_row
from projections.schema.tables import CDRS
from projections.stores.upsert import find_rows, update_rows

FIRST_EVENT_ONLY = 2  # A version: before it there is the first event.


class StoredReratings(NamedTuple):
    """The rows of rerated CDRs before and after."""

    before: list[CdrRow]
    after: list[CdrRow]

    def write(self, connection: Connection) -> None:
        """Write what has changed of the rows."""
        update_rows(connection, CDRS, PRICE_COLUMNS, self.after)


NO_RERATINGS = StoredReratings([], [])


def take_reratings(
    connection: Connection, ledger: Ledger, streams: dict[str, list[LogRow]], batch: RowBatch, books: BillingContext
) -> StoredReratings:
    """Take from the streams of calls, with the events of a page each, those whose rows can be rerated as they are stored.

    The rows of these events are added to the batch. The calls' ids must have their index.
    """
    found = StoredReratings([], [])
    only_rerated = {
        rows[0].stream_id: rows
        for rows in streams.values()
        if all(row.topic == CallRerated.TOPIC for row in rows) and rows[0].version > 1
    }
    first = _first_positions(ledger, only_rerated, books)
    for stored in find_rows(connection, CDRS, [CDRS.c.call_id], [(call_id,) for call_id in only_rerated]):
        row = CdrRow(*cast("Any", stored))
        events = only_rerated[row.call_id]
        last = events[-1].position
        if books.closed_through(first.get(events[0].stream, last)) != books.closed_through(last):
            continue
        if rerated := rerate_cdr_row(row, events, books):
            found.before.append(row)
            found.after.append(rerated[0])
            batch.of(OperatorEventRow).extend(rerated[1])
            del streams[events[0].stream]
    return found


def _first_positions(ledger: Ledger, calls: dict[str, list[LogRow]], books: BillingContext) -> dict[str, int]:
    """Return the positions of the first events of streams, by stream, where they count: once a month was closed."""
    if not books.closings:
        return {}
    versions = [(rows[0].stream, FIRST_EVENT_ONLY) for rows in calls.values()]
    return {row.stream: row.position for row in ledger.store.events_before_versions(versions)}
