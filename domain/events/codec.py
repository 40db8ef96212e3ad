"""How events are stored: the JSON of notices and operator events, and back."""

from typing import Any
from uuid import UUID

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, MapperDeserialisationError, StoredEvent
from eventsourcing.utils import resolve_topic

from domain.errors import LedgerError
from domain.events.notice_events import Notice, NoticeRecorded
from domain.events.operator_events import OPERATOR_EVENTS, OperatorEvent, OperatorEventRecorded
from domain.events.streams import _encode

_decoders: dict[str, Any] = {topic: msgspec.json.Decoder(act).decode for topic, act in OPERATOR_EVENTS.items()}


def decode_operator_event(topic: str, state: bytes) -> OperatorEvent:
    """Read a stored act; raises UnknownEventShape for one that this program does not know."""
    try:
        act: OperatorEvent = _decoders[topic](state)
    except (KeyError, msgspec.DecodeError) as error:
        msg = f"a stored act of topic {topic} has a shape that this version of tringledger does not know: {error}"
        raise UnknownEventShape(msg) from error
    return act


_decode = msgspec.json.Decoder(Notice).decode


def decode_notice(state: bytes) -> Notice:
    """Read a stored notice; raises UnknownEventShape for one that this program does not know."""
    try:
        return _decode(state)
    except msgspec.DecodeError as error:
        msg = f"a stored notice has a shape that this version of tringledger does not know: {error}"
        raise UnknownEventShape(msg) from error


class _Recorded(msgspec.Struct):
    """What the stored states of all events have."""

    recorded_at: int


_decode_recorded = msgspec.json.Decoder(_Recorded).decode


def decode_recorded_at(state: bytes) -> int:
    """Return when a stored event, of whatever kind, was recorded (microseconds, UTC); raises UnknownEventShape."""
    try:
        return _decode_recorded(state).recorded_at
    except msgspec.DecodeError as error:
        msg = f"a stored event has a shape that this version of tringledger does not know: {error}"
        raise UnknownEventShape(msg) from error


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
        assert isinstance(domain_event, NoticeRecorded | OperatorEventRecorded)
        if isinstance(domain_event, OperatorEventRecorded):
            topic, said = domain_event.event.TOPIC, _encode(domain_event.event)
        else:
            topic, said = domain_event.TOPIC, _encode(domain_event.notice)
        return StoredEvent(domain_event.originator_id, domain_event.originator_version, topic, said)

    def to_domain_event(self, stored_event: StoredEvent) -> NoticeRecorded | OperatorEventRecorded:
        """Return the event that was stored; raises UnknownEventShape for a shape it does not know."""
        kind: type[NoticeRecorded | OperatorEvent] = resolve_topic(stored_event.topic)
        stream = stored_event.originator_id
        stream_id = stream if isinstance(stream, UUID) else UUID(stream)
        version, state = stored_event.originator_version, stored_event.state
        if issubclass(kind, OperatorEvent):
            return OperatorEventRecorded(stream_id, version, decode_operator_event(stored_event.topic, state))
        return kind(stream_id, version, decode_notice(state))


class UnknownEventShape(LedgerError, MapperDeserialisationError):
    """A stored event is of a topic or shape that this version of tringledger does not know."""
