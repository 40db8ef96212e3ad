"""The model's call: what its notices say, by scanning them all each time that one asks.

Nothing is remembered but the list of events, so no order of arrival can leave a stale answer.
"""

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypedDict

from tests.support.model.wire import CHARGES, DURATIONS, charge

ANSWERED = "SRCANSWERED"
FAILED_OPENINGS = ("SRCFAILED", "SRCNOTANSWERED")
OPENINGS = (ANSWERED, *FAILED_OPENINGS)
# In the order in which section 5 lets them decide.
OUTCOMES = ("COMPLETED", "DESTBUSY", "DESTNOTANSWERED", "DESTCONGESTED", "DESTNETWORKERROR")
INPUTS = ("USERDTMPINPUT", "USERDTMFINPUT")
TABLE = (*OPENINGS, *OUTCOMES, *INPUTS)
DISPOSITIONS = {
    "SRCFAILED": "FAILED",
    "SRCNOTANSWERED": "NO ANSWER",
    "DESTNOTANSWERED": "NO ANSWER",
    "DESTBUSY": "BUSY",
    "DESTCONGESTED": "CONGESTION",
    "DESTNETWORKERROR": "FAILED",
    "COMPLETED": "ANSWERED",
}
REPEATED_CDR_RULE = 2
REPEATED_ANSWER_RULE = 6
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "tringledger")

Line = tuple[str, str | None]


class CallRow(TypedDict):
    """One row of the read model `calls` (section 7)."""

    call_id: str
    tag: str
    src: str | None
    ordinal: int
    state: str
    disposition: str
    status: str
    statuses: str
    opened_at: int
    answered_at: int | None
    ended_at: int | None
    last_at: int
    events: int
    digits: str
    flags: str
    has_cdr: bool


@dataclass(frozen=True)
class Notice:
    """A well-formed notification: its pairs and when it entered, in microseconds."""

    received_at: int
    pairs: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        """The value of a parameter; absent and empty are one here."""
        return dict(self.pairs).get(name, "")

    def amount(self, name: str) -> Decimal | None:
        """Sections 1 and 9.1: a number, None where it is absent or empty."""
        text = self.get(name)
        if not text:
            return None
        return charge(text) if name in CHARGES else Decimal(text)

    def has_rounded_charge(self) -> bool:
        """Section 9.1: a CDR with a charge that is not what was delivered, to the last digit."""
        given = [self.get(name) for name in CHARGES if self.get(name)]
        return self.get("type") == "cdr" and any(charge(text) != Decimal(text) for text in given)

    def amounts(self) -> list[Decimal | None]:
        """The six durations and charges, comparable as numbers."""
        return [self.amount(name) for name in DURATIONS + CHARGES]

    @property
    def status(self) -> str:
        """The status text, empty if none."""
        return self.get("status")

    @property
    def is_cdr(self) -> bool:
        """Section 4: a notice of type `cdr`."""
        return self.get("type") == "cdr"

    def is_callstatus(self, statuses: Sequence[str]) -> bool:
        """Section 6: openings, outcomes and inputs are `callstatus` notices."""
        return self.get("type") == "callstatus" and self.status in statuses

    def is_unrecognised(self) -> bool:
        """Section 5: a status outside the table, or none on a `callstatus`."""
        needed = self.get("type") == "callstatus"
        return self.status not in TABLE and (self.status != "" or needed)


@dataclass(frozen=True)
class Event:
    """A recorded notice: its place in the log and the rule that placed it (None: no call's)."""

    position: int
    notice: Notice
    rule: int | None


