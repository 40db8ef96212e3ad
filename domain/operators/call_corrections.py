"""Corrections of calls by operators, and the reading and appending that all events of operators need."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import UUID

from msgspec.structs import replace

from domain.billing.billing_context import BillingContext
from domain.calls.call import REPEATED_CDR
from domain.calls.call_stream import CallStream
from domain.calls.correlation import CallHead
from domain.errors import CommandRejected
from domain.events.codec import decode_operator_event, encode_state
from domain.events.log_row import POSITION_MAX, LogRow
from domain.events.operator_events import (
    MERGE,
    RELEASE,
    SHAPE,
    SPLIT,
    CallRerated,
    CallVoided,
    CorrectionReversed,
    NoticesMoved,
    OperatorEvent,
)
from domain.events.streams import call_id, line_key
from domain.events.streams_of_calls import NOTICES_OF_CALLS
from domain.log.contract import LedgerFacts, Log
from domain.notices.call_notice import LineKey
from domain.operators.author import Author
from domain.operators.draft import OperatorTransaction

FINGERPRINT_BYTES = 12


class SeenCall(NamedTuple):
    """A call as it was read: its stream's last event, by position and version, its line, and what correlation knows of it."""

    stream: UUID
    position: int
    version: int
    line: LineKey
    head: CallHead


