"""Recording within one transaction: each delivery becomes an event, a duplicate, or a quarantined notice (SPEC 2, 4, 6)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from domain import times
from domain.calls import correlation
from domain.calls.correlation import CallHead, CorrelationWindow
from domain.errors import InvalidValue
from domain.events.codec import encode_state
from domain.events.notice_events import EVENTS, Notice, NoticeRecorded, UnrecognisedRecorded, Voucher, notice_claim
from domain.events.streams import call_id, line_key, stream_id
from domain.log.contract import LedgerFacts, LogTransaction, Lookup, QuarantineEntry
from domain.notices import call_notice
from domain.notices.call_notice import CallNotice, LineKey
from domain.notices.notification import Notification, ParameterProblem, delivery_key, unsigned_key
from domain.notices.signature import COVERS_ONLY_R, UNSIGNED, SignatureVerdict
from domain.outcomes import Duplicate, Quarantined, Recorded, RecordOutcome, Rejected, RowConflict, quarantine_full

SIGNATURE_FITTED = "signature_fitted"
# The fact with the number of notices that were dropped from the quarantine to make room.
QUARANTINE_DROPPED = "quarantine_dropped"
CALL_TYPES = ("callstatus", "cdr")


class Delivery(msgspec.Struct, frozen=True):
    """A notification to be recorded, its verdict (None for a wrong signature), and its source.

    ``voucher`` names the person who vouches for it in place of a signature. ``misfit`` says what a wrong signature fits
    instead, if anything.
    """

    notification: Notification
    verdict: SignatureVerdict | None
    source: str
    voucher: Voucher | None = None
    misfit: str = ""

    @property
    def key(self) -> bytes:
        """The delivery key."""
        if self.voucher is None:
            return self.notification.key
        return unsigned_key(self.notification.pairs, self.source, self.voucher.row)


def vouched_delivery(notification: Notification, source: str, voucher: Voucher) -> Delivery:
    """Return the delivery of a row without a signature, with the voucher that replaces it.

    Raises InvalidValue for one that breaks SPEC 1: it cannot wait in quarantine, as nothing could verify it again later.
    """
    problem = notification.problem()
    if problem:
        raise InvalidValue(str(problem))
    return Delivery(notification, SignatureVerdict(UNSIGNED, ""), source, voucher)


class RecordingRules(msgspec.Struct, frozen=True):
    """The rules of a ledger: its correlation and line rule, how far apart a call's notices may be, the quarantine's limit."""

    correlation: str
    line_rule: int
    window: CorrelationWindow
    quarantine_max: int
    quarantine_bytes: int


class ParsedDelivery(NamedTuple):
    """A delivery, parsed once: its key, its problem, if any, what it claims (see `claim_of`), and its call notice, if it is a call's."""

    delivery: Delivery
    key: bytes
    problem: ParameterProblem | None
    values: dict[str, str]
    kind: str
    claim: str | None
    call_notice: CallNotice | None

    @property
    def is_refused(self) -> bool:
        """Whether it cannot become an event: its signature is wrong, or a value is invalid."""
        return self.delivery.verdict is None or self.problem is not None

    @property
    def signature_covers_only_r(self) -> bool:
        """Whether its signature covers ``r`` alone."""
        return self.delivery.verdict is not None and self.delivery.verdict.formula in COVERS_ONLY_R


def claim_of(delivery: Delivery, values: Mapping[str, str]) -> str | None:
    """Return what no other notification may have, see `notice_claim`; ``values`` are the delivery's parameters."""
    formula = delivery.verdict.formula if delivery.verdict else None
    return notice_claim(delivery.source, formula, delivery.voucher, values)


class Placement(NamedTuple):
    """The placement of a notice: its line, its call with the notice applied, and the rule of SPEC 6 that decided it."""

    line: LineKey
    head: CallHead
    rule: int


class ClaimedBefore(NamedTuple):
    """The event at this position has the notice's signature, or the row's source and id, with other parameters."""

    position: int


