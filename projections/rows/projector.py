"""From events to the rows of all read models: calls are folded as a whole, all other events one by one.

This module does not write rows and imports no database library: so the workers of a rebuild start quickly.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec.structs import astuple

from domain.billing.billing_context import BillingContext
from domain.calls import call as calls_fold
from domain.calls.call import Call
from domain.calls.call_stream import CallStream, Fetch, FoldError
from domain.errors import LedgerError
from domain.events.codec import UnknownEventShape, decode_notice, decode_operator_event
from domain.events.log_row import LogRow
from domain.events.notice_events import ChannelDeletionRecorded, Notice, UnrecognisedRecorded, VoicemailRecorded
from domain.events.operator_events import (
    CALL_CORRECTIONS,
    OPERATOR_EVENTS,
    AccountAdjusted,
    ExceptionResolved,
    MonthClosed,
    OperatorEvent,
    TariffPublished,
)
from domain.months import period_of_day
from projections.rows import billed_amounts as bills
from projections.rows import calls as call_rows
from projections.rows import exceptions
from projections.rows import operator_events as operator_rows
from projections.rows import voicemails_and_channels as notices
from projections.rows.billed_amounts import CallMoney
from projections.rows.calls import CallRow
from projections.rows.cdrs import CdrRow
from projections.rows.charge_entries import charge_entries
from projections.rows.corrected_calls import fold_corrected_call
from projections.rows.entry import Entry
from projections.rows.exceptions import ExceptionRow, ResolutionRow
from projections.rows.operator_events import OperatorEventRow
from projections.rows.posted_amounts import BilledAmount

Row = tuple[Any, ...]

NO_CALL_TOPICS = (VoicemailRecorded.TOPIC, ChannelDeletionRecorded.TOPIC, UnrecognisedRecorded.TOPIC)

R = TypeVar("R")

Kinds = frozenset[type] | None
"""The classes of the rows that are wanted; None for all."""


class ProjectionStopped(LedgerError):
    """An event could not be projected; the read models stop at the position before it."""


class RowBatch:
    """The rows that a range of events yields, by their class: each read model has one.

    ``moved`` are the ids of calls to or from which notices were moved: their rows may have gone, or have other keys by now.
    With each are the positions at which it can have rows. ``resolved`` are the ids of calls of which operators resolved
    exceptions, or opened them again.
    ``resolutions`` are exceptions that belong to no call and were resolved. ``image`` has the rows of some classes in the form of
    ``row_images.py``, where a worker packed them.
    """

    def __init__(self, kinds: Kinds = None) -> None:
        """Begin without rows, and keep those of all classes or of some."""
        self._kinds = kinds
        self.rows: dict[type, list[Any]] = {}
        self.image = b""
        self.resolutions: list[tuple[int, ExceptionResolved]] = []
        self.moved: dict[str, set[int]] = {}
        self.resolved: set[str] = set()

    def keeps(self, kind: type) -> bool:
        """Whether rows of a class are kept."""
        return self._kinds is None or kind in self._kinds

    def of(self, kind: type[R]) -> list[R]:
        """Return the rows of a class, to be read and added to; those of a class that is not kept are forgotten."""
        found = self.rows.get(kind)
        if found is None:
            found = []
            if self.keeps(kind):
                self.rows[kind] = found
        return found

    def add(self, row: object) -> None:
        """Add a row to those of its class."""
        self.of(type(row)).append(row)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is sent to another process: rows as plain tuples, which cost less, as they are only written there."""
        return self.__dict__ | {"rows": {kind: as_tuples(rows) for kind, rows in self.rows.items()}}


def as_tuples(rows: Sequence[Any]) -> Sequence[Row]:
    """Return rows of one class as plain tuples, in the order of their table's columns."""
    return [*map(astuple, rows)] if rows and isinstance(rows[0], msgspec.Struct) else rows