class CallCorrections:
    """Corrections of calls in one operator's transaction; each method returns the position of its last event.

    Changes of this transaction to calls are seen at once; the rest of the log is read as it was when it began. Each change
    of a call is also written for correlation, so that later notices find the call as it is now. ``appended`` are the events
    that this transaction appended so far.
    """

    def __init__(  # Only the ledger opens one.
        self, log: OperatorTransaction, store: Log, books: BillingContext, now: int, author: Author
    ) -> None:
        """Open in the transaction ``log``; reads go to ``store``. ``now`` is in microseconds, UTC; ``books`` are those of now.

        Raises CommandRejected for an author without a name or a reason.
        """
        author.check()
        self._log = log
        self._store = store
        self._books = books
        self._streams: dict[UUID, CallStream] = {}
        # Of calls that were rerated as they were seen, the event that the store does not show yet.
        self._rerated: dict[UUID, LogRow] = {}
        self.appended: list[LogRow] = []
        self._recorded_at = max(now, log.recorded_at)
        self._common_fields: dict[str, Any] = {
            "v": SHAPE,
            "recorded_at": self._recorded_at,
            "by": author.by,
            "reason": author.reason,
        }

    @property
    def position(self) -> int:
        """The position of the log's last event, with those of this transaction."""
        return self._log.position

    @property
    def facts(self) -> LedgerFacts:
        """The ledger's own facts within this transaction."""
        return self._log

    @property
    def fingerprint(self) -> str:
        """A digest of what the commands so far did to which state: their events, with streams and versions, tariffs, closings.

        Two sessions with equal fingerprints move the same money; their authors and times may differ.
        """
        contents: dict[bytes, bytes] = {}  # A rerating appends the same event to very many calls.
        for row in self.appended:
            if row.state not in contents:
                contents[row.state] = _content(row)
        did = [f"{row.stream} {row.version} {row.topic} {contents[row.state]!r}" for row in self.appended]
        known = f"{len(self._books.tariffs)} {len(self._books.closings)}"
        return blake2b("\n".join([*did, known]).encode(), digest_size=FINGERPRINT_BYTES).hexdigest()

    def rerate_call(self, call: UUID, tariff: int) -> int:
        """Rate a call by a version of the tariff from now on."""
        self._check_published(tariff)
        return self._append_to_call(self._stream(call), CallRerated(**self._common_fields, tariff=tariff))

    def rerate_calls(self, calls: Sequence[SeenCall], tariff: int) -> set[UUID]:
        """Rate calls by a version of the tariff from now on, as they were seen, without reading them again.

        A call that has a later event by now stays as it is; the streams of such calls are returned.
        """
        self._check_published(tariff)
        event = CallRerated(**self._common_fields, tariff=tariff)
        state = encode_state(event)
        versions = self._log.last_versions([seen.stream for seen in calls])
        changed = set()
        for seen in calls:
            if versions[seen.stream] != seen.version:
                changed.add(seen.stream)
            elif seen.stream in self._streams:
                self._append_to_call(self._streams[seen.stream], event)
            else:
                version = seen.version + 1
                row = self._rerated[seen.stream] = self._append_state(seen.stream, version, event.TOPIC, state)
                self._log.put_head(line_key(seen.line), replace(seen.head, events=row.version))
        return changed

    def _check_published(self, tariff: int) -> None:
        if self._books.tariff_version(tariff) is None:
            msg = f"there is no tariff version {tariff}; `tringledger tariff list` shows the published versions"
            raise CommandRejected(msg)

    def void_call(self, call: UUID) -> int:
        """Void a call: its cost stays, and its price becomes 0."""
        stream = self._stream(call)
        if stream.call_at(stream.last).voided:
            msg = f"call {call} is void already"
            raise CommandRejected(msg)
        return self._append_to_call(stream, CallVoided(**self._common_fields))

    def split_call(self, call: UUID, positions: Iterable[int], method: str = SPLIT) -> int:
        """Move notices of a call, named by their positions, to a new call of the same line."""
        stream = self._stream(call)
        own, moved = {position for position, _ in stream.notices_at(stream.last)}, sorted(set(positions))
        strange = [position for position in moved if position not in own]
        if not moved:
            msg = f"no positions given; expected some of {_listed(own)}, the notices of call {call}"
            raise CommandRejected(msg)
        if strange:
            msg = f"position {strange[0]} is not a notice of call {call}; expected some of {_listed(own)}"
            raise CommandRejected(msg)
        if len(moved) == len(own):
            msg = f"these are all notices of call {call}; expected at least one to stay"
            raise CommandRejected(msg)
        line, _ = stream.line_and_ordinal()
        ordinal = self._log.calls(line_key(line)).last_ordinal() + 1
        new = CallStream([], self._fetch, id=str(call_id(line, ordinal)))
        return self._move(stream, new, (line, ordinal), moved, method)

    def release_cdr(self, position: int) -> int:
        """Make a repeated CDR, named by its position, a call of its own."""
        stream = self._stream_owning(position)
        call = stream.call_at(stream.last)
        if not any(raised.flag == REPEATED_CDR and raised.position == position for raised in call.raised):
            msg = (
                f"the event at position {position} is not a {REPEATED_CDR}; `tringledger export exceptions` lists them"
            )
            raise CommandRejected(msg)
        return self.split_call(UUID(stream.id), [position], RELEASE)

    def merge_calls(self, call: UUID, into: UUID) -> int:
        """Move all notices of a call to another call."""
        if call == into:
            msg = f"call {call} cannot be merged into itself; expected two calls"
            raise CommandRejected(msg)
        giving, taking = self._stream(call), self._stream(into)
        for stream in (giving, taking):
            if not stream.notices_at(stream.last):
                msg = f"call {stream.id} has no notices; they were merged into another call"
                raise CommandRejected(msg)
        positions = [position for position, _ in giving.notices_at(giving.last)]
        return self._move(giving, taking, taking.line_and_ordinal(), positions, MERGE)

    def _move(
        self, giving: CallStream, taking: CallStream, to: tuple[LineKey, int], positions: list[int], method: str
    ) -> int:
        fields = {**self._common_fields, "how": method, "positions": positions}
        line, ordinal = giving.line_and_ordinal()
        self._append_to_call(giving, NoticesMoved(**fields, gone=True, other=taking.id, line=line, ordinal=ordinal))
        line, ordinal = to
        return self._append_to_call(
            taking, NoticesMoved(**fields, gone=False, other=giving.id, line=line, ordinal=ordinal)
        )

    def _reverse_move(self, row: LogRow, event: NoticesMoved) -> int:
        """Reverse both events of a move, which are next to each other in the log."""
        other = row.position + (1 if event.gone else -1)
        one, two = self._stream(UUID(row.stream)), self._stream(UUID(event.other))
        taking = two if event.gone else one
        self._check_effective(one, row.position)
        if not {*event.positions} <= {position for position, _ in taking.notices_at(taking.last)}:
            msg = f"the notices moved at position {row.position} were moved again since; reverse the later move first"
            raise CommandRejected(msg)
        self._reverse(one, row.position)
        return self._reverse(two, other)

    def _check_effective(self, stream: CallStream, position: int) -> None:
        if position not in {effective.position for effective in stream.effective_events(stream.last)}:
            msg = f"the event at position {position} was reversed already"
            raise CommandRejected(msg)

    def _reverse(self, stream: CallStream, position: int) -> int:
        self._check_effective(stream, position)
        return self._append_to_call(stream, CorrectionReversed(**self._common_fields, reversed_position=position))

    def _append_to_call(self, stream: CallStream, event: OperatorEvent) -> int:
        """Append an event to a call's stream, and write the resulting call for correlation."""
        position = self._append(UUID(stream.id), event)
        stream.append(position, event)
        self._streams[UUID(stream.id)] = stream
        line, _ = stream.line_and_ordinal()
        head = stream.head_at(position)
        head.events = self._log.last_version(UUID(stream.id))
        self._log.calls(line_key(line)).put(head)
        return position

    def _append(self, stream: UUID, event: OperatorEvent) -> int:
        return self._append_state(stream, self._log.last_version(stream) + 1, event.TOPIC, encode_state(event)).position

    def _append_state(self, stream: UUID, version: int, topic: str, state: bytes) -> LogRow:
        self._log.append(stream, version, topic, state)
        row = LogRow(self._log.position, stream.hex, version, topic, state)
        self.appended.append(row)
        return row

    def _row(self, position: int) -> LogRow:
        rows = self._store.page(position - 1, 1, position) if position > 0 else []
        if not rows:
            msg = f"the log has no position {position}; its head is {self._store.head()}"
            raise CommandRejected(msg)
        return rows[0]

    def _stream(self, call: UUID) -> CallStream:
        if call in self._streams:
            return self._streams[call]
        rows = self._store.stream(call, POSITION_MAX)
        if call in self._rerated:
            rows.append(self._rerated[call])
        if not rows or not (rows[0].topic in NOTICES_OF_CALLS or rows[0].topic == NoticesMoved.TOPIC):
            msg = f"there is no call {call} in this ledger"
            raise CommandRejected(msg)
        return CallStream(rows, self._fetch)

    def _stream_owning(self, position: int) -> CallStream:
        """Return the stream of the call that a notice belongs to now."""
        row = self._row(position)
        if row.topic not in NOTICES_OF_CALLS:
            msg = f"the event at position {position} is not a notice of a call"
            raise CommandRejected(msg)
        stream = self._stream(UUID(row.stream))
        while position not in dict(stream.notices_at(stream.last)):
            events = [effective.event for effective in stream.effective_events(stream.last)]
            stream = self._stream(UUID(_last_taker(events, position)))
        return stream

    def _fetch(self, positions: list[int]) -> list[LogRow]:
        return [self._row(position) for position in positions]


def _content(row: LogRow) -> bytes:
    """Return what an operator event says, apart from its author, reason and time."""
    return encode_state(replace(decode_operator_event(row.topic, row.state), recorded_at=0, by="", reason=""))


def _last_taker(events: Iterable[OperatorEvent], position: int) -> str:
    moves = [move for move in events if isinstance(move, NoticesMoved) and move.gone and position in move.positions]
    return moves[-1].other


def _listed(positions: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(positions)))
