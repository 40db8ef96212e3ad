"""What blocks the closing of a month: open items that may still change what is billed, with the money at risk.

These are notices in quarantine, ended calls without their CDR, exceptions that touch money, and earlier open months that
would be closed as well.
"""

from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import Connection, and_, func, or_, select

from domain import times
from domain.billing.billing_context import BillingContext
from domain.billing.closing_rule import billing_zones
from domain.calls.call import CONTRADICTORY_OUTCOME, NONCE_REUSED, REPEATED_CDR
from domain.events.codec import decode_notice
from domain.events.log_row import POSITION_MAX, LogRow
from domain.events.operator_events import OPERATOR_EVENTS
from domain.ledger import Ledger
from domain.log.contract import QuarantineEntry
from domain.months import Month
from domain.notices import notification
from domain.notices.call_notice import read_call_notice
from domain.notices.notification import Notification
from projections.queries import call_health as calls
from projections.queries import time_points as moments
from projections.queries.exception_totals import IS_OPEN
from projections.queries.suspects import FoundSuspects, SuspectRange, find_suspects
from projections.schema.tables import BILLING, CALLS, EXCEPTIONS

QUARANTINED, MISSING_CDR, OPEN_MONTH, SUSPECT_RUN = "quarantined", "missing-cdr", "open-month", "suspect-run"
CALLS_AT_ONCE = 400
TOUCHING_MONEY = (REPEATED_CDR, CONTRADICTORY_OUTCOME, NONCE_REUSED)


class ClosingBlocker(msgspec.Struct, frozen=True):
    """An open item: its kind, where to find it, and the money at risk, if known.

    ``where`` is the number in the quarantine, the call's id, the exception's position, the month, or the position of the first CDR
    of a run of suspects. The amounts are in
    millionths of a US cent and of a SIP credit, None if unknown.
    """

    kind: str
    where: str
    tag: str
    cost: int | None
    sip_credits: int | None

    def __str__(self) -> str:
        """Return the text that a closing stores for an accepted item."""
        return f"{self.kind} {self.where}"


def find_month_suspects(ledger: Ledger, connection: Connection, period: str) -> FoundSuspects:
    """Return the suspects among the calls of a month and of the open months before it (SPEC 9.7)."""
    closed = ledger.billing_context().closed_through(POSITION_MAX)
    return find_suspects(ledger, connection, SuspectRange(after=closed, through=period))


def find_blockers(ledger: Ledger, connection: Connection, period: str, suspects: FoundSuspects) -> list[ClosingBlocker]:
    """Return the blockers of a month and of the open months before it; ``check_closable`` comes first."""
    books = ledger.billing_context()
    span = _ClosingSpan(books, period)
    return [
        *_open_months(connection, span),
        *(each for entry in ledger.store.quarantined(settled=False) for each in _quarantined(entry, span)),
        *_missing_cdrs(connection, span),
        *_exceptions(connection, span),
        *_runs(suspects),
    ]


def find_quarantine_blockers(ledger: Ledger, period: str, after: int) -> list[ClosingBlocker]:
    """Return those blockers of a month that came into quarantine behind a number."""
    span = _ClosingSpan(ledger.billing_context(), period)
    entries = ledger.store.quarantined(settled=False, after=after)
    return [each for entry in entries for each in _quarantined(entry, span)]


def changes_closing(books: BillingContext, connection: Connection, events: Sequence[LogRow], period: str) -> bool:
    """Whether events may change what is open in the months that a closing closes, or what is billed in them.

    ``connection`` reads the read models as they were before these events. It answers yes rather too often than not.
    """
    if any(event.topic in OPERATOR_EVENTS for event in events):
        return True
    zones = billing_zones(books)
    for event in events:
        received_at = decode_notice(event.state).received_at
        if any(Month.of_day(times.day(received_at, zone)) <= period for zone in zones):
            return True
    touched = sorted({event.stream_id for event in events})
    for start in range(0, len(touched), CALLS_AT_ONCE):
        of_these = CALLS.c.call_id.in_(touched[start : start + CALLS_AT_ONCE])
        if connection.execute(select(CALLS.c.call_id).where(of_these, CALLS.c.period <= period).limit(1)).first():
            return True
    return False


