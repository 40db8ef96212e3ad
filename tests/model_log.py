"""A stored log as the facts that the model's books are made of: from topics and JSON as they are documented, by nobody's decoder."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.model_call import Event, Notice
from tests.model_corrections import Adjusted, Closed, Fact, Moved, Published, Recorded, Rerated, Undone, Voided

Stored = tuple[int, str, str, Mapping[str, Any]]  # Position, stream (a call's is the call's id), topic, and the JSON.
NOTICES = ("call-status-recorded", "cdr-recorded")
MICROSECONDS = 1_000_000


def stored(position: int, stream: str, topic: str, state: bytes) -> Stored:
    """An event as it lies in the store, read."""
    return position, stream, topic.removeprefix("tringledger:"), json.loads(state)


def facts_of(log: Iterable[Stored], zone: str = "UTC") -> list[Fact]:
    """What the events of a log say of money, in order of position."""
    found: list[Fact] = []
    for position, stream, topic, said in log:
        found += _facts(position, stream, topic, said, found, zone)
    return found


def _facts(
    position: int, stream: str, topic: str, said: Mapping[str, Any], before: list[Fact], zone: str
) -> list[Fact]:
    shape = said["v"]
    if topic in NOTICES:
        notice = Notice(said["received_at"], tuple((name, value) for name, value in said["params"]))
        tag, src = said["line"]
        return [Recorded(Event(position, notice, said["rule"]), stream, (tag, src))]
    if topic == "tariff-published":
        return [published(position, said["version"], said["text"], zone, shape)]
    if topic == "month-closed":
        return [Closed(position, said["period"])]
    if topic == "call-rerated":
        return [Rerated(position, stream, said["tariff"], shape)]
    if topic == "call-voided":
        return [Voided(position, stream, shape)]
    if topic == "notices-moved" and not said["gone"]:  # The second of the two events of a move.
        return [Moved(position, frozenset(said["positions"]), said["other"], stream, shape)]
    if topic == "account-adjusted":
        if said.get("of"):
            return [Undone(position, said["of"], shape)]
        return [Adjusted(position, said["account"], said["amount"], said["period"], shape)]
    if topic == "act-reversed" and any(fact.position == said["of"] for fact in before):
        return [Undone(position, said["of"], shape)]
    return []


def published(position: int, version: int, text: str, zone: str, shape: int) -> Published:
    """A tariff's text as rules with the moments from which they are in effect."""
    tariff = tomllib.loads(text, parse_float=Decimal)
    zone = tariff.get("timezone", zone)
    rules = [
        {
            **{name: value for name, value in rule.items() if name != "effective_from"},
            "begins": moment(rule.get("effective_from", tariff.get("effective_from")), zone),
        }
        for rule in tariff["rules"]
    ]
    zones = {name: account["timezone"] for name, account in tariff.get("accounts", {}).items()}
    return Published(position, version, rules, zone, zones, shape)


def moment(begins: date | None, zone: str) -> int | None:
    """The microsecond at which a date begins in a time zone."""
    if begins is None:
        return None
    midnight = datetime.combine(begins, time(), ZoneInfo(zone))
    return int(midnight.astimezone(UTC).timestamp()) * MICROSECONDS
