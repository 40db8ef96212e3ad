"""The rows that operator events make: closings, tariffs, adjustments of accounts, and one row of each for the audit trail (SPEC 4)."""

from collections.abc import Callable
from typing import Any

import msgspec

from domain import times
from domain.billing.billing_context import BillingContext
from domain.events.operator_events import (
    AccountAdjusted,
    CallRerated,
    CorrectionReversed,
    ExceptionResolved,
    LogForked,
    MonthClosed,
    NoticesMoved,
    OperatorEvent,
    PartyPublished,
    QuarantineResolved,
    StatementNumbered,
    StatementReissued,
    TariffPublished,
)
from domain.months import Month
from projections.rows.entry import ADJUSTMENT, NO_AMOUNTS, Entry


class ClosingRow(msgspec.Struct, frozen=True, gc=False):
    """A month that was closed; ``accepted`` is what was open then, joined with ``; ``."""

    period: str
    position: int
    closed_at: int
    closed_by: str
    reason: str
    accepted: str


class TariffRow(msgspec.Struct, frozen=True, gc=False):
    """A version of the tariff that was published."""

    version: int
    position: int
    published_at: int
    published_by: str
    reason: str


class OperatorEventRow(msgspec.Struct, frozen=True, gc=False):
    """What an operator did, at a position of the log; ``recorded_at`` is microseconds, UTC.

    ``kind`` is the event's topic without its prefix, and ``about`` says in a few words what it is about. ``moved`` is by how much
    it changed the price of its call or the account's bill (millionths of a US cent; None: it cannot), ``reverses`` the position of the event that it
    undid, if any.
    """

    position: int
    recorded_at: int
    kind: str
    done_by: str
    reason: str
    about: str
    account: str
    call_id: str
    moved: int | None
    reverses: int | None


def operator_event_row(position: int, event: OperatorEvent) -> OperatorEventRow:
    """Return the row of an event that is in no call's stream."""
    account = event.account if isinstance(event, AccountAdjusted | StatementNumbered | StatementReissued) else ""
    moved = event.amount if isinstance(event, AccountAdjusted) else None
    return correction_row(position, event, account, "", moved)


def correction_row(
    position: int, event: OperatorEvent, account: str, call_id: str, moved: int | None
) -> OperatorEventRow:
    """Return the row of an event in a call's stream, given the account that the call is billed to and by how much the event changed its price."""
    reverses = getattr(event, "reversed_position", 0) or None
    return OperatorEventRow(
        position=position,
        recorded_at=event.recorded_at,
        kind=event.TOPIC.partition(":")[2],
        done_by=event.by,
        reason=event.reason,
        about=operator_event_about(event),
        account=account,
        call_id=call_id,
        moved=moved,
        reverses=reverses,
    )


def operator_event_about(event: OperatorEvent) -> str:
    """Return in a few words what an event is about; empty if its kind says all."""
    return _ABOUT[type(event)](event) if type(event) in _ABOUT else ""


def _notices(count: int) -> str:
    return f"{count} notice{'' if count == 1 else 's'}"


_ABOUT: dict[type[OperatorEvent], Callable[[Any], str]] = {
    TariffPublished: lambda event: f"version {event.version}",
    MonthClosed: lambda event: (
        event.period
        + (f", with {len(event.accepted)} open items accepted" if event.accepted else "")
        + (f", with {len(event.charges)} monthly charges" if event.charges else "")
    ),
    CallRerated: lambda event: f"by version {event.tariff}",
    NoticesMoved: lambda event: (
        f"{event.how}: {_notices(len(event.positions))} {'to' if event.gone else 'from'} {event.other}"
    ),
    ExceptionResolved: lambda event: (
        f"{event.flag} at position {event.position}{', open again' if event.reopened else ''}"
    ),
    CorrectionReversed: lambda event: f"position {event.reversed_position}",
    AccountAdjusted: lambda event: event.period,
    QuarantineResolved: lambda event: f"notice {event.entry} in quarantine",
    LogForked: lambda event: f"epoch {event.epoch}, after position {event.kept}",
    PartyPublished: lambda event: f"version {event.version}",
    StatementNumbered: lambda event: f"{event.kind} {event.number} for {event.period}",
    StatementReissued: lambda event: f"{event.number} for {event.period}, reissue {event.ordinal}",
}


def closing_row(position: int, event: MonthClosed) -> ClosingRow:
    """Return the row of a closing."""
    return ClosingRow(event.period, position, event.recorded_at, event.by, event.reason, "; ".join(event.accepted))


def tariff_row(position: int, event: TariffPublished) -> TariffRow:
    """Return the row of a published tariff."""
    return TariffRow(event.version, position, event.recorded_at, event.by, event.reason)


def adjustment_row(position: int, event: AccountAdjusted, books: BillingContext) -> Entry:
    """Return the row of ``postings`` of an adjustment: it adds to an account's price and margin alone.

    It is posted on the day when it was recorded, if that lies in its month, else on the month's first day.
    """
    period = books.open_period(event.period, position)
    recorded = times.day(event.recorded_at, books.timezone)
    amounts = NO_AMOUNTS._replace(price=event.amount, margin=event.amount)
    return Entry(
        position=position,
        number=1,
        kind=ADJUSTMENT,
        account=event.account,
        period=period,
        original_period=event.period,
        day=recorded if Month.of_day(recorded) == period else Month(period).first_day.isoformat(),
        call_id="",
        tag="",
        src="",
        disposition="",
        **amounts._asdict(),
        level="",
        tariff="",
        rule=0,
        posted_by=event.by,
        reason=event.reason,
    )
