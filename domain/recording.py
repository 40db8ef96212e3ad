"""One transaction's decisions: each delivery becomes an event, a duplicate, or an entry of the quarantine (SPEC 2, 4, 6)."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec
from eventsourcing.persistence import Mapper

from domain import call_notice, correlation, times
from domain.answers import WRONG_SIGNATURE, Answer, Duplicate, Quarantined, Recorded, Unkept, no_room
from domain.correlation import Head, Reach
from domain.errors import BrokenValue
from domain.events import EVENTS, Line, Notice, UnrecognisedRecorded, Voucher, call_id, line_key, notices_id
from domain.log import QuarantineEntry, Writing
from domain.notification import Notification, Problem, delivery_key, unsigned_key
from domain.signature import COVERS_ONLY_R, UNSIGNED, Verdict

SIGNATURE_FITTED = "signature_fitted"
CALL_TYPES = ("callstatus", "cdr")


class Delivery(msgspec.Struct, frozen=True):
    """A notification on its way into the log: how it was found authentic (None: it was not), and where it came from.

    ``voucher`` is there where somebody vouches for it in place of a signature.
    """

    notification: Notification
    verdict: Verdict | None
    source: str
    voucher: Voucher | None = None

    @property
    def key(self) -> bytes:
        """The delivery key."""
        if self.voucher is None:
            return self.notification.key
        return unsigned_key(self.notification.pairs, self.source, self.voucher.row)


def vouched(notification: Notification, source: str, voucher: Voucher) -> Delivery:
    """Return the delivery of a row without a signature, for which somebody vouches.

    Raises BrokenValue for one that breaks SPEC 1: it cannot wait in quarantine, as nothing could verify it again later.
    """
    problem = notification.problem()
    if problem:
        raise BrokenValue(str(problem))
    return Delivery(notification, Verdict(UNSIGNED, ""), source, voucher)


class Rules(msgspec.Struct, frozen=True):
    """By which rules a ledger records: its correlation, how far apart a call's notices may be, the quarantine's cap."""

    correlation: str
    reach: Reach
    quarantine_max: int


class Placed(NamedTuple):
    """Where a notice belongs: its line, its call with the notice applied, and the rule of SPEC 6 that said so."""

    line: Line
    head: Head
    rule: int


class Recording:
    """Decides about deliveries inside a transaction that already holds the write lock."""

    def __init__(self, log: Writing, mapper: Mapper[UUID], rules: Rules, now: int, *, fitted: bool) -> None:
        """Take the transaction, the rules, the present moment in microseconds, UTC, and whether a signature ever fitted."""
        self._log = log
        self._mapper = mapper
        self._rules = rules
        self._recorded_at = max(now, log.recorded_at)
        self.fitted = fitted

    def take_all(self, deliveries: Sequence[Delivery]) -> list[Answer]:
        """Keep deliveries where they belong; return, in the same order, what became of each."""
        answers = [self._take(delivery) for delivery in deliveries]
        self._log.flush()
        return answers

    def _take(self, delivery: Delivery) -> Answer:
        if delivery.verdict is None:
            return self._refuse(delivery, None)
        self._note_fitted(delivery.verdict)
        problem = delivery.notification.problem()
        if problem:
            return self._refuse(delivery, problem)
        return self._append(delivery, delivery.verdict)

    def _refuse(self, delivery: Delivery, problem: Problem | None) -> Quarantined | Unkept:
        received, authentic = delivery.notification, delivery.verdict is not None
        at = received.received_at
        reason = WRONG_SIGNATURE if problem is None else str(problem)
        entry = QuarantineEntry(0, delivery.key, authentic, reason, received.raw, at, at, 1, delivery.source, 0)
        known = self._log.count_again(entry)
        if known:
            return Quarantined(known, problem, is_new=False)
        most = self._rules.quarantine_max
        if not authentic and self._log.count_unauthentic() >= most:
            if not self.fitted:
                return no_room(most)
            self._log.drop_oldest_unauthentic(self._log.count_unauthentic() - most + 1)
        return Quarantined(self._log.quarantine(entry), problem, is_new=True)

    def _append(self, delivery: Delivery, verdict: Verdict) -> Recorded | Duplicate:
        """Make an authentic, well-formed notification an event, unless it is one already."""
        position = self._log.position + 1
        first = self._log.claim(delivery.key, position)
        if first:
            return Duplicate(first)
        received = delivery.notification
        values = dict(received.pairs)
        kind = values.get("type", "")
        placed = self._place(values, received.received_at) if kind in CALL_TYPES else None
        notice = Notice(
            2 if delivery.voucher else 1,
            received.received_at,
            self._recorded_at,
            delivery.source,
            verdict.formula,
            verdict.key,
            received.pairs,
            placed.line if placed else None,
            placed.head.ordinal if placed else 0,
            placed.rule if placed else 0,
            self._nonce_reused(values, position) if verdict.formula in COVERS_ONLY_R else 0,
            delivery.voucher,
        )
        if placed:
            stream = call_id(placed.line, placed.head.ordinal)
            self._store(EVENTS[kind], stream, placed.head.events, notice)
            return Recorded(position, str(stream))
        stream = _stream_of_no_call(kind, values)
        self._store(EVENTS.get(kind, UnrecognisedRecorded), stream, self._log.last_version(stream) + 1, notice)
        return Recorded(position)

    def _place(self, values: dict[str, str], at: int) -> Placed:
        """Find the call that the notice joins, or begin the line's next one, and keep it with the notice applied."""
        said = call_notice.read(values, at)
        line = said.line(self._rules.correlation)
        calls = self._log.calls(line_key(line))
        rule, head = correlation.place(said, calls, self._rules.reach)
        if head is None:
            head = Head(calls.last_ordinal() + 1, at, at)
        head.apply(said)
        calls.put(head)
        return Placed(line, head, rule)

    def retake(self, entry_id: int, delivery: Delivery) -> Recorded | Duplicate | Quarantined:
        """Keep a quarantined notice where it belongs now; one that is still unfit stays, and is known as authentic."""
        if delivery.verdict is None:
            return Quarantined(entry_id, None, is_new=False)
        self._note_fitted(delivery.verdict)
        problem = delivery.notification.problem()
        if problem:
            self._log.judge(entry_id, str(problem))
            return Quarantined(entry_id, problem, is_new=False)
        answer = self._append(delivery, delivery.verdict)
        self._log.settle(entry_id, answer.position)
        return answer

    def _note_fitted(self, verdict: Verdict) -> None:
        if not self.fitted and verdict.fits:
            self._log.note(SIGNATURE_FITTED, times.iso(self._recorded_at))
            self.fitted = True

    def _nonce_reused(self, values: dict[str, str], position: int) -> int:
        """Return the position of an event with the same ``r`` and other content, or 0."""
        content = delivery_key([(name, value) for name, value in values.items() if name != "sig"])
        return self._log.claim_nonce(values["r"], content, position)

    def _store(self, event: type, stream: UUID, version: int, notice: Notice) -> None:
        self._log.append(self._mapper.to_stored_event(event(stream, version, notice)))


def _stream_of_no_call(kind: str, values: dict[str, str]) -> UUID:
    if kind == "voicemail":
        return notices_id(kind, values.get("email", ""))
    if kind == "deletechannel":
        return notices_id(kind, values.get("src", ""))
    return notices_id("unrecognised")
