"""Operators act: one transaction in which tariffs are published, months closed, and calls and accounts corrected.

A decision is made here, with guards, under the log's write lock; the folds that follow only assign. What an act does to a
call is also told to correlation, so that the notices to come find the calls as they are by now.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from eventsourcing.persistence import Mapper

from domain import times
from domain.billing.billing_context import BillingContext, Closing
from domain.billing.rating import PublishedTariff
from domain.billing.tariff import parse_tariff
from domain.calls.call import REPEATED_CDR, Call, flags_without_call
from domain.calls.call_stream import CallStream
from domain.calls.correlation import CallHead
from domain.errors import CommandRejected
from domain.events.codec import decode_notice, decode_operator_event
from domain.events.log_row import LogRow
from domain.events.notice_events import UnrecognisedRecorded
from domain.events.operator_events import (
    MERGE,
    OPERATOR_EVENTS,
    RELEASE,
    SHAPE,
    SPLIT,
    AccountAdjusted,
    CallRerated,
    CallVoided,
    CorrectionReversed,
    ExceptionResolved,
    LogForked,
    MonthBooks,
    MonthClosed,
    NoticesMoved,
    OperatorEvent,
    OperatorEventRecorded,
    QuarantineResolved,
    TariffPublished,
)
from domain.events.streams import CLOSINGS, FORKS, RESOLUTIONS, TARIFFS, account_stream, call_id, line_key
from domain.events.streams_of_calls import NOTICES_OF_CALLS
from domain.log.contract import Log, LogTransaction
from domain.months import Month
from domain.notices.call_notice import LineKey
from domain.operators.author import Author

BEFORE_ALL = -1
POSITION_MAX = (1 << 63) - 1


class OperatorSession:
    """One operator's transaction on the log. Every method returns the position of the act, or of the last of several.

    What it has done to calls, tariffs and months it knows at once; the rest of the log it reads as it was when it began.
    """

    def __init__(  # noqa: PLR0917  # Given by the ledger alone.
        self, log: LogTransaction, store: Log, mapper: Mapper[UUID], books: BillingContext, now: int, author: Author
    ) -> None:
        """Take the transaction, the store to read from, the books as of now, the moment (microseconds, UTC), and the author."""
        author.check()
        self._log = log
        self._store = store
        self._mapper = mapper
        self._books = books
        self._streams: dict[UUID, CallStream] = {}
        self._author = author
        self._recorded_at = max(now, log.recorded_at)
        self._common_fields: dict[str, Any] = {
            "v": SHAPE,
            "recorded_at": self._recorded_at,
            "by": author.by,
            "reason": author.reason,
        }

    @property
    def position(self) -> int:
        """The position of the log's last event, as of now in this transaction."""
        return self._log.position

    def publish_tariff(self, text: str) -> int:
        """Publish a tariff as the next version; raises InvalidTariff."""
        version = self._log.last_version(TARIFFS) + 1
        tariff = parse_tariff(text, version, timezone=self._books.timezone)
        position = self._append(TARIFFS, TariffPublished(**self._common_fields, version=version, text=text))
        self._books = self._books.with_more(tariffs=[PublishedTariff(position, tariff, falls_back=True)])
        return position

    def close_month(self, period: str, accepted: Sequence[str] = (), books: Sequence[MonthBooks] = ()) -> int:
        """Close a month, and with it all before it; ``accepted`` is what is open and closed over all the same.

        ``books`` is what the books of each month have that it closes.
        """
        closed = self._books.closed_through(POSITION_MAX)
        if period <= closed:
            msg = f"{period} is closed already: expected a month from {Month(closed).next} on"
            raise CommandRejected(msg)
        position = self._append(
            CLOSINGS, MonthClosed(**self._common_fields, period=period, accepted=list(accepted), books=list(books))
        )
        self._books = self._books.with_more(closings=[Closing(position, period)])
        return position

    def fork_log(self, epoch: int, origin: str, checkpoint: str, kept: int) -> int:
        """Note that the log lost events that were signed, and goes on as another epoch of its proofs."""
        event = LogForked(**self._common_fields, epoch=epoch, origin=origin, checkpoint=checkpoint, kept=kept)
        return self._append(FORKS, event)

    def adjust_account(self, account: str, amount: int, period: str | None = None, reversed_position: int = 0) -> int:
        """Charge an account an amount (millionths of a cent), or credit a negative one, in a month, by default the present."""
        if amount == 0:
            raise CommandRejected("the amount is 0: expected a charge over 0, or a credit below")
        month = period or str(Month.of_day(times.day(self._recorded_at, self._books.timezone)))
        # A day ahead of the ledger's: no time zone is further.
        present = Month.of_day(times.day(self._recorded_at + times.DAY, self._books.timezone))
        if month > present:
            msg = f"{month} has not begun yet: expected a month up to {present}"
            raise CommandRejected(msg)
        stream = account_stream(account)
        return self._append(
            stream,
            AccountAdjusted(
                **self._common_fields, account=account, amount=amount, period=month, reversed_position=reversed_position
            ),
        )

    def rerate_call(self, call: UUID, tariff: int, seen: int | None = None) -> int:
        """Rate a call by a version of the tariff from now on.

        ``seen`` is the position of the stream's last event as the caller knows it: 0 is returned, and nothing done, where
        it is another by now.
        """
        if self._books.tariff_version(tariff) is None:
            msg = f"there is no tariff version {tariff}: `tringledger tariff list` shows those that are published"
            raise CommandRejected(msg)
        stream = self._stream(call)
        if seen is not None and stream.last != seen:
            return 0
        return self._append_to_call(stream, CallRerated(**self._common_fields, tariff=tariff))

    def void_call(self, call: UUID) -> int:
        """Take a call off its account's bill: it costs what it cost, and its price is 0."""
        stream = self._stream(call)
        if stream.call_at(stream.last).voided:
            msg = f"call {call} is void already"
            raise CommandRejected(msg)
        return self._append_to_call(stream, CallVoided(**self._common_fields))

    def split_call(self, call: UUID, positions: Iterable[int], method: str = SPLIT) -> int:
        """Make notices of a call, named by their positions, a new call of the same line."""
        stream = self._stream(call)
        members, wanted = {position for position, _ in stream.notices_at(stream.last)}, sorted(set(positions))
        strange = [position for position in wanted if position not in members]
        if not wanted or strange:
            msg = f"position {strange[0] if strange else '(none)'} is no notice of call {call}: expected some of {_listed(members)}"
            raise CommandRejected(msg)
        if len(wanted) == len(members):
            msg = f"these are all notices of call {call}: expected some to be left"
            raise CommandRejected(msg)
        line, _ = stream.line_and_ordinal()
        ordinal = self._log.calls(line_key(line)).last_ordinal() + 1
        new = CallStream([], self._fetch, id=str(call_id(line, ordinal)))
        return self._move(stream, new, (line, ordinal), wanted, method)

    def release_cdr(self, position: int) -> int:
        """Make a repeated CDR, named by its position, a call of its own after all."""
        stream = self._stream_owning(position)
        call = stream.call_at(stream.last)
        if not any(finding.flag == REPEATED_CDR and finding.position == position for finding in call.raised):
            msg = f"the event at position {position} is no {REPEATED_CDR}: `tringledger export exceptions` lists them"
            raise CommandRejected(msg)
        return self.split_call(UUID(stream.id), [position], RELEASE)

    def merge_calls(self, call: UUID, into: UUID) -> int:
        """Make all notices of a call notices of another."""
        if call == into:
            msg = f"call {call} cannot be merged into itself: expected two calls"
            raise CommandRejected(msg)
        giving, taking = self._stream(call), self._stream(into)
        for stream in (giving, taking):
            if not stream.notices_at(stream.last):
                msg = f"call {stream.id} has no notices: they were merged into another call"
                raise CommandRejected(msg)
        positions = [position for position, _ in giving.notices_at(giving.last)]
        return self._move(giving, taking, taking.line_and_ordinal(), positions, MERGE)

    def _move(
        self, giving: CallStream, taking: CallStream, to: tuple[LineKey, int], positions: list[int], method: str
    ) -> int:
        said = {**self._common_fields, "how": method, "positions": positions}
        line, ordinal = giving.line_and_ordinal()
        self._append_to_call(giving, NoticesMoved(**said, gone=True, other=taking.id, line=line, ordinal=ordinal))
        line, ordinal = to
        return self._append_to_call(
            taking, NoticesMoved(**said, gone=False, other=giving.id, line=line, ordinal=ordinal)
        )

    def resolve_exception(self, flag: str, position: int, *, reopened: bool = False) -> int:
        """Mark an exception, named by its flag and position, as resolved, or as open again."""
        act = ExceptionResolved(**self._common_fields, flag=flag, position=position, reopened=reopened)
        row = self._row(position)
        if row.topic in NOTICES_OF_CALLS:
            stream = self._stream_owning(position)
            _check_flag(
                flag,
                position,
                [each.flag for each in stream.call_at(stream.last).call_flags if each.position == position],
            )
            return self._append_to_call(stream, act)
        alone = row.topic not in OPERATOR_EVENTS
        recognised = row.topic != UnrecognisedRecorded.TOPIC
        _check_flag(
            flag, position, flags_without_call(decode_notice(row.state), recognised=recognised) if alone else []
        )
        return self._append(RESOLUTIONS, act)

    def resolve_quarantined(self, entry_id: int) -> int:
        """Settle a notice of the quarantine that is not to be recorded."""
        entry = self._store.quarantined_one(entry_id)
        if entry is None or entry.position:
            what = "is settled already" if entry else "is not there"
            msg = f"the notice {entry_id} of the quarantine {what}: `tringledger quarantine list` shows those that wait"
            raise CommandRejected(msg)
        key = entry.delivery_key.hex()
        position = self._append(
            RESOLUTIONS, QuarantineResolved(**self._common_fields, entry=entry_id, delivery_key=key)
        )
        self._log.mark_settled(entry_id, position)
        return position

    def undo(self, position: int) -> int:
        """Reverse an act by another one."""
        row = self._row(position)
        act = decode_operator_event(row.topic, row.state) if row.topic in OPERATOR_EVENTS else None
        if isinstance(act, AccountAdjusted):
            return self._reverse_adjustment(position, act)
        if isinstance(act, ExceptionResolved):
            return self.resolve_exception(act.flag, act.position, reopened=not act.reopened)
        if isinstance(act, NoticesMoved):
            return self._reverse_move(row, act)
        if isinstance(act, CallRerated | CallVoided):
            return self._reverse(self._stream(UUID(row.stream)), position)
        if isinstance(act, QuarantineResolved):
            return self._reopen_quarantined(position, act.entry)
        what = type(act).__name__ if act else "a notice of TringMe"
        msg = f"the event at position {position} is {what}, which nothing can reverse: expected a correction"
        raise CommandRejected(msg)

    def _reopen_quarantined(self, position: int, entry_id: int) -> int:
        """Let a notice of the quarantine wait again."""
        entry = self._store.quarantined_one(entry_id)
        if entry is None or entry.position != position:
            msg = f"the notice {entry_id} of the quarantine is not settled by the act at position {position} any more"
            raise CommandRejected(msg)
        self._log.mark_settled(entry_id, 0)
        return self._append(RESOLUTIONS, CorrectionReversed(**self._common_fields, reversed_position=position))

    def _reverse_adjustment(self, position: int, act: AccountAdjusted) -> int:
        for row in self._store.stream(account_stream(act.account), POSITION_MAX):
            other = decode_operator_event(row.topic, row.state)
            if isinstance(other, AccountAdjusted) and other.reversed_position == position:
                msg = f"the adjustment at position {position} was taken back already, at position {row.position}"
                raise CommandRejected(msg)
        return self.adjust_account(act.account, -act.amount, act.period, reversed_position=position)

    def _reverse_move(self, row: LogRow, act: NoticesMoved) -> int:
        """Reverse both acts of a move, which stand side by side in the log."""
        other = row.position + (1 if act.gone else -1)
        one, two = self._stream(UUID(row.stream)), self._stream(UUID(act.other))
        taking = two if act.gone else one
        self._check_counts(one, row.position)
        if not {*act.positions} <= {position for position, _ in taking.notices_at(taking.last)}:
            msg = f"the notices that were moved at position {row.position} have moved on since: reverse that first"
            raise CommandRejected(msg)
        self._reverse(one, row.position)
        return self._reverse(two, other)

    def _check_counts(self, stream: CallStream, position: int) -> None:
        if position not in {acted.position for acted in stream.effective_events(stream.last)}:
            msg = f"the act at position {position} was reversed already"
            raise CommandRejected(msg)

    def _reverse(self, stream: CallStream, position: int) -> int:
        self._check_counts(stream, position)
        return self._append_to_call(stream, CorrectionReversed(**self._common_fields, reversed_position=position))

    def _append_to_call(self, stream: CallStream, act: OperatorEvent) -> int:
        """Append an act to a call's stream, and tell correlation how the call stands then."""
        position = self._append(UUID(stream.id), act)
        stream.append(position, act)
        self._streams[UUID(stream.id)] = stream
        line, ordinal = stream.line_and_ordinal()
        head = _head(stream.call_at(position), ordinal)
        head.events = self._log.last_version(UUID(stream.id))
        self._log.calls(line_key(line)).put(head)
        return position

    def _append(self, stream: UUID, act: OperatorEvent) -> int:
        version = self._log.last_version(stream) + 1
        self._log.append(self._mapper.to_stored_event(OperatorEventRecorded(stream, version, act)))
        return self._log.position

    def _row(self, position: int) -> LogRow:
        rows = self._store.page(position - 1, 1, position) if position > 0 else []
        if not rows:
            msg = f"the log has no position {position}: its head is {self._store.head()}"
            raise CommandRejected(msg)
        return rows[0]

    def _stream(self, call: UUID) -> CallStream:
        if call in self._streams:
            return self._streams[call]
        rows = self._store.stream(call, POSITION_MAX)
        if not rows or not (rows[0].topic in NOTICES_OF_CALLS or rows[0].topic == NoticesMoved.TOPIC):
            msg = f"there is no call {call} in this ledger"
            raise CommandRejected(msg)
        return CallStream(rows, self._fetch)

    def _stream_owning(self, position: int) -> CallStream:
        """Return the stream of the call to which a call's notice belongs by now."""
        row = self._row(position)
        if row.topic not in NOTICES_OF_CALLS:
            msg = f"the event at position {position} is no notice of a call"
            raise CommandRejected(msg)
        stream = self._stream(UUID(row.stream))
        while position not in dict(stream.notices_at(stream.last)):
            moves = [acted.event for acted in stream.effective_events(stream.last)]
            stream = self._stream(UUID(_last_taker(moves, position)))
        return stream

    def _fetch(self, positions: list[int]) -> list[LogRow]:
        return [self._row(position) for position in positions]


def _check_flag(flag: str, position: int, raised: Iterable[str]) -> None:
    if flag not in raised:
        msg = (
            f"there is no exception {flag} at position {position}: expected one that `tringledger exception list` shows"
        )
        raise CommandRejected(msg)


def _last_taker(acts: Iterable[OperatorEvent], position: int) -> str:
    moves = [act for act in acts if isinstance(act, NoticesMoved) and act.gone and position in act.positions]
    return moves[-1].other


def _head(call: Call, ordinal: int) -> CallHead:
    """Return what correlation is to know of a call; of one without notices only that its ordinal was used."""
    return call.head if call.first else CallHead(ordinal, BEFORE_ALL, BEFORE_ALL)


def _listed(positions: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(positions)))
