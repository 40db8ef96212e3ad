"""Operator events, each with its author and reason, and their permanent topics (SPEC 4).

An operator event corrects by adding: what was received stays as it was, and a reader sees both. Corrections of a call are in
the call's own stream; tariffs, closings and an account's adjustments have streams of their own. The shape of each event
carries its version ``v``.
"""

from typing import ClassVar, Literal
from uuid import UUID

import msgspec
from eventsourcing.utils import register_topic

SPLIT, MERGE, RELEASE = "split", "merge", "release"
STATEMENT, CREDIT_NOTE, DEBIT_NOTE = "statement", "credit-note", "debit-note"

# Shape 1 is read by the rules of the versions that wrote it, and no longer written. Shape 2 has the same fields.
BY_MONTH = 2  # From this shape on, what a call comes to is kept by account and own month (SPEC 9.9),
FALLS_BACK = 2  # and a tariff's rule that has not begun leaves the price to the version before (SPEC 9.8).
SHAPE: Literal[2] = 2
CHARGES: Literal[3] = 3  # From this shape on, a closing has what accounts are charged (SPEC 9.15).

_LINE = tuple[str, str | None]


class OperatorEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fields of every operator event: its shape, when it was recorded (microseconds, UTC), by whom, and why.

    ``NEWEST`` is the newest shape that the kind of event has.
    """

    TOPIC: ClassVar[str]
    NEWEST: ClassVar[int] = SHAPE
    v: Literal[1, 2, 3]
    recorded_at: int
    by: str
    reason: str

    def __post_init__(self) -> None:
        """Refuse a shape that this kind of event does not have: raises ValueError, which decoding reports."""
        if self.v > self.NEWEST:
            msg = f"{self.TOPIC} has shape {self.v}; expected one up to {self.NEWEST}"
            raise ValueError(msg)


class TariffPublished(OperatorEvent, frozen=True):
    """A tariff was published: its version, and its text as it stood in the file. In the stream of tariffs."""

    TOPIC: ClassVar[str] = "tringledger:tariff-published"
    version: int
    text: str


class MonthBooks(msgspec.Struct, frozen=True):
    """What the books of a month had when it was closed, so that the month's total is itself an event that is proved.

    ``columns`` names the list of columns (``entries/1``); ``rows`` counts the month's entries; ``digest`` is the SHA-256 of
    lines of compact JSON: an array of the column names, then one of each entry's values in those columns, in the order of
    position, number and call. ``money`` sums ``cost``, ``price`` and ``margin`` in millionths of a US cent, and
    ``sip_credits`` in millionths of a credit.
    """

    month: str
    columns: str
    rows: int
    digest: str
    money: dict[str, int]


class AccountCharge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an account is charged for a month ``YYYY-MM`` besides its calls (SPEC 9.15), by a version of the tariff.

    ``fee`` is the monthly fee, ``fee_text`` what the customer reads of it, and ``top_up`` what is added to reach the ``minimum``; ``calls`` is the
    sum of the prices of the calls whose own month it is. Amounts are millionths of a US cent.
    """

    account: str
    month: str
    tariff: int
    fee: int = 0
    fee_text: str = ""
    calls: int = 0
    minimum: int = 0
    top_up: int = 0


class MonthClosed(OperatorEvent, frozen=True):
    """A month ``YYYY-MM`` was closed; ``accepted`` is what was found open, and closed over. In the stream of closings.

    ``books`` has each month that it closes, the earlier ones that were open among them; closings of shape 1 have none.
    ``charges`` has what accounts are charged for these months; a closing that has any is of shape 3.
    """

    TOPIC: ClassVar[str] = "tringledger:month-closed"
    NEWEST: ClassVar[int] = CHARGES
    period: str
    accepted: list[str] = []
    books: list[MonthBooks] = []
    charges: list[AccountCharge] = []


class CallRerated(OperatorEvent, frozen=True):
    """From now on the call is rated by this version of the tariff, whatever was published when. In the call's stream."""

    TOPIC: ClassVar[str] = "tringledger:call-rerated"
    tariff: int


class CallVoided(OperatorEvent, frozen=True):
    """The call is not to be billed to its account. In the call's stream."""

    TOPIC: ClassVar[str] = "tringledger:call-voided"


class NoticesMoved(OperatorEvent, frozen=True):
    """Notices of one call now belong to another; the streams of both calls have one such event.

    ``positions`` are the notices' in the log; ``gone`` tells whether they left this stream's call or came to it, and ``other``
    is the other call's id; ``line`` and ``ordinal`` are those of this stream's call; ``how`` is ``split``, ``merge`` or
    ``release``.
    """

    TOPIC: ClassVar[str] = "tringledger:notices-moved"
    how: str
    positions: list[int]
    gone: bool
    other: str
    line: _LINE
    ordinal: int


