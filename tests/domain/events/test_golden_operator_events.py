"""Stored operator events of every released shape load permanently, into the same events (SPEC 4).

A line of ``golden/operator-events-vN.ndjson`` is one stored event: its topic, its state (the bytes, as text), and what it
means. Lines are only ever added.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from eventsourcing.persistence import StoredEvent

from domain.events.codec import NoticeMapper, UnknownEventShape
from domain.events.operator_events import OPERATOR_EVENTS, OperatorEventRecorded

GOLDEN = Path(__file__).parents[2] / "golden"
STREAM = UUID(int=1)


def lines() -> Iterator[dict[str, Any]]:
    """Return every stored operator event of every shape."""
    for path in sorted(GOLDEN.glob("operator-events-v*.ndjson")):
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


def loaded(line: dict[str, Any]) -> OperatorEventRecorded:
    """Load a stored operator event as the ledger does."""
    event = NoticeMapper().to_domain_event(StoredEvent(STREAM, 1, line["topic"], line["state"].encode()))
    assert isinstance(event, OperatorEventRecorded)
    return event


@pytest.mark.parametrize("line", list(lines()), ids=lambda line: line["topic"])
def test_a_stored_operator_event_means_what_it_meant(line: dict[str, Any]) -> None:
    act = loaded(line).event
    assert line["topic"] == act.TOPIC
    meant = {
        field.encode_name: msgspec.to_builtins(getattr(act, field.name)) for field in msgspec.structs.fields(type(act))
    }
    meant = {name: list(value) if isinstance(value, tuple) else value for name, value in meant.items()}
    assert {name: meant[name] for name in line["act"]} == line["act"]
    # A field that came later is not in the line: it then means what it means where it is absent.
    assert not any(meant[name] for name in meant.keys() - line["act"].keys())


@pytest.mark.parametrize("line", list(lines()), ids=lambda line: line["topic"])
def test_an_act_is_still_stored_in_the_same_bytes(line: dict[str, Any]) -> None:
    assert NoticeMapper().to_stored_event(loaded(line)).state == line["state"].encode()


def test_every_act_and_every_optional_field_present_and_absent_are_among_them() -> None:
    assert {line["topic"] for line in lines()} == {*OPERATOR_EVENTS}
    for topic, kind in OPERATOR_EVENTS.items():
        states = [json.loads(line["state"]) for line in lines() if line["topic"] == topic]
        for field in msgspec.structs.fields(kind):
            present = {field.encode_name in state for state in states}
            assert present == ({True} if field.required else {True, False}), field.name


@pytest.mark.parametrize("version", [0, 3, "1", None])
def test_a_shape_of_another_version_is_refused_clearly(version: object) -> None:
    line = next(lines())
    state = json.dumps(json.loads(line["state"]) | {"v": version})
    with pytest.raises(
        UnknownEventShape, match=r"a stored operator event of topic .* has a shape that this version .* does not know"
    ):
        loaded(line | {"state": state})
