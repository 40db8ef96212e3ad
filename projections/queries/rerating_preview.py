"""What rating calls by another version of the tariff would change, call by call, previewed by the code that will do it.

A call's events are folded as they are, and again with the rerating at their end: the difference is what it would change.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from domain.billing.billing_context import BillingContext
from domain.billing.rating import RatedCdr
from domain.calls.call import Call
from domain.errors import CommandRejected
from domain.events.log_row import POSITION_MAX, LogRow
from domain.events.operator_events import CALL_CORRECTIONS, SHAPE, CallRerated
from domain.ledger import Ledger
from domain.operators.call_corrections import SeenCall
from projections.building.billing_totals import WIDTH, Totals, total_differences
from projections.rows import billed_amounts as bills
from projections.rows.cdrs import CdrRow
from projections.rows.entry import NO_AMOUNTS, Entry, EntryAmounts
from projections.rows.posted_amounts import BilledAmount
from projections.rows.projector import Projector, RowBatch, fold_notices, read_stream
from projections.schema.tables import CALLS, TOTALS

BILLED = frozenset({CdrRow, Entry})  # What is posted to an account; other rows do not change what it costs.
PRICE, BILLED_SECONDS = TOTALS.index("price"), TOTALS.index("billed_seconds")

_encode = msgspec.json.Encoder().encode


class PostedPrice(NamedTuple):
    """The change of an account's month: billed seconds, and the price in millionths of a cent."""

    account: str
    period: str
    billed_seconds: int
    price: int


class RerateChange(NamedTuple):
    """The change of a call as it was seen; ``at`` is when its CDR was received (microseconds, UTC)."""

    call_id: str
    call: SeenCall
    at: int
    before: RatedCdr
    after: RatedCdr
    posted: list[PostedPrice]

    @property
    def seen(self) -> int:
        """The position of the last event of the call's stream."""
        return self.call.position


class ReratingPreview:
    """Rates calls by a version of the tariff without writing.

    ``passed_over`` counts the calls that stay as they are because the version was not in effect at their time.
    """

    def __init__(self, ledger: Ledger, version: int) -> None:
        """Use a version; raises CommandRejected if it is not published."""
        self._ledger = ledger
        self._version = version
        self._books = ledger.billing_context()
        self.passed_over = 0
        tariff = self._books.tariff_version(version)
        if tariff is None:
            msg = f"there is no tariff version {version}; `tringledger tariff list` shows the published versions"
            raise CommandRejected(msg)
        self._since = tariff.since

    def refresh(self) -> None:
        """Read the tariffs and closings again."""
        self._books = self._ledger.billing_context()

    def change(self, call_id: str) -> RerateChange | None:
        """Return the change of a call, or None if nothing would change."""
        return self.changes([call_id])[0]

    def changes(self, call_ids: Sequence[str]) -> list[RerateChange | None]:
        """Return the change of each of these calls, None where nothing would change. Their events are read at once."""
        streams = [UUID(call_id) for call_id in call_ids]
        histories = self._ledger.histories(streams)
        return [self._change(stream, histories[stream]) for stream in streams]

    def _change(self, stream: UUID, rows: list[LogRow]) -> RerateChange | None:
        books = self._books
        # While no month closes during a call's life, its row is made anew, and its amounts are all that can differ.
        closes = books.closed_through(rows[0].position) != books.closed_through(POSITION_MAX)
        call = _fold(rows, self._ledger)
        was = bills.billed_amount(call, books)
        if was is None or call.cdr is None:
            return None
        at = call.cdr.received_at
        if at < self._since:
            self.passed_over += 1
            return None
        call.rerated = self._version
        becomes = bills.billed_amount(call, books)
        if becomes is None or becomes.rated == was.rated:
            return None
        if closes:
            posted = self._posted_across_closings(rows)
        else:
            posted = _posted_in_place(was, becomes, books, rows[-1].position)
        seen = SeenCall(stream, rows[-1].position, rows[-1].version, call.line, call.head)
        return RerateChange(call.id, seen, at, was.rated, becomes.rated, posted)

    def _posted_across_closings(self, rows: list[LogRow]) -> list[PostedPrice]:
        before = _made_of(rows, self._books, self._ledger)
        return _posted(before, _made_of([*rows, _rerating_row(rows[-1], self._version)], self._books, self._ledger))