class ExceptionResolved(OperatorEvent, frozen=True):
    """An exception, named by its flag and position, needs no more attention, or does so again where it is ``reopened``.

    In its call's stream, or that of resolutions.
    """

    TOPIC: ClassVar[str] = "tringledger:exception-resolved"
    flag: str
    position: int
    reopened: bool = False


class CorrectionReversed(OperatorEvent, frozen=True):
    """The event at a position, in the same stream, no longer counts: a correction of a call, or a settled quarantined notice."""

    TOPIC: ClassVar[str] = "tringledger:act-reversed"
    reversed_position: int = msgspec.field(name="of")


class AccountAdjusted(OperatorEvent, frozen=True):
    """An account is charged an amount (millionths of a US cent), or credited a negative one, in a month ``YYYY-MM``.

    In the account's stream. ``of`` is the position of the adjustment that it reverses, if any.
    """

    TOPIC: ClassVar[str] = "tringledger:account-adjusted"
    account: str
    amount: int
    period: str
    reversed_position: int = msgspec.field(default=0, name="of")


class QuarantineResolved(OperatorEvent, frozen=True):
    """A quarantined notice will not be recorded: its number, and its delivery key in hexadecimal digits.

    In the stream of resolutions.
    """

    TOPIC: ClassVar[str] = "tringledger:quarantine-resolved"
    entry: int
    delivery_key: str


class LogForked(OperatorEvent, frozen=True):
    """The log lost events that were signed, and continues as a log of its own: a new epoch of its proofs, with a new name.

    ``epoch`` and ``origin`` are the new ones; ``checkpoint`` is the last signed note of the old one, empty where there was
    none; ``kept`` is the last position that both have. In the stream of forks.
    """

    TOPIC: ClassVar[str] = "tringledger:log-forked"
    epoch: int
    origin: str
    checkpoint: str
    kept: int


class PartyPublished(OperatorEvent, frozen=True):
    """A party file was published: its version, and the SHA-256 of its salt, text and logo, which are a fact of the ledger.

    The log holds no personal data of it: they can be erased, and the log stays as it was (SPEC 9.13). In the stream of parties.
    """

    TOPIC: ClassVar[str] = "tringledger:party-published"
    version: int
    digest: str


class StatementNumbered(OperatorEvent, frozen=True):
    """A document for a customer got its number (SPEC 9.13). In the stream of numbers.

    ``kind`` is ``statement``, ``credit-note`` or ``debit-note``; ``period`` is the month ``YYYY-MM`` that was billed. In ``series``,
    ``ordinal`` counts the numbers that begin and end with the same text, which ``scope`` is. ``party`` is the version of the party file, 0
    without one. ``form`` names the form of the JSON whose SHA-256 is ``digest``. ``exact`` is what the document comes to in
    millionths of a US cent, ``due`` the same in whole cents. A note ``corrects`` the statement with that number, of the month ``original_period``.
    """

    TOPIC: ClassVar[str] = "tringledger:statement-numbered"
    kind: str
    number: str
    series: str
    scope: str
    ordinal: int
    account: str
    period: str
    party: int
    form: str
    digest: str
    exact: int
    due: int
    corrects: str = ""
    original_period: str = ""


class StatementReissued(OperatorEvent, frozen=True):
    """A numbered document was printed anew with another version of the party file (SPEC 9.13). In the stream of numbers.

    ``ordinal`` counts the reissues of the ``number``; ``party`` and ``form`` are as in StatementNumbered, ``digest`` is that of the new JSON.
    """

    TOPIC: ClassVar[str] = "tringledger:statement-reissued"
    number: str
    ordinal: int
    account: str
    period: str
    party: int
    form: str
    digest: str


OPERATOR_EVENTS: dict[str, type[OperatorEvent]] = {
    event.TOPIC: event
    for event in (
        TariffPublished,
        MonthClosed,
        CallRerated,
        CallVoided,
        NoticesMoved,
        ExceptionResolved,
        CorrectionReversed,
        AccountAdjusted,
        QuarantineResolved,
        LogForked,
        PartyPublished,
        StatementNumbered,
        StatementReissued,
    )
}
CALL_CORRECTIONS = frozenset(
    event.TOPIC for event in (CallRerated, CallVoided, NoticesMoved, ExceptionResolved, CorrectionReversed)
)


class OperatorEventRecorded(msgspec.Struct, frozen=True):
    """An operator event in the log: its stream, its version there, and the event."""

    originator_id: UUID
    originator_version: int
    event: OperatorEvent


for _event in OPERATOR_EVENTS.values():
    register_topic(_event.TOPIC, _event)
