"""The events: their pinned topics, the ids of their streams, and the way into the store and back (SPEC 4, 6)."""

import json
import uuid

import msgspec
import pytest
from eventsourcing.persistence import MapperDeserialisationError, StoredEvent
from eventsourcing.utils import resolve_topic
from hypothesis import given
from hypothesis import strategies as st

from domain.events.codec import NoticeMapper, decode_notice
from domain.events.notice_events import (
    CallStatusRecorded,
    CdrRecorded,
    ChannelDeletionRecorded,
    Notice,
    NoticeRecorded,
    UnrecognisedRecorded,
    VoicemailRecorded,
)
from domain.events.streams import call_id, line_key, stream_id

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "tringledger")
TOPICS: dict[str, type[NoticeRecorded]] = {
    "tringledger:call-status-recorded": CallStatusRecorded,
    "tringledger:cdr-recorded": CdrRecorded,
    "tringledger:voicemail-recorded": VoicemailRecorded,
    "tringledger:channel-deletion-recorded": ChannelDeletionRecorded,
    "tringledger:unrecognised-recorded": UnrecognisedRecorded,
}
texts = st.text(max_size=8)
pairs = st.lists(st.tuples(texts, texts), max_size=4)


def notice(params: list[tuple[str, str]] | None = None) -> Notice:
    """Return a notice with these parameters."""
    return Notice(1, 10, 20, "callback", "md5-params", "0a1b2c3d", params or [("f", "tm")])


def stored_again(event: NoticeRecorded) -> NoticeRecorded:
    """Return an event on its way into the store and back."""
    mapper = NoticeMapper()
    found = mapper.to_domain_event(mapper.to_stored_event(event))
    assert isinstance(found, NoticeRecorded)
    return found


# Topics


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_pinned_to_its_event(topic: str) -> None:
    event = TOPICS[topic](uuid.UUID(int=1), 1, notice())
    assert NoticeMapper().to_stored_event(event).topic == topic
    assert resolve_topic(topic) is TOPICS[topic]


@pytest.mark.parametrize("event_class", TOPICS.values())
def test_an_event_comes_back_as_it_went_in(event_class: type[NoticeRecorded]) -> None:
    event = event_class(uuid.UUID(int=1), 3, notice([("f", "tm"), ("tag", "Zürich\r\n"), ("p", "")]))
    assert stored_again(event) == event
    assert type(stored_again(event)) is event_class


def test_an_event_and_its_notice_cannot_be_changed() -> None:
    event = CdrRecorded(uuid.UUID(int=1), 1, notice())
    with pytest.raises(AttributeError):
        event.originator_version = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        event.notice.received_at = 2  # type: ignore[misc]


# Notices


@given(pairs)
def test_parameters_of_any_name_and_value_come_back_verbatim_and_in_order(params: list[tuple[str, str]]) -> None:
    event = CdrRecorded(uuid.UUID(int=1), 1, notice(params))
    assert stored_again(event).notice.params == event.notice.params


def test_parameters_named_like_a_transcoders_own_words_do_no_harm() -> None:
    params = [("f", "tm"), ("_type_", "datetime"), ("_data_", "x"), ("__proto__", "y"), ("v", "9")]
    assert stored_again(CdrRecorded(uuid.UUID(int=1), 1, notice(params))).notice.params == params


def test_a_stream_id_kept_as_text_is_read_as_well() -> None:
    stored = NoticeMapper().to_stored_event(CdrRecorded(uuid.UUID(int=1), 1, notice()))
    as_text = StoredEvent(uuid.UUID(int=1).hex, 1, stored.topic, stored.state)
    assert NoticeMapper().to_domain_event(as_text).originator_id == uuid.UUID(int=1)


@pytest.mark.parametrize(
    "change",
    [{"v": 3}, {"v": 0}, {"v": "1"}, {"v": None}, {"received_at": "10"}, {"received_at": 1.5}, {"params": {"f": "tm"}}],
)
def test_a_shape_that_this_version_does_not_know_is_refused_clearly(change: dict[str, object]) -> None:
    shape = msgspec.to_builtins(notice()) | change
    with pytest.raises(MapperDeserialisationError, match=rf"does not know: .*\$\.{next(iter(change))}"):
        decode_notice(json.dumps(shape).encode())


@pytest.mark.parametrize("missing", ["v", "received_at", "recorded_at", "source", "formula", "key", "params"])
def test_a_shape_that_lacks_what_every_notice_has_is_refused_clearly(missing: str) -> None:
    shape = {name: value for name, value in msgspec.to_builtins(notice()).items() if name != missing}
    with pytest.raises(MapperDeserialisationError, match=f"does not know: .*{missing}"):
        decode_notice(json.dumps(shape).encode())


@pytest.mark.parametrize("state", [b"", b"{", b"\x00\xff", b"[]", b"null"])
def test_a_state_that_is_no_notice_at_all_is_refused_in_the_same_way(state: bytes) -> None:
    with pytest.raises(MapperDeserialisationError):
        decode_notice(state)


# Ids


@given(texts, st.none() | texts, st.integers(1, 10**9))
def test_a_calls_id_is_the_uuid5_of_the_compact_json_of_its_line_and_ordinal(
    tag: str, src: str | None, ordinal: int
) -> None:
    name = json.dumps([tag, src, ordinal], ensure_ascii=False, separators=(",", ":"))
    assert call_id((tag, src), ordinal) == uuid.uuid5(NAMESPACE, name)


def test_a_calls_id_is_the_same_for_ever() -> None:
    assert str(call_id(("Zürich Büro", "18585550001"), 1)) == "97a7883e-17a9-57a6-a2c5-208a954f3013"
    assert str(call_id(("sales", None), 2)) == "ab4e0bac-ba26-5b5f-bdd5-224f387268e2"


def test_a_line_without_a_number_is_not_the_line_of_a_tag_alone() -> None:
    assert line_key(("sales", "")) != line_key(("sales", None))
    assert call_id(("sales", ""), 1) != call_id(("sales", None), 1)


def test_streams_of_mailboxes_channels_and_unrecognised_notices_are_all_apart() -> None:
    ids = {stream_id(kind, subject) for kind in ("voicemail", "deletechannel") for subject in ("", "a", "b")}
    assert len(ids | {stream_id("unrecognised")}) == 7
