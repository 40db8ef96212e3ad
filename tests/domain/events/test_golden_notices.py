"""Stored events of every released shape load for ever, into the same notices (SPEC 4).

A line of ``golden/events-vN.ndjson`` is one stored event: its topic, its state (the bytes, as text), and what they mean.
Lines are only ever added. A new shape gets a file of its own, and an upcast; these stay as they are.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from eventsourcing.persistence import MapperDeserialisationError, StoredEvent

from domain.events.codec import NoticeMapper, decode_notice
from domain.events.notice_events import EVENTS, Notice, NoticeRecorded, UnrecognisedRecorded, Voucher

GOLDEN = Path(__file__).parents[2] / "golden"
STREAM = UUID(int=1)
OPTIONAL = {"line": None, "ordinal": 0, "rule": 0, "nonce_reused": 0, "voucher": None}


def lines() -> Iterator[dict[str, Any]]:
    """Return every stored event of every shape."""
    for path in sorted(GOLDEN.glob("events-v*.ndjson")):
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


def loaded(line: dict[str, Any]) -> NoticeRecorded:
    """Load a stored event as the ledger does."""
    event = NoticeMapper().to_domain_event(StoredEvent(STREAM, 1, line["topic"], line["state"].encode()))
    assert isinstance(event, NoticeRecorded)
    return event


@pytest.mark.parametrize("line", list(lines()), ids=lambda line: line["topic"])
def test_a_stored_event_means_what_it_meant(line: dict[str, Any]) -> None:
    event = loaded(line)
    assert line["topic"] == event.TOPIC
    meant = line["notice"]
    params = [tuple(pair) for pair in meant["params"]]
    where = tuple(meant["line"]) if meant["line"] else None
    voucher = Voucher(**meant["voucher"]) if "voucher" in meant else None
    assert event.notice == Notice(**{**meant, "params": params, "line": where, "voucher": voucher})


@pytest.mark.parametrize("line", list(lines()), ids=lambda line: line["topic"])
def test_an_event_is_still_stored_in_the_same_bytes(line: dict[str, Any]) -> None:
    assert NoticeMapper().to_stored_event(loaded(line)).state == line["state"].encode()


@pytest.mark.parametrize("line", list(lines()), ids=lambda line: line["topic"])
def test_a_notice_has_the_oldest_shape_that_can_hold_it(line: dict[str, Any]) -> None:
    notice = loaded(line).notice
    assert notice.v == (1 if notice.voucher is None else 2)


def test_every_event_and_every_optional_field_present_and_absent_are_among_them() -> None:
    topics = {line["topic"] for line in lines()}
    kinds: list[type[NoticeRecorded]] = [*EVENTS.values(), UnrecognisedRecorded]
    every = {kind.TOPIC for kind in kinds}
    assert topics == every
    states = [json.loads(line["state"]) for line in lines()]
    for name in OPTIONAL:
        assert {name in state for state in states} == {True, False}
    required = {field.name for field in msgspec.structs.fields(Notice)} - OPTIONAL.keys()
    assert all(required <= state.keys() for state in states)
    assert {state["source"].partition(":")[0] for state in states} == {"callback", "import", "reprocess"}


@pytest.mark.parametrize("version", [0, 3, 99, "1", None])
def test_a_shape_of_another_version_is_refused_clearly(version: object) -> None:
    state = json.loads(next(lines())["state"]) | {"v": version}
    with pytest.raises(
        MapperDeserialisationError, match=r"a shape that this version of tringledger does not know: .*\$\.v"
    ):
        decode_notice(json.dumps(state).encode())