def _fold(rows: list[LogRow], ledger: Ledger) -> Call:
    """Return a call after its last event; raises ProjectionStopped."""
    if any(row.topic in CALL_CORRECTIONS for row in rows):
        return read_stream(rows, ledger.events_at).call_at(rows[-1].position)
    return fold_notices(rows)


def _posted_in_place(
    was: BilledAmount, becomes: BilledAmount, books: BillingContext, position: int
) -> list[PostedPrice]:
    months: dict[tuple[str, str], EntryAmounts] = {}
    for due, sign in ((was, -1), (becomes, 1)):
        account, own_month = due.key
        key = account, books.open_period(own_month, position)
        before = months.get(key, NO_AMOUNTS)
        months[key] = before.plus(due.totals) if sign > 0 else before.minus(due.totals)
    return [
        PostedPrice(*key, totals.billed_seconds, totals.price) for key, totals in sorted(months.items()) if any(totals)
    ]


def _made_of(rows: list[LogRow], books: BillingContext, ledger: Ledger) -> RowBatch:
    projector = Projector(books, ledger.events_at, BILLED)
    projector.add_stream(rows)
    return projector.batch


def _rerating_row(last: LogRow, version: int) -> LogRow:
    """Return the event that would rerate the call, as the next one of the log."""
    operator_event = CallRerated(v=SHAPE, recorded_at=0, by="", reason="", tariff=version)
    return LogRow(POSITION_MAX, last.stream, last.version + 1, CallRerated.TOPIC, _encode(operator_event))


def _posted(before: RowBatch, after: RowBatch) -> list[PostedPrice]:
    months = _months(after)
    for key, totals in _months(before).items():
        month = months.setdefault(key, [0] * WIDTH)
        month[:] = [new - old for new, old in zip(month, totals, strict=True)]
    changed = [(*key, totals[BILLED_SECONDS], totals[PRICE]) for key, totals in sorted(months.items()) if any(totals)]
    return [PostedPrice(*each) for each in changed]


def _months(batch: RowBatch) -> dict[tuple[str, str], Totals]:
    _, months = total_differences((), batch.of(CdrRow), batch.of(Entry))
    return months


def calls_of_account_after(  # noqa: PLR0917  # Which, and where in them.
    connection: Connection, account: str, period: str, after: int, until: int, limit: int
) -> list[tuple[str, int]]:
    """Return the next of these calls behind a position and up to another, with their positions, by which they are in order."""
    here = (*_of_account(account, period), CALLS.c.position > after, CALLS.c.position <= until)
    wanted = select(CALLS.c.call_id, CALLS.c.position).where(*here).order_by(CALLS.c.position).limit(limit)
    return [(call, position) for call, position in connection.execute(wanted)]


def count_calls_of_account(connection: Connection, account: str, period: str, until: int) -> int:
    """Count these calls up to a position."""
    here = (*_of_account(account, period), CALLS.c.position <= until)
    return connection.execute(select(func.count()).select_from(CALLS).where(*here)).scalar_one()


def _of_account(account: str, period: str) -> tuple[ColumnElement[bool], ...]:
    return CALLS.c.account == account, CALLS.c.period == period, CALLS.c.has_cdr == 1


def calls_of_account(connection: Connection, account: str, period: str) -> list[str]:
    """Return the ids of an account's calls of a month that have a CDR, whatever month it is posted to."""
    return list(
        connection.execute(
            select(CALLS.c.call_id).where(*_of_account(account, period)).order_by(CALLS.c.position)
        ).scalars()
    )
