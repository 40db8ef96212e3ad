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

_decoders: dict[str, Any] = {topic: msgspec.json.Decoder(kind).decode for topic, kind in OPERATOR_EVENTS.items()}


def decode_operator_event(topic: str, state: bytes) -> OperatorEvent:
    """Decode a stored operator event; raises UnknownEventShape for an unknown topic or shape."""
    try:
        event: OperatorEvent = _decoders[topic](state)
    except (KeyError, msgspec.DecodeError) as error:
        msg = f"a stored operator event of topic {topic} has a shape that this version of tringledger does not know: {error}"
        raise UnknownEventShape(msg) from error
    return event


def encode_state(event: Notice | OperatorEvent) -> bytes:
    """Return a notice or an operator event as it is stored."""
    return _encode(event)


_decode = msgspec.json.Decoder(Notice).decode


def decode_notice(state: bytes) -> Notice:
    """Decode a stored notice; raises UnknownEventShape for an unknown shape."""
    try:
        return _decode(state)
    except msgspec.DecodeError as error:
        msg = f"a stored notice has a shape that this version of tringledger does not know: {error}"
        raise UnknownEventShape(msg) from error


class _Recorded(msgspec.Struct):
    """The field that the stored states of all events have."""

    recorded_at: int


_decode_recorded = msgspec.json.Decoder(_Recorded).decode


def decode_recorded_at(state: bytes) -> int:
    """Return when a stored event of any kind was recorded (microseconds, UTC); raises UnknownEventShape."""
    try:
        return _decode_recorded(state).recorded_at
    except msgspec.DecodeError as error:
        msg = f"a stored event has a shape that this version of tringledger does not know: {error}"
        raise UnknownEventShape(msg) from error


class NoticeMapper(Mapper[UUID]):
    """Turns events into stored events and back, with msgspec: three times as fast as the default mapper.

    The default transcoder is also a trap: a callback with parameters named ``_type_`` and ``_data_`` would poison every
    replay. Here parameters are a list of pairs, whatever their names.
    """

    def __init__(self) -> None:
        """Use neither the transcoder of the default mapper nor its compression and encryption."""
        super().__init__(JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """Return the event as it is stored."""
        assert isinstance(domain_event, NoticeRecorded | OperatorEventRecorded)
        if isinstance(domain_event, OperatorEventRecorded):
            topic, state = domain_event.event.TOPIC, encode_state(domain_event.event)
        else:
            topic, state = domain_event.TOPIC, encode_state(domain_event.notice)
        return StoredEvent(domain_event.originator_id, domain_event.originator_version, topic, state)

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
    """A stored event has a topic or shape that this version of tringledger does not know."""
