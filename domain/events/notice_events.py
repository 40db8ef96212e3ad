"""The immutable events, one per accepted notification, and the topics under which they are stored for ever (SPEC 4).

What operators do are events too, see ``acts.py``.

A stored event is its stream's id, its version there, its topic, and its notice as JSON. The shape of a notice carries
its own version ``v``: a new shape gets a new number and an upcast from the old one, and nothing stored is ever edited.
"""

from functools import lru_cache
from typing import ClassVar, Literal
from uuid import NAMESPACE_DNS, UUID, uuid5

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent
from eventsourcing.utils import register_topic, resolve_topic

from domain.errors import UnknownShape
from domain.events.operator_events import Act, ActRecorded, decode_act

NAMESPACE = uuid5(NAMESPACE_DNS, "tringledger")

Line = tuple[str, str | None]


class Voucher(msgspec.Struct, frozen=True, gc=False):
    """Who says, in place of a signature, that a notice is genuine, and why; and which row of its source it was.

    ``row`` is ``id=ID``, or ``at=TIME n=NUMBER`` for a row without an id: its time, and its number among those equal to it.
    """

    by: str
    reason: str
    row: str


class Notice(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An accepted notification as it is kept.

    ``v`` is the version of this shape, the oldest that can hold the notice: 2 has a ``voucher``, 1 has none.
    ``received_at`` and ``recorded_at`` are in microseconds since the epoch, UTC; ``source`` is ``callback``,
    ``import:NAME`` or ``reprocess``; ``formula`` and ``key`` (a fingerprint) tell how it was found authentic; ``params``
    are all parameters as delivered; ``line``, ``ordinal`` and ``rule`` (SPEC 6) tell where it was placed, for what belongs
    to a call; ``nonce_reused`` is the position of the event that first had this ``r``, where the signature covers nothing
    else; ``voucher`` stands in for the signature of an imported row that has none.
    """

    v: Literal[1, 2]
    received_at: int
    recorded_at: int
    source: str
    formula: str
    key: str
    params: list[tuple[str, str]]
    line: Line | None = None
    ordinal: int = 0
    rule: int = 0
    nonce_reused: int = 0
    voucher: Voucher | None = None


class NoticeRecorded(msgspec.Struct, frozen=True):
    """What every event of a notification has: its stream, its version there, and the notice."""

    TOPIC: ClassVar[str]
    originator_id: UUID
    originator_version: int
    notice: Notice


class CallStatusRecorded(NoticeRecorded, frozen=True):
    """A live call status came in; in its call's stream."""

    TOPIC: ClassVar[str] = "tringledger:call-status-recorded"


class CdrRecorded(NoticeRecorded, frozen=True):
    """A call's final record came in; in its call's stream."""

    TOPIC: ClassVar[str] = "tringledger:cdr-recorded"


class VoicemailRecorded(NoticeRecorded, frozen=True):
    """A voicemail is available; in its mailbox's stream."""

    TOPIC: ClassVar[str] = "tringledger:voicemail-recorded"


class ChannelDeletionRecorded(NoticeRecorded, frozen=True):
    """A channel expired; in the stream of channel notices of its number."""

    TOPIC: ClassVar[str] = "tringledger:channel-deletion-recorded"


class UnrecognisedRecorded(NoticeRecorded, frozen=True):
    """A notice of no type that TringMe's page names; kept and flagged, in the one stream of such notices."""

    TOPIC: ClassVar[str] = "tringledger:unrecognised-recorded"


EVENTS: dict[str, type[NoticeRecorded]] = {
    "callstatus": CallStatusRecorded,
    "cdr": CdrRecorded,
    "voicemail": VoicemailRecorded,
    "deletechannel": ChannelDeletionRecorded,
}
for _event in (CallStatusRecorded, CdrRecorded, VoicemailRecorded, ChannelDeletionRecorded, UnrecognisedRecorded):
    _kind: type[NoticeRecorded] = _event
    register_topic(_kind.TOPIC, _kind)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Notice).decode


@lru_cache(maxsize=4096)  # A call's notices come close together.
def call_id(line: Line, ordinal: int) -> UUID:
    """Return the id of a line's call, which is also its stream's (SPEC 6)."""
    return uuid5(NAMESPACE, _encode((*line, ordinal)).decode())


def line_key(line: Line) -> str:
    """Return a line as compact JSON, under which a store keeps its calls."""
    return _encode(line).decode()


def notices_id(kind: str, subject: str = "") -> UUID:
    """Return the id of a stream of notices that are no call's: of a mailbox, a channel's number, or unrecognised."""
    return uuid5(NAMESPACE, _encode((kind, subject)).decode())


# The streams of acts that are no call's and no account's.
TARIFFS = notices_id("tariffs")
CLOSINGS = notices_id("closings")
RESOLUTIONS = notices_id("resolutions")


def decode_notice(state: bytes) -> Notice:
    """Read a stored notice; raises UnknownShape for one that this program does not know."""
    try:
        return _decode(state)
    except msgspec.DecodeError as error:
        msg = f"a stored notice has a shape that this version of tringledger does not know: {error}"
        raise UnknownShape(msg) from error


class _Recorded(msgspec.Struct):
    """What the stored states of all events have."""

    recorded_at: int


_decode_recorded = msgspec.json.Decoder(_Recorded).decode


def recorded_at(state: bytes) -> int:
    """Return when a stored event, of whatever kind, was recorded (microseconds, UTC); raises UnknownShape."""
    try:
        return _decode_recorded(state).recorded_at
    except msgspec.DecodeError as error:
        msg = f"a stored event has a shape that this version of tringledger does not know: {error}"
        raise UnknownShape(msg) from error


class NoticeMapper(Mapper[UUID]):
    """Turns events into what is stored and back, with msgspec: three times as fast as the default mapper.

    The default transcoder is also a trap: a callback with parameters named ``_type_`` and ``_data_`` would poison every
    replay. Here parameters are a list of pairs, whatever their names.
    """

    def __init__(self) -> None:
        """Need nothing of the default mapper's: neither its transcoder, nor compression, nor encryption."""
        super().__init__(JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """Return the event as it is stored."""
        assert isinstance(domain_event, NoticeRecorded | ActRecorded)
        if isinstance(domain_event, ActRecorded):
            topic, said = domain_event.act.TOPIC, _encode(domain_event.act)
        else:
            topic, said = domain_event.TOPIC, _encode(domain_event.notice)
        return StoredEvent(domain_event.originator_id, domain_event.originator_version, topic, said)

    def to_domain_event(self, stored_event: StoredEvent) -> NoticeRecorded | ActRecorded:
        """Return the event that was stored; raises UnknownShape for a shape it does not know."""
        kind: type[NoticeRecorded | Act] = resolve_topic(stored_event.topic)
        stream = stored_event.originator_id
        stream_id = stream if isinstance(stream, UUID) else UUID(stream)
        version, state = stored_event.originator_version, stored_event.state
        if issubclass(kind, Act):
            return ActRecorded(stream_id, version, decode_act(stored_event.topic, state))
        return kind(stream_id, version, decode_notice(state))
