"""A stored log as the facts that the model's books are made of: from topics and JSON as they are documented, by nobody's decoder."""

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.support.model.call import Event, Notice
from tests.support.model.corrections import Adjusted, Closed, Fact, Moved, Published, Recorded, Rerated, Undone, Voided

Said = Mapping[str, Any]
Stored = tuple[int, str, str, Said]  # Position, stream (a call's is the call's id), topic, and the JSON.
MICROSECONDS = 1_000_000


def stored(position: int, stream: str, topic: str, state: bytes) -> Stored:
    """An event as it lies in the store, read."""
    return position, stream, topic.removeprefix("tringledger:"), json.loads(state)


def facts_of(log: Iterable[Stored], zone: str = "UTC") -> list[Fact]:
    """What the events of a log say of money, in order of position."""
    found: list[Fact] = []
    for position, stream, topic, said in log:
        if topic == "tariff-published":
            found.append(published(position, said["version"], said["text"], zone, said["v"]))
        elif topic in READERS and (fact := READERS[topic](position, stream, said)) and not is_first_half(fact, found):
            found.append(fact)
    return found


def is_first_half(fact: Fact, before: list[Fact]) -> bool:
    """Whether an event reverses the first of the two events of a move, which is no fact of its own."""
    return isinstance(fact, Undone) and all(other.position != fact.of for other in before)


def recorded(position: int, stream: str, said: Said) -> Fact:
    notice = Notice(said["received_at"], tuple((name, value) for name, value in said["params"]))
    tag, src = said["line"]
    return Recorded(Event(position, notice, said["rule"]), stream, (tag, src))


def moved(position: int, stream: str, said: Said) -> Fact | None:
    """The second of the two events of a move, which stands in the call that the notices went to."""
    if said["gone"]:
        return None
    return Moved(position, frozenset(said["positions"]), said["other"], stream, said["v"])


def adjusted(position: int, _stream: str, said: Said) -> Fact:
    if said.get("of"):
        return Undone(position, said["of"], said["v"])
    return Adjusted(position, said["account"], said["amount"], said["period"], said["v"])


READERS: dict[str, Callable[[int, str, Said], Fact | None]] = {
    "call-status-recorded": recorded,
    "cdr-recorded": recorded,
    "month-closed": lambda position, _, said: Closed(position, said["period"]),
    "call-rerated": lambda position, stream, said: Rerated(position, stream, said["tariff"], said["v"]),
    "call-voided": lambda position, stream, said: Voided(position, stream, said["v"]),
    "notices-moved": moved,
    "account-adjusted": adjusted,
    "act-reversed": lambda position, _, said: Undone(position, said["of"], said["v"]),
}


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