@dataclass
class Call:
    """One call of a line, as the list of its events in the order of recording."""

    line: Line
    ordinal: int
    events: list[Event] = field(default_factory=list)

    # Section 6: what the rules ask of a call

    @property
    def call_id(self) -> str:
        """UUIDv5 of the compact JSON of line and ordinal."""
        name = json.dumps([*self.line, self.ordinal], ensure_ascii=False, separators=(",", ":"))
        return str(uuid.uuid5(NAMESPACE, name))

    @property
    def notices(self) -> list[Notice]:
        """The notices in the order of recording."""
        return [event.notice for event in self.events]

    @property
    def began(self) -> int:
        """The beginning of the span."""
        return min(notice.received_at for notice in self.notices)

    @property
    def last(self) -> int:
        """The end of the span."""
        return max(notice.received_at for notice in self.notices)

    def distance(self, instant: int) -> int:
        """Nothing inside the span, else the time to its nearer end."""
        if self.began <= instant <= self.last:
            return 0
        return min(abs(instant - self.began), abs(instant - self.last))

    @property
    def cdr_event(self) -> Event | None:
        """The event of the call's own CDR; a repeated one is not it."""
        own = [e for e in self.events if e.notice.is_cdr and e.rule != REPEATED_CDR_RULE]
        return next(iter(own), None)

    @property
    def cdr(self) -> Notice | None:
        """The call's own CDR."""
        return self.cdr_event.notice if self.cdr_event else None

    @property
    def cdr_status(self) -> str:
        """The status of the call's own CDR, empty if none."""
        return self.cdr.status if self.cdr else ""

    @property
    def opening(self) -> str:
        """The status of the opening notice, empty if none."""
        seen = [notice.status for notice in self.notices if notice.is_callstatus(OPENINGS)]
        return next(iter(seen), "")

    @property
    def outcomes(self) -> list[str]:
        """The statuses of the outcome notices."""
        return [notice.status for notice in self.notices if notice.is_callstatus(OUTCOMES)]

    @property
    def failed_at_source(self) -> bool:
        """Its opening notice is a failed one."""
        return self.opening in FAILED_OPENINGS

    # Section 5

    @property
    def status(self) -> str:
        """The deciding status, empty if none."""
        if self.cdr_status in OUTCOMES:
            return self.cdr_status
        if self.outcomes:
            return min(self.outcomes, key=OUTCOMES.index)
        if self.cdr_status in FAILED_OPENINGS:
            return self.cdr_status
        return self.opening

    @property
    def disposition(self) -> str:
        """The deciding status's, or what the destination's seconds say, empty while none."""
        if self.status in DISPOSITIONS:
            return DISPOSITIONS[self.status]
        if self.cdr is None:
            return ""
        return "ANSWERED" if self.cdr.amount("destduration") else "UNKNOWN"

    @property
    def is_contradictory(self) -> bool:
        """Outcomes that differ, or a failed CDR beside an answer or an outcome notice."""
        stated = {*self.outcomes, self.cdr_status} & set(OUTCOMES)
        beside = self.opening == ANSWERED or bool(self.outcomes)
        return len(stated) > 1 or (self.cdr_status in FAILED_OPENINGS and beside)

    # Section 7

    def times(self, counts: Callable[[Event], bool]) -> list[int]:
        """When the events that count were received."""
        return [event.notice.received_at for event in self.events if counts(event)]

    @property
    def answered_at(self) -> int | None:
        """The earliest SRCANSWERED."""
        return min(self.times(lambda e: e.notice.is_callstatus([ANSWERED])), default=None)

    @property
    def ended_at(self) -> int | None:
        """The earliest of failed opening, outcome and the call's own CDR."""
        ending = (*FAILED_OPENINGS, *OUTCOMES)
        own = self.cdr_event
        return min(self.times(lambda e: e.notice.is_callstatus(ending) or e == own), default=None)

    @property
    def digits(self) -> str:
        """What was dialled, in order of received_at, then position."""
        dialled = [event for event in self.events if event.notice.is_callstatus(INPUTS)]
        dialled.sort(key=lambda event: (event.notice.received_at, event.position))
        return "".join(event.notice.get("p") for event in dialled)

    def row(self, flags: str) -> CallRow:
        """The row of `calls`, without what follows from the clock."""
        return CallRow(
            call_id=self.call_id,
            tag=self.line[0],
            src=self.line[1],
            ordinal=self.ordinal,
            state="in-progress" if self.ended_at is None else "ended",
            disposition=self.disposition,
            status=self.status,
            statuses=";".join(sorted({n.status for n in self.notices if n.status})),
            opened_at=self.began,
            answered_at=self.answered_at,
            ended_at=self.ended_at,
            last_at=self.last,
            events=len(self.events),
            digits=self.digits,
            flags=flags,
            has_cdr=self.cdr is not None,
        )
