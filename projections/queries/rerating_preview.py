"""What rating calls by another version of the tariff would change, call by call, previewed by the code that will do it.

A call's events are folded as they are, and again with the rerating at their end: the difference is what it would change.
"""

from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from domain.billing.billing_context import BillingContext
from domain.billing.rating import RatedCdr
from domain.errors import CommandRejected
from domain.events.log_row import POSITION_MAX, LogRow
from domain.events.operator_events import SHAPE, CallRerated
from domain.ledger import Ledger
from projections.building.billing_totals import WIDTH, Totals, total_differences
from projections.rows import billed_amounts as bills
from projections.rows.cdrs import CdrRow
from projections.rows.entry import Entry
from projections.rows.projector import Projector, RowBatch
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
    """The change of a call whose last event is at position ``seen``; ``at`` is when its CDR was received."""

    call_id: str
    seen: int
    at: int
    before: RatedCdr
    after: RatedCdr
    posted: list[PostedPrice]


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
        if self._books.tariff_version(version) is None:
            msg = f"there is no tariff version {version}; `tringledger tariff list` shows the published versions"
            raise CommandRejected(msg)

    def refresh(self) -> None:
        """Read the tariffs and closings again."""
        self._books = self._ledger.billing_context()

    def change(self, call_id: str) -> RerateChange | None:
        """Return the change of a call, or None if nothing would change."""
        rows = self._ledger.history(UUID(call_id))
        before, was, at = _standing(rows, self._books, self._ledger)
        tariff = self._books.tariff_version(self._version)
        assert tariff
        if was is None:
            return None
        if at < tariff.since:
            self.passed_over += 1
            return None
        after, becomes, _ = _standing([*rows, _rerating_row(rows[-1], self._version)], self._books, self._ledger)
        if becomes is None or becomes == was:
            return None
        return RerateChange(call_id, rows[-1].position, at, was, becomes, list(_posted(before, after)))


def _standing(rows: list[LogRow], books: BillingContext, ledger: Ledger) -> tuple[RowBatch, RatedCdr | None, int]:
    projector = Projector(books, ledger.events_at, BILLED)
    call = projector.add_stream(rows)
    due = bills.billed_amount(call, books)
    return projector.batch, due.rated if due else None, call.cdr.received_at if call.cdr else 0


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
