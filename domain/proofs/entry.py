"""The entry of an event: the bytes whose hash is the event's leaf in the tree.

An entry binds an event's position, stream, version, topic and content. It holds a digest of the content, not the content:
so entries can be published without personal data, and stay short whatever an event holds. Any language can make one, a
shell with `printf | sha256sum` among them. Stored bytes never change, so an event's entry never changes either.
"""

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from domain.proofs.refusals import ProofRefused

HEADER = "tringledger-event/1"
# Position, stream, version, topic and stored state of an event: a LogRow is one.
EventFields = tuple[int, str, int, str, bytes]
# Topics match this where they are registered, so that no topic can break an entry's lines.
TOPIC = re.compile(r"[a-z0-9:-]+")
_NUMBER = "[1-9][0-9]{0,18}"
_ENTRY = re.compile(
    rf"{HEADER}\n({_NUMBER})\n([0-9a-f]{{32}})\n({_NUMBER})\n({TOPIC.pattern})\n([0-9a-f]{{64}})\n", re.ASCII
)


class EventEntry(NamedTuple):
    """What an entry says of its event; ``digest`` is the SHA-256 of the stored state, in hex."""

    position: int
    stream: str
    version: int
    topic: str
    digest: str


def encode_entry(position: int, stream: str, version: int, topic: str, state: bytes) -> bytes:
    """Return the entry of an event: six lines of UTF-8; ``state`` is hashed as it is stored, never serialised again."""
    return f"{HEADER}\n{position}\n{stream}\n{version}\n{topic}\n{sha256(state).hexdigest()}\n".encode()


def parse_entry(entry: bytes) -> EventEntry:
    """Read an entry; raises ProofRefused for anything that `encode_entry` cannot have made."""
    read = _ENTRY.fullmatch(entry.decode("utf-8", "replace"))
    if not read:
        msg = f"an entry does not have the six lines of one: got {entry[:200]!r}; expected {HEADER!r} and five values"
        raise ProofRefused(msg)
    position, stream, version, topic, digest = read.groups()
    return EventEntry(int(position), stream, int(version), topic, digest)


def hash_leaf(entry: bytes) -> bytes:
    """Return the leaf hash of an entry (RFC 6962, 2.1)."""
    return sha256(b"\0" + entry).digest()


def hash_events(events: Iterable[EventFields]) -> list[bytes]:
    """Return the leaf hashes of events, in their order.

    The same as `hash_leaf(encode_entry(*event))` of each. Every event of a ledger passes here, so it is one loop.
    """
    return [
        sha256(f"\0{HEADER}\n{position}\n{stream}\n{version}\n{topic}\n{sha256(state).hexdigest()}\n".encode()).digest()
        for position, stream, version, topic, state in events
    ]


def name_differences(got: EventEntry, expected: EventEntry) -> str:
    """Say in which values two entries differ; empty where they are equal."""
    pairs = zip(EventEntry._fields, got, expected, strict=True)
    return ", ".join(f"{name}: got {mine}; expected {theirs}" for name, mine, theirs in pairs if mine != theirs)
