"""An operator's session: one transaction that publishes tariffs, closes months, and corrects calls and accounts.

Every check is made here, under the log's write lock; the folds that follow only assign.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from domain import times
from domain.billing.billing_context import Closing
from domain.billing.closing_rule import check_not_closed
from domain.billing.rating import PublishedTariff
from domain.billing.tariff import parse_tariff
from domain.calls.call import SUSPECT, flags_without_call
from domain.errors import CommandRejected
from domain.events.codec import decode_notice, decode_operator_event
from domain.events.log_row import POSITION_MAX
from domain.events.notice_events import UnrecognisedRecorded
from domain.events.operator_events import (
    CHARGES,
    OPERATOR_EVENTS,
    AccountAdjusted,
    AccountCharge,
    CallRerated,
    CallVoided,
    CorrectionReversed,
    ExceptionResolved,
    LogForked,
    MonthBooks,
    MonthClosed,
    NoticesMoved,
    QuarantineResolved,
    TariffPublished,
)
from domain.events.streams import CLOSINGS, FORKS, RESOLUTIONS, TARIFFS, account_stream
from domain.events.streams_of_calls import NOTICES_OF_CALLS
from domain.months import Month
from domain.operators.statement_numbering import StatementNumbering


class OperatorSession(StatementNumbering):
    """One operator's transaction on the log; each method returns the position of its last event.

    Changes of this transaction to calls, tariffs and months are seen at once; the rest of the log is read as it was when the
    transaction began. Methods raise CommandRejected for a command that the ledger's present state does not allow.
    """

    def publish_tariff(self, text: str) -> int:
        """Publish a tariff as the next version; raises InvalidTariff."""
        version = self._log.last_version(TARIFFS) + 1
        tariff = parse_tariff(text, version, timezone=self._books.timezone, line_rule=self._books.line_rule)
        position = self._append(TARIFFS, TariffPublished(**self._common_fields, version=version, text=text))
        self._books = self._books.with_more(tariffs=[PublishedTariff(position, tariff, falls_back=True)])
        return position

    def close_month(
        self,
        period: str,
        accepted: Sequence[str] = (),
        books: Sequence[MonthBooks] = (),
        charges: Sequence[AccountCharge] = (),
    ) -> int:
        """Close a month and all months before it; ``accepted`` lists the open items that the operator accepts.

        ``books`` has the totals of each month that this closes, ``charges`` what accounts are charged for them.
        """
        check_not_closed(self._books, period)
        event = MonthClosed(
            **self._common_fields | ({"v": CHARGES} if charges else {}),
            period=period,
            accepted=list(accepted),
            books=list(books),
            charges=list(charges),
        )
        position = self._append(CLOSINGS, event)
        self._books = self._books.with_more(closings=[Closing(position, period)])
        return position

    def fork_log(self, epoch: int, origin: str, checkpoint: str, kept: int) -> int:
        """Record that the log lost signed events, and continues in a new epoch of its proofs."""
        event = LogForked(**self._common_fields, epoch=epoch, origin=origin, checkpoint=checkpoint, kept=kept)
        return self._append(FORKS, event)

    def adjust_account(self, account: str, amount: int, period: str | None = None, reversed_position: int = 0) -> int:
        """Charge an account an amount (millionths of a cent), or credit it for a negative one, in a month ``YYYY-MM``.

        Without ``period`` that is the present month. ``reversed_position`` is the adjustment that this one reverses, or 0.
        """
        if amount == 0:
            raise CommandRejected("the amount is 0; expected a charge above 0, or a credit below 0")
        month = period or str(Month.of_day(times.day(self._recorded_at, self._books.timezone)))
        # No time zone is more than a day ahead of the ledger's.
        present = Month.of_day(times.day(self._recorded_at + times.DAY, self._books.timezone))
        if month > present:
            msg = f"{month} has not begun yet; expected a month up to {present}"
            raise CommandRejected(msg)
        stream = account_stream(account)
        return self._append(
            stream,
            AccountAdjusted(
                **self._common_fields, account=account, amount=amount, period=month, reversed_position=reversed_position
            ),
        )

    def resolve_exception(self, flag: str, position: int, *, reopened: bool = False) -> int:
        """Mark an exception, named by its flag and position, as resolved, or as open again; a suspect by its CDR's position."""
        event = ExceptionResolved(**self._common_fields, flag=flag, position=position, reopened=reopened)
        row = self._row(position)
        if row.topic in NOTICES_OF_CALLS:
            stream = self._stream_owning(position)
            call = stream.call_at(stream.last)
            raised = [each.flag for each in call.call_flags if each.position == position]
            if call.cdr is not None and call.cdr.position == position:
                raised.append(SUSPECT)  # Any CDR may be settled so: suspects are found by a query (SPEC 9.7).
            _check_flag(flag, position, raised)
            return self._append_to_call(stream, event)
        raised_flags: list[str] = []
        if row.topic not in OPERATOR_EVENTS:
            recognised = row.topic != UnrecognisedRecorded.TOPIC
            raised_flags = flags_without_call(decode_notice(row.state), recognised=recognised)
        _check_flag(flag, position, raised_flags)
        return self._append(RESOLUTIONS, event)

    def is_resolved(self, flag: str, position: int) -> bool | None:
        """Whether an exception of a call is resolved now; None for one that belongs to no call."""
        if self._row(position).topic not in NOTICES_OF_CALLS:
            return None
        stream = self._stream_owning(position)
        return (flag, position) in stream.call_at(stream.last).resolved

    def resolve_quarantined(self, entry_id: int) -> int:
        """Settle a quarantined notice that will not be recorded."""
        entry = self._store.quarantined_one(entry_id)
        if entry is None or entry.position:
            state = "is settled already" if entry else "does not exist"
            msg = f"the quarantined notice {entry_id} {state}; `tringledger quarantine list` shows the open ones"
            raise CommandRejected(msg)
        key = entry.delivery_key.hex()
        position = self._append(
            RESOLUTIONS, QuarantineResolved(**self._common_fields, entry=entry_id, delivery_key=key)
        )
        self._log.mark_settled(entry_id, position)
        return position

    def undo(self, position: int) -> int:
        """Reverse a correction, named by its position, by another event."""
        row = self._row(position)
        event = decode_operator_event(row.topic, row.state) if row.topic in OPERATOR_EVENTS else None
        if isinstance(event, AccountAdjusted):
            return self._reverse_adjustment(position, event)
        if isinstance(event, ExceptionResolved):
            return self.resolve_exception(event.flag, event.position, reopened=not event.reopened)
        if isinstance(event, NoticesMoved):
            return self._reverse_move(row, event)
        if isinstance(event, CallRerated | CallVoided):
            return self._reverse(self._stream(UUID(row.stream)), position)
        if isinstance(event, QuarantineResolved):
            return self._reopen_quarantined(position, event.entry)
        kind = event.TOPIC.partition(":")[2] if event else "a notice from TringMe"
        msg = f"the event at position {position} is {kind}, which cannot be reversed; expected a correction"
        raise CommandRejected(msg)

    def _reopen_quarantined(self, position: int, entry_id: int) -> int:
        """Reopen a quarantined notice that was settled."""
        entry = self._store.quarantined_one(entry_id)
        if entry is None or entry.position != position:
            msg = f"the quarantined notice {entry_id} is no longer settled by the event at position {position}"
            raise CommandRejected(msg)
        self._log.mark_settled(entry_id, 0)
        return self._append(RESOLUTIONS, CorrectionReversed(**self._common_fields, reversed_position=position))

    def _reverse_adjustment(self, position: int, event: AccountAdjusted) -> int:
        for row in self._store.stream(account_stream(event.account), POSITION_MAX):
            other = decode_operator_event(row.topic, row.state)
            if isinstance(other, AccountAdjusted) and other.reversed_position == position:
                msg = f"the adjustment at position {position} was reversed already, at position {row.position}"
                raise CommandRejected(msg)
        return self.adjust_account(event.account, -event.amount, event.period, reversed_position=position)


def _check_flag(flag: str, position: int, raised: Iterable[str]) -> None:
    if flag not in raised:
        msg = (
            f"there is no exception {flag} at position {position}; expected one that `tringledger exception list` shows"
        )
        raise CommandRejected(msg)
