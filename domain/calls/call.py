"""Call: the fold of a call's stream into its state, disposition, CDR and flags (SPEC 5 and 7).

Folding only assigns: nothing is refused here, and contradictions become flags. The clock is not read, so a replay gives
the same result.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from domain.amounts import is_rounded
from domain.calls.correlation import CallHead
from domain.events.notice_events import Notice
from domain.notices.call_notice import Charges, LineKey, read_charges
from domain.notices.notification import CHARGES
from domain.notices.statuses import ANSWERED, DISPOSITIONS, FAILED_OPENINGS, INPUTS, KNOWN, OPENINGS, OUTCOMES

REPEATED_CDR = "repeated-cdr"
REPEATED_STATUS = "repeated-status"
ROUNDED_CHARGE = "rounded-charge"
UNRECOGNISED_STATUS = "unrecognised-status"
MISSING_OPENING = "missing-opening"
CONTRADICTORY_OUTCOME = "contradictory-outcome"
NONCE_REUSED = "nonce-reused"
UNRECOGNISED_TYPE = "unrecognised-type"
VOIDED = "voided"
# No event raises it: a query finds calls that resemble earlier ones (SPEC 9.7). It is resolved as exceptions are.
SUSPECT = "suspect"
# The flags that make an exception; a call is voided on purpose.
FLAGS = (
    CONTRADICTORY_OUTCOME,
    MISSING_OPENING,
    NONCE_REUSED,
    REPEATED_CDR,
    REPEATED_STATUS,
    ROUNDED_CHARGE,
    UNRECOGNISED_STATUS,
    UNRECOGNISED_TYPE,
)
RESOLVABLE = (*FLAGS, SUSPECT)

IN_PROGRESS = "in-progress"
ENDED = "ended"


class CallFlag(NamedTuple):
    """A flag, the event that raised it (its position, and when it was received), and the charges concerned, if any."""

    flag: str
    position: int
    received_at: int
    charges: Charges | None


class Resolution(NamedTuple):
    """The resolution of an exception: the position of the operator event, its author, the reason, and when (microseconds, UTC)."""

    position: int
    by: str
    reason: str
    at: int


class Cdr(msgspec.Struct, frozen=True, gc=False):
    """The call's own CDR: its position in the log, when it was received (microseconds, UTC), and its content.

    ``src`` is as delivered; the line's is the normalised one.
    """

    position: int
    received_at: int
    src: str
    status: str
    charges: Charges


class Call(msgspec.Struct, gc=False):
    """One call as its events so far tell it; apply them in the order of the log.

    ``id`` is the call's UUIDv5 as text; ``first`` and ``contradicted`` are the events (position, and when received) that the call began with in the log, and
    after which its outcomes differ. What operators said of it: ``rerated`` is the tariff version that rates it whatever was
    published when, or 0; ``voided``, that it is not billed; ``resolved``, which flags (and positions of its notices) need no more
    attention.
    """

    id: str
    line: LineKey
    ordinal: int
    head: CallHead
    first: tuple[int, int] | None = None
    answered_at: int | None = None
    ended_at: int | None = None
    cdr: Cdr | None = None
    statuses: set[str] = msgspec.field(default_factory=set)
    inputs: list[tuple[int, int, str]] = msgspec.field(default_factory=list)
    raised: list[CallFlag] = msgspec.field(default_factory=list)
    contradicted: tuple[int, int] | None = None
    rerated: int = 0
    voided: bool = False
    resolved: dict[tuple[str, int], Resolution] = msgspec.field(default_factory=dict)

    def apply(self, position: int, notice: Notice) -> None:
        """Apply the next event of the stream, at a position of the log."""
        values = dict(notice.params)
        status, at = values.get("status", ""), notice.received_at
        if self.first is None:
            self.first = (position, at)
        if values.get("type") == "cdr":
            self._apply_cdr(position, notice, status, values)
        else:
            self._apply_status(position, notice, status, values)
        if status:
            self.statuses.add(status)
        head = self.head
        # Before an outcome or a CDR nothing can be contradicted.
        if self.contradicted is None and (head.outcomes or head.cdr_status) and self._is_contradictory():
            self.contradicted = (position, at)

    def _apply_cdr(self, position: int, notice: Notice, status: str, values: Mapping[str, str]) -> None:
        at, charges, raised = notice.received_at, read_charges(values), self.raised
        if self.cdr is not None:
            raised.append(CallFlag(REPEATED_CDR, position, at, charges))
        if status and status not in KNOWN:
            raised.append(CallFlag(UNRECOGNISED_STATUS, position, at, charges))
        if notice.nonce_reused:
            raised.append(CallFlag(NONCE_REUSED, position, at, charges))
        if _has_rounded_charge(values):
            raised.append(CallFlag(ROUNDED_CHARGE, position, at, None))
        if self.cdr is None:
            self.cdr = Cdr(position, at, values.get("src", ""), status, charges)
            self._end(at)
        self.head.apply_cdr(at, status, charges)

    def _apply_status(self, position: int, notice: Notice, status: str, values: Mapping[str, str]) -> None:
        at, head = notice.received_at, self.head
        if (head.opening and status in OPENINGS) or status in head.outcomes:
            self.raised.append(CallFlag(REPEATED_STATUS, position, at, None))
        if status not in KNOWN:
            self.raised.append(CallFlag(UNRECOGNISED_STATUS, position, at, None))
        if notice.nonce_reused:
            self.raised.append(CallFlag(NONCE_REUSED, position, at, None))
        if status in DISPOSITIONS:
            self._end(at)
        elif status == ANSWERED:
            if self.answered_at is None or at < self.answered_at:
                self.answered_at = at
        elif status in INPUTS and (digits := values.get("p", "")):
            self.inputs.append((at, position, digits))
        head.apply_status(at, status)

    def _end(self, at: int) -> None:
        if self.ended_at is None or at < self.ended_at:
            self.ended_at = at

    def _is_contradictory(self) -> bool:
        head = self.head
        outcomes, said_by_cdr = head.outcomes, head.cdr_status
        if said_by_cdr in FAILED_OPENINGS:
            return bool(outcomes) or head.opening == ANSWERED
        return bool(outcomes) and (len(outcomes) > 1 or (said_by_cdr in OUTCOMES and said_by_cdr not in outcomes))

    @property
    def state(self) -> str:
        """``in-progress``, or ``ended`` once an opening that ends, an outcome or a CDR was seen."""
        return IN_PROGRESS if self.ended_at is None else ENDED

    @property
    def status(self) -> str:
        """The deciding status (SPEC 5), or an empty text if no status decides."""
        head = self.head
        if head.cdr_status in OUTCOMES:
            return head.cdr_status
        if head.outcomes:
            return head.outcomes[0]
        return head.cdr_status if head.cdr_status in FAILED_OPENINGS else head.opening

    @property
    def disposition(self) -> str:
        """The outcome of the call, or an empty text while it is in progress."""
        return self.outcome[1]

    @property
    def outcome(self) -> tuple[str, str]:
        """The deciding status and the disposition."""
        status = self.status
        decided = DISPOSITIONS.get(status)
        if decided or self.cdr is None:
            return status, decided or ""
        return status, "ANSWERED" if self.cdr.charges.dest_seconds else "UNKNOWN"

    @property
    def digits(self) -> str:
        """The digits of all inputs, in the order in which they were received."""
        return "".join([digits for _, _, digits in sorted(self.inputs)]) if self.inputs else ""

    @property
    def call_flags(self) -> list[CallFlag]:
        """All flags of the call, each with the position that raised it; a flag may occur several times."""
        own = self.cdr.charges if self.cdr else None
        found = list(self.raised)
        if self.contradicted:
            found.append(CallFlag(CONTRADICTORY_OUTCOME, *self.contradicted, own))
        if self.first and not self.head.opening:
            found.append(CallFlag(MISSING_OPENING, *self.first, own))
        return found

    @property
    def flags(self) -> str:
        """The flags' names, each once, sorted and joined with ``;``."""
        if not self.raised and not self.contradicted and self.head.opening and not self.voided:
            return ""  # Most calls have none.
        return ";".join(sorted({raised.flag for raised in self.call_flags} | ({VOIDED} if self.voided else set())))


def _has_rounded_charge(values: Mapping[str, str]) -> bool:
    # A plain loop, as it is run for every CDR of a rebuild.
    for name in CHARGES:
        text = values.get(name)
        if text and is_rounded(text):
            return True
    return False


def new_call(call_id: str, notice: Notice) -> Call:
    """Return the call of a stream's first notice, before any notice is applied."""
    assert notice.line is not None
    return Call(call_id, notice.line, notice.ordinal, CallHead(notice.ordinal, notice.received_at, notice.received_at))


def flags_without_call(notice: Notice, *, recognised: bool) -> list[str]:
    """Return the flags of a notice that belongs to no call, for its status, type and nonce."""
    status = dict(notice.params).get("status")
    found = [] if recognised else [UNRECOGNISED_TYPE]
    if status and status not in KNOWN:
        found.append(UNRECOGNISED_STATUS)
    if notice.nonce_reused:
        found.append(NONCE_REUSED)
    return found