class Recording:
    """Records deliveries inside a transaction that already holds the write lock."""

    def __init__(self, log: LogTransaction, rules: RecordingRules, now: int, *, fitted: bool) -> None:
        """Record into the transaction ``log``; ``now`` is in microseconds, UTC; ``fitted`` is whether a signature ever fitted."""
        self._log = log
        self._rules = rules
        self._recorded_at = max(now, log.recorded_at)
        self.signature_ever_fitted = fitted
        self.dropped = 0

    def record_all(self, deliveries: Sequence[Delivery]) -> list[RecordOutcome]:
        """Record deliveries; return the outcome of each, in the same order."""
        read = [_read(delivery) for delivery in deliveries]
        self._log.prefetch(self._lookups(read))
        accepted = [each for each in read if not each.is_refused]
        self._log.claim_ahead([each.key for each in accepted], [each.claim for each in accepted])
        answers = [self._record_one(each) for each in read]
        if self.dropped:
            before = int(self._log.get_fact(QUARANTINE_DROPPED) or 0)
            self._log.set_fact(QUARANTINE_DROPPED, str(before + self.dropped))
        self._log.flush()
        return answers

    def _lookups(self, read: Sequence[ParsedDelivery]) -> Iterator[Lookup]:
        grace = self._rules.window.grace
        for each in read:
            if each.is_refused:
                yield Lookup(each.key, refused=True)
                continue
            nonce = each.values["r"] if each.signature_covers_only_r else None
            if each.call_notice is None:
                stream = _stream_of_no_call(each.kind, each.values)
                yield Lookup(each.key, refused=False, stream=stream, nonce=nonce, claim=each.claim)
                continue
            at, line = (
                each.call_notice.received_at,
                line_key(each.call_notice.line(self._rules.correlation, self._rules.line_rule)),
            )
            since = at - grace if each.call_notice.is_cdr else None
            yield Lookup(
                each.key, refused=False, line=line, since=since, until=at + grace, nonce=nonce, claim=each.claim
            )

    def _record_one(self, read: ParsedDelivery) -> RecordOutcome:
        verdict = read.delivery.verdict
        if verdict is None:
            return self._refuse(read.delivery, read.key, None)
        self._set_signature_fitted(verdict)
        if read.problem:
            return self._refuse(read.delivery, read.key, read.problem)
        outcome = self._append(read, verdict)
        if isinstance(outcome, ClaimedBefore):
            if read.delivery.voucher:
                return RowConflict(outcome.position)
            return self._refuse(read.delivery, read.key, None, outcome.position)
        return outcome

    def _refuse(
        self, delivery: Delivery, key: bytes, problem: ParameterProblem | None, before: int = 0
    ) -> Quarantined | Rejected:
        """Quarantine an unfit delivery; ``before`` is the position of the event that has used its signature."""
        received, authentic = delivery.notification, delivery.verdict is not None and not before
        at = received.received_at
        reason = delivery.misfit or Quarantined(0, problem, is_new=True, before=before).reason
        entry = QuarantineEntry(0, key, authentic, reason, received.raw, at, at, 1, delivery.source, 0)
        known = self._log.count_repeat(entry)
        if known:
            return Quarantined(known, problem, is_new=False, before=before)
        if not authentic and (full := self._make_room(len(entry.raw))):
            return full
        return Quarantined(self._log.quarantine(entry), problem, is_new=True, before=before)

    def _make_room(self, size: int) -> Rejected | None:
        """Drop notices with a wrong signature to make room for another one of a size in bytes (SPEC 9.5).

        Returns the refusal where none may be dropped: no signature has ever fitted, so that the notices may be genuine.
        """
        kept = self._log.unauthentic_totals()
        notices = kept.notices + 1 - self._rules.quarantine_max
        over = kept.bytes + size - self._rules.quarantine_bytes
        if notices <= 0 and over <= 0:
            return None
        if not self.signature_ever_fitted:
            return quarantine_full(kept.notices)
        self.dropped += self._log.drop_unauthentic(notices, over)
        return None

    def _append(self, read: ParsedDelivery, verdict: SignatureVerdict) -> Recorded | Duplicate | ClaimedBefore:
        """Append an authentic, valid notification as an event, unless it is one, or its claim is taken."""
        position = self._log.position + 1
        first = self._log.claim_delivery_key(read.key, position)
        if first:
            return Duplicate(first)
        if (claim := read.claim) is not None and (before := self._log.claim_signature(claim, position)):
            self._log.release_delivery_key(read.key)
            return ClaimedBefore(before)
        received, values, kind = read.delivery.notification, read.values, read.kind
        placed = self._place(read.call_notice) if read.call_notice else None
        notice = Notice(
            2 if read.delivery.voucher else 1,
            received.received_at,
            self._recorded_at,
            read.delivery.source,
            verdict.formula,
            verdict.key,
            received.pairs,
            placed.line if placed else None,
            placed.head.ordinal if placed else 0,
            placed.rule if placed else 0,
            self._nonce_reused(values, position) if read.signature_covers_only_r else 0,
            read.delivery.voucher,
        )
        if placed:
            stream = call_id(placed.line, placed.head.ordinal)
            self._store(EVENTS[kind], stream, placed.head.events, notice)
            return Recorded(position, stream)
        stream = _stream_of_no_call(kind, values)
        self._store(EVENTS.get(kind, UnrecognisedRecorded), stream, self._log.last_version(stream) + 1, notice)
        return Recorded(position)

    def _place(self, said: CallNotice) -> Placement:
        """Find the call that the notice joins, or begin the line's next call, and store it with the notice applied."""
        line = said.line(self._rules.correlation, self._rules.line_rule)
        calls = self._log.calls(line_key(line))
        rule, head = correlation.correlate(said, calls, self._rules.window)
        if head is None:
            head = CallHead(calls.last_ordinal() + 1, said.received_at, said.received_at)
        head.apply(said)
        calls.put(head)
        return Placement(line, head, rule)

    @property
    def facts(self) -> LedgerFacts:
        """The ledger's own facts within this transaction."""
        return self._log

    def reprocess(self, entry_id: int, delivery: Delivery) -> Recorded | Duplicate | Quarantined:
        """Record a quarantined notice; one that is still invalid stays in quarantine, marked as authentic."""
        if delivery.verdict is None:
            return Quarantined(entry_id, None, is_new=False)
        self._set_signature_fitted(delivery.verdict)
        read = _read(delivery)
        if read.problem:
            self._log.mark_authentic(entry_id, str(read.problem))
            return Quarantined(entry_id, read.problem, is_new=False)
        answer = self._append(read, delivery.verdict)
        if isinstance(answer, ClaimedBefore):
            return Quarantined(entry_id, None, is_new=False, before=answer.position)
        self._log.mark_settled(entry_id, answer.position)
        return answer

    def _set_signature_fitted(self, verdict: SignatureVerdict) -> None:
        if not self.signature_ever_fitted and verdict.was_checked:
            self._log.set_fact(SIGNATURE_FITTED, times.iso(self._recorded_at))
            self.signature_ever_fitted = True

    def _nonce_reused(self, values: dict[str, str], position: int) -> int:
        """Return the position of an event with the same ``r`` and other content, or 0."""
        content = delivery_key([(name, value) for name, value in values.items() if name != "sig"])
        return self._log.claim_nonce(values["r"], content, position)

    def _store(self, event: type[NoticeRecorded], stream: UUID, version: int, notice: Notice) -> None:
        self._log.append(stream, version, event.TOPIC, encode_state(notice))


def _read(delivery: Delivery) -> ParsedDelivery:
    received = delivery.notification
    problem = received.problem() if delivery.verdict else None
    values = dict(received.pairs)
    kind = values.get("type", "")
    is_of_call = kind in CALL_TYPES and delivery.verdict is not None and problem is None
    said = call_notice.read_call_notice(values, received.received_at) if is_of_call else None
    claim = None if problem else claim_of(delivery, values)
    return ParsedDelivery(delivery, delivery.key, problem, values, kind, claim, said)


def _stream_of_no_call(kind: str, values: dict[str, str]) -> UUID:
    if kind == "voicemail":
        return stream_id(kind, values.get("email", ""))
    if kind == "deletechannel":
        return stream_id(kind, values.get("src", ""))
    return stream_id("unrecognised")