class _ClosingSpan:
    """The months that a closing would close, for each account in its own time zone."""

    def __init__(self, books: BillingContext, period: str) -> None:
        self.period = period
        self.closed = books.closed_through(POSITION_MAX)
        # The day of no account is further than a day from the ledger's.
        self.end = times.start_of_day(moments.read_month(period).next.first_day, books.timezone) + times.DAY
        self._books = books

    def has(self, at: int, account: str | None = None) -> bool:
        """Whether a time (microseconds, UTC) is in one of the months."""
        zone = self._books.timezone
        if account is not None and self._books.tariffs:
            zone = self._books.tariffs[-1].tariff.timezone_of(account)
        return self.has_month(Month.of_day(times.day(at, zone)))

    def has_month(self, month: str) -> bool:
        """Whether a month is one of them."""
        return self.closed < month <= self.period


def _open_months(connection: Connection, span: _ClosingSpan) -> Iterator[ClosingBlocker]:
    query = (
        select(BILLING.c.period, func.sum(BILLING.c.cost), func.sum(BILLING.c.sip_credits))
        .where(BILLING.c.period > span.closed, BILLING.c.period < span.period)
        .group_by(BILLING.c.period)
        .order_by(BILLING.c.period)
    )
    for period, costs, credits_ in connection.execute(query):
        yield ClosingBlocker(OPEN_MONTH, period, "", int(costs), int(credits_))


def _quarantined(entry: QuarantineEntry, span: _ClosingSpan) -> Iterator[ClosingBlocker]:
    """Yield a quarantined CDR of the months; its charges count if they can be read."""
    pairs = notification.parse_pairs(entry.raw)
    values = dict(pairs)
    if values.get("type") != "cdr" or not span.has(entry.received_at):
        return
    parameters = [(name, value) for name, value in pairs if name in notification.CHARGES]
    readable = Notification(entry.raw, entry.received_at, parameters).problem() is None
    charges = read_call_notice(dict(parameters) | {"type": "cdr"}, entry.received_at).charges if readable else None
    amounts = (charges.cost, charges.sip_credits) if charges else (None, None)
    yield ClosingBlocker(QUARANTINED, str(entry.id), notification.shorten(values.get("tag", "")), *amounts)


def _runs(suspects: FoundSuspects) -> Iterator[ClosingBlocker]:
    for run in suspects.runs:
        tags = {each.tag for each in run.suspects}
        tag = run.suspects[0].tag if len(tags) == 1 else ""
        yield ClosingBlocker(SUSPECT_RUN, str(run.suspects[0].position), tag, run.cost, run.sip_credits)


def _missing_cdrs(connection: Connection, span: _ClosingSpan) -> Iterator[ClosingBlocker]:
    query = (
        select(CALLS.c.call_id, CALLS.c.tag, CALLS.c.account, CALLS.c.ended_at)
        .where(calls.lacks_its_cdr(), CALLS.c.ended_at < span.end)
        .order_by(CALLS.c.position)
    )
    for call_id, tag, account, ended_at in connection.execute(query):
        if span.has(ended_at, account):
            yield ClosingBlocker(MISSING_CDR, call_id, tag, None, None)


def _exceptions(connection: Connection, span: _ClosingSpan) -> Iterator[ClosingBlocker]:
    """Yield the exceptions raised in the months, or on calls billed in them; those without a CDR have no money."""
    wanted = and_(
        EXCEPTIONS.c.flag.in_(TOUCHING_MONEY),
        IS_OPEN,
        or_(EXCEPTIONS.c.received_at < span.end, CALLS.c.period <= span.period),
    )
    query = (
        select(EXCEPTIONS, CALLS.c.account, CALLS.c.period)
        .join(CALLS, CALLS.c.call_id == EXCEPTIONS.c.call_id)
        .where(wanted)
        .order_by(EXCEPTIONS.c.position, EXCEPTIONS.c.flag)
    )
    for row in connection.execute(query):
        if span.has(row.received_at, row.account) or span.has_month(row.period):
            yield ClosingBlocker(row.flag, str(row.position), row.tag, row.cost, row.sip_credits)