class Projector:
    """Makes the rows of a batch, from whole streams of calls and from single events."""

    def __init__(self, books: BillingContext, fetch: Fetch, kinds: Kinds = None, since: int = 0) -> None:
        """Use these tariffs and closings; ``fetch`` returns the events at positions, for calls to which notices were moved.

        With ``kinds``, only rows of these classes are made. Rows of corrections are made from the position ``since`` on.
        """
        self.batch = RowBatch(kinds)
        self._books = books
        self._fetch = fetch
        self._since = since

    def add_stream(self, rows: list[LogRow]) -> Call:
        """Add the rows of a call, given all events of its stream; raises ProjectionStopped at one that cannot be folded."""
        books, last = self._books, rows[-1].position
        closes = books.closed_through(rows[0].position) != books.closed_through(last)
        if closes or not CALL_CORRECTIONS.isdisjoint([row.topic for row in rows]):
            call, due, money = self._fold_corrected(read_stream(rows, self._fetch), closes=closes)
        else:
            call = fold_notices(rows)
            due = bills.billed_amount(call, books)
            money = bills.current_money(call, due, books, last)
        self._add(call, due, money)
        return call

    def _fold_corrected(self, stream: CallStream, *, closes: bool) -> tuple[Call, BilledAmount | None, CallMoney]:
        batch = self.batch
        if stream.was_moved:
            batch.moved[stream.id] = stream.notice_positions()
        if any(isinstance(each.event, ExceptionResolved) for each in stream.operator_events):
            batch.resolved.add(stream.id)
        is_wanted = batch.keeps(OperatorEventRow)
        since = self._since if is_wanted else stream.last + 1
        call, due, money, corrections = fold_corrected_call(stream, self._books, since, closes=closes)
        if is_wanted:
            batch.of(OperatorEventRow).extend(corrections)
        return call, due, money

    def _add(self, call: Call, due: BilledAmount | None, money: CallMoney) -> None:
        batch = self.batch
        if call.first and batch.keeps(CallRow):
            account, period = (
                (due.rated.account, period_of_day(due.day)) if due else bills.account_of_call(call, self._books)
            )
            batch.of(CallRow).append(call_rows.call_row(call, account, period))
        if call.first:
            if call.flags and batch.keeps(ExceptionRow):
                batch.of(ExceptionRow).extend(exceptions.exception_rows(call))
            if call.resolved:
                batch.of(ResolutionRow).extend(exceptions.resolution_rows(call))
        if money.cdr:
            batch.of(CdrRow).append(money.cdr)
        if money.postings:
            batch.of(Entry).extend(money.postings)

    def add(self, row: LogRow) -> None:
        """Add the rows of an event that belongs to no call, if it has any. Raises ProjectionStopped."""
        try:
            if row.topic in OPERATOR_EVENTS:
                self._add_operator_event(row, decode_operator_event(row.topic, row.state))
            else:
                self._add_notice(row, decode_notice(row.state))
        except UnknownEventShape as error:
            raise _stopped(row, error) from error

    def _add_notice(self, row: LogRow, notice: Notice) -> None:
        if row.topic not in NO_CALL_TOPICS:
            raise _stopped(row, f"its topic {row.topic!r} is not known")
        if row.topic == VoicemailRecorded.TOPIC:
            self.batch.add(notices.voicemail_row(row.position, notice, self._books.line_rule))
        elif row.topic == ChannelDeletionRecorded.TOPIC:
            self.batch.add(notices.channel_row(row.position, notice, self._books.line_rule))
        recognised = row.topic != UnrecognisedRecorded.TOPIC
        found = exceptions.exception_rows_of_notice(row.position, notice, recognised=recognised)
        self.batch.of(ExceptionRow).extend(found)

    def _add_operator_event(self, row: LogRow, operator_event: OperatorEvent) -> None:
        self.batch.add(operator_rows.operator_event_row(row.position, operator_event))
        if isinstance(operator_event, MonthClosed):
            self.batch.add(operator_rows.closing_row(row.position, operator_event))
            charged = charge_entries(row.position, operator_event.charges, operator_event.by)
            self.batch.of(Entry).extend(charged)
        elif isinstance(operator_event, TariffPublished):
            self.batch.add(operator_rows.tariff_row(row.position, operator_event))
        elif isinstance(operator_event, AccountAdjusted):
            self.batch.add(operator_rows.adjustment_row(row.position, operator_event, self._books))
        elif isinstance(operator_event, ExceptionResolved):
            self.batch.resolutions.append((row.position, operator_event))


def read_stream(rows: list[LogRow], fetch: Fetch) -> CallStream:
    """Read all events of a call's stream; raises ProjectionStopped at one that cannot be read."""
    try:
        return CallStream(rows, fetch)
    except FoldError as error:
        raise _stopped(error.row, error) from error


def fold_notices(rows: Iterable[LogRow]) -> Call:
    """Fold the notices of one call, in order; raises ProjectionStopped at one that cannot be folded."""
    call: Call | None = None
    for row in rows:
        try:
            notice = decode_notice(row.state)
            if call is None:
                call = calls_fold.new_call(row.stream_id, notice)
            call.apply(row.position, notice)
        except Exception as error:
            raise _stopped(row, error) from error
    assert call is not None
    return call


def _stopped(row: LogRow, error: object) -> ProjectionStopped:
    return ProjectionStopped(f"the event at position {row.position} cannot be projected: {error}")
