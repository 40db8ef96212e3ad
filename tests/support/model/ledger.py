"""A second ledger, slow and obvious, that says what the real one must answer.

It is written from the specification's sentences alone and shares no code with the service, so that
where the two differ one of them is wrong. Everything is a list and every question a scan of it.
The numbers in comments and docstrings are the specification's sections and rules.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

from tests.support.model.call import (
    OUTCOMES,
    REPEATED_ANSWER_RULE,
    REPEATED_CDR_RULE,
    Call,
    CallRow,
    Event,
    Line,
    Notice,
)
from tests.support.model.correlation import Rules, line_of
from tests.support.model.money import bills, cdr_row, day_of
from tests.support.model.wire import (
    Pairs,
    delivery_key,
    is_authentic,
    is_notification,
    problem,
    query,
    sign,
    split,
    texts,
    unsigned_key,
)

__all__ = ["CallRow", "ExceptionRow", "Model", "Outcome", "delivery_key", "query", "sign"]

CALL_TYPES = ("callstatus", "cdr")
TYPES = (*CALL_TYPES, "voicemail", "deletechannel")
NONCE_FORMULAS = ("md5-r-key", "md5-key-r")


class ExceptionRow(TypedDict):
    """A flag, the call that has it (empty: no call's), and where it arose."""

    flag: str
    call_id: str
    position: int


@dataclass(frozen=True)
class Outcome:
    """What became of one delivery: recorded, duplicate, quarantined or refused."""

    kind: str
    position: int | None = None
    line: Line | None = None
    ordinal: int | None = None
    rule: int | None = None
    reason: str | None = None


class Model:
    """The ledger of one account: deliver notifications, then read."""

    def __init__(
        self,
        *,
        keys: Sequence[str] = ("s3cr3t-private-key",),
        formula: str = "md5-params",
        correlation: str = "tag-src",
        grace_seconds: int = 300,
        max_age_seconds: int = 86400,
        timezone: str = "UTC",
        line_rule: int = 2,
    ) -> None:
        self.keys = keys
        self.formula = formula
        self.correlation = correlation
        self.grace_seconds = grace_seconds
        self.max_age_seconds = max_age_seconds
        self.timezone = timezone
        self.line_rule = line_rule
        self.log: list[tuple[Event, Outcome]] = []
        self.delivery_keys: list[str] = []  # of the log's events, in its order
        self.all_calls: list[Call] = []
        self.kinds: list[str] = []

    # Section 2: the checks in their order, and recording

    def deliver(self, received_at: int, query: bytes) -> Outcome:
        """Take one delivery; received_at is microseconds since the Unix epoch, UTC."""
        outcome = self._checked(received_at, query)
        self.kinds.append(outcome.kind)
        return outcome

    def _checked(self, received_at: int, raw: bytes) -> Outcome:
        pairs = split(raw)
        if not is_notification(pairs):
            return Outcome("refused", reason="not a notification")
        if not is_authentic(pairs, self.keys, self.formula):
            return Outcome("quarantined", reason="signature")
        well_formed = texts(pairs)
        reason = problem(well_formed)
        if well_formed is None or reason is not None:
            return Outcome("quarantined", reason=reason)
        return self._accepted(Notice(received_at, tuple(well_formed)), delivery_key(well_formed))

    def take_unsigned(self, received_at: int, pairs: Pairs, source: str, row: str) -> Outcome:
        """Take a row without a signature, for which somebody vouches; one that breaks section 1 is refused."""
        reason = problem(pairs)
        if reason is not None:
            return Outcome("refused", reason=reason)
        return self._accepted(Notice(received_at, tuple(pairs)), unsigned_key(pairs, source, row))

    def _accepted(self, notice: Notice, key: str) -> Outcome:
        if key in self.delivery_keys:
            _, first = self.log[self.delivery_keys.index(key)]
            return replace(first, kind="duplicate")
        event, outcome = self._recorded(notice, len(self.log) + 1)
        self.log.append((event, outcome))
        self.delivery_keys.append(key)
        return outcome

    # Sections 4 and 6: streams

    def _recorded(self, notice: Notice, position: int) -> tuple[Event, Outcome]:
        if notice.get("type") not in CALL_TYPES:
            return Event(position, notice, None), Outcome("recorded", position)
        line = line_of(notice, self.correlation, self.line_rule)
        calls = [call for call in self.all_calls if call.line == line]
        joined, rule = Rules(notice, calls, self.grace_seconds, self.max_age_seconds).place()
        call = joined or self._opened(line, len(calls) + 1)
        event = Event(position, notice, rule)
        call.events.append(event)
        return event, Outcome("recorded", position, line, call.ordinal, rule)

    def _opened(self, line: Line, ordinal: int) -> Call:
        call = Call(line, ordinal)
        self.all_calls.append(call)
        return call

    # Section 6: flags

    def _notice_flags(self, event: Event, call: Call | None) -> set[str]:
        notice = event.notice
        held = {
            "repeated-cdr": event.rule == REPEATED_CDR_RULE,
            "repeated-status": call is not None and repeats_status(event, call),
            "unrecognised-status": notice.is_unrecognised(),
            "unrecognised-type": notice.get("type") not in TYPES,
            "rounded-charge": notice.has_rounded_charge(),
            "nonce-reused": self._reuses_nonce(event),
        }
        return {flag for flag, holds in held.items() if holds}

    def _reuses_nonce(self, event: Event) -> bool:
        """Section 3: an `r` seen before with other content, where `r` is all that is signed."""
        content = content_of(event.notice)
        earlier = [content_of(e.notice) for e, _ in self.log if e.position < event.position]
        reused = [c for c in earlier if "r" in content and c.get("r") == content["r"]]
        return self.formula in NONCE_FORMULAS and any(c != content for c in reused)

    def _flags(self, call: Call) -> str:
        flags = {flag for event in call.events for flag in self._notice_flags(event, call)}
        flags |= {flag for flag, _ in call_flags(call)}
        return ";".join(sorted(flags))

    def _call_of(self, event: Event) -> Call | None:
        return next((call for call in self.all_calls if event in call.events), None)

    # Section 7

    def calls(self) -> list[CallRow]:
        """A row per call, in the order in which the calls were opened."""
        return [call.row(self._flags(call)) for call in self.all_calls]

    def cdrs(self) -> list[dict[str, str]]:
        """The CDR export, in order of position."""
        billed = [call for call in self.all_calls if call.cdr]
        rows = [cdr_row(call, self._flags(call), self.timezone) for call in billed]
        return sorted(rows, key=lambda row: int(row["position"]))

    def billing(self) -> list[dict[str, str]]:
        """A row per account and month."""
        return bills("period", [(row["account"], row["period"], row) for row in self.cdrs()])

    def billing_days(self) -> list[dict[str, str]]:
        """A row per account and day."""
        return bills("day", [(row["account"], self._day(row), row) for row in self.cdrs()])

    def _day(self, row: dict[str, str]) -> str:
        event, _ = self.log[int(row["position"]) - 1]
        return day_of(event.notice.received_at, self.timezone)

    def exceptions(self) -> list[ExceptionRow]:
        """Every flag where it arose, in order of position, then flag."""
        rows = [row for event, _ in self.log for row in self._event_exceptions(event)]
        for call in self.all_calls:
            rows += [
                ExceptionRow(flag=flag, call_id=call.call_id, position=position) for flag, position in call_flags(call)
            ]
        return sorted(rows, key=lambda row: (row["position"], row["flag"]))

    def _event_exceptions(self, event: Event) -> list[ExceptionRow]:
        call = self._call_of(event)
        call_id = call.call_id if call else ""
        flags = self._notice_flags(event, call)
        return [ExceptionRow(flag=f, call_id=call_id, position=event.position) for f in flags]

    @property
    def counts(self) -> dict[str, int]:
        """How many deliveries of each kind, how many calls, and by type what is no call's."""
        no_calls = [e.notice.get("type") for e, outcome in self.log if outcome.line is None]
        calls = {"calls": len(self.all_calls)} if self.all_calls else {}
        return Counter(self.kinds) + Counter(no_calls) + Counter(calls)


def content_of(notice: Notice) -> dict[str, str]:
    """All parameters but the signature."""
    return {name: value for name, value in notice.pairs if name != "sig"}


def repeats_status(event: Event, call: Call) -> bool:
    """Section 6: an outcome notice that the call has already, or what rule 6 joined."""
    if event.rule == REPEATED_ANSWER_RULE:
        return True
    earlier = Call(call.line, call.ordinal, [e for e in call.events if e.position < event.position])
    return event.notice.is_callstatus(OUTCOMES) and event.notice.status in earlier.outcomes


def call_flags(call: Call) -> list[tuple[str, int]]:
    """The flags of the call as a whole, each with the position where it arose."""
    flags = [] if call.opening else [("missing-opening", call.events[0].position)]
    for count, event in enumerate(call.events, start=1):
        if Call(call.line, call.ordinal, call.events[:count]).is_contradictory:
            return [*flags, ("contradictory-outcome", event.position)]
    return flags
