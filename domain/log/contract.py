"""The log of events as the stores keep it: what a store must offer.

Beside the events, in the same transaction, a store keeps the delivery keys, the lines' calls and the quarantine.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol
from uuid import UUID

from eventsourcing.persistence import StoredEvent

from domain.calls.correlation import CallHead, CallIndex
from domain.events.log_row import LogRow
from domain.log.tables import FillTransaction, LogSnapshot


class QuarantineEntry(NamedTuple):
    """A notice that was refused and kept (SPEC 2).

    ``authentic`` tells a broken value from a wrong signature; times are microseconds, UTC; ``times`` counts how often it
    came; ``position`` is that of its event once it was reprocessed, else 0.
    """

    id: int
    delivery_key: bytes
    authentic: bool
    reason: str
    raw: bytes
    received_at: int
    last_received_at: int
    times: int
    source: str
    position: int


class Lookup(NamedTuple):
    """What a decision about a delivery is going to ask the store.

    ``refused``: only the quarantine is asked. Otherwise the ``delivery_key``, and of a call's notice the calls of its
    ``line`` that began no later than ``until`` and, where ``since`` is there, that were under way from then to ``until``
    (microseconds, UTC); of other notices the last version of their ``stream``; and the ``nonce``, where it counts.
    """

    delivery_key: bytes
    refused: bool
    line: str = ""
    since: int | None = None
    until: int = 0
    stream: UUID | None = None
    nonce: str | None = None


class LineCalls(CallIndex, Protocol):
    """The calls of a line within a transaction, which may add to them."""

    def last_ordinal(self) -> int:
        """Return the highest ordinal of the line, or 0."""

    def put(self, head: CallHead) -> None:
        """Keep what correlation knows of a call."""


class LogTransaction(Protocol):
    """One transaction on the log: nobody else writes until it ends, and all of it is kept or nothing."""

    position: int
    recorded_at: int

    def prefetch(self, lookups: Iterable[Lookup]) -> None:
        """Be told what will be asked, so that a store across a network can fetch it for all deliveries at once.

        It changes no answer: what was not foreseen may be asked all the same.
        """

    def claim_delivery_key(self, delivery_key: bytes, position: int) -> int:
        """Take a delivery key for a position; return 0, or the position that took it before."""

    def claim_nonce(self, nonce: str, content: bytes, position: int) -> int:
        """Note that ``r`` was used for a content; return 0, or the first position that used it for another."""

    def calls(self, line: str) -> LineCalls:
        """Return the calls of a line."""

    def last_version(self, stream: UUID) -> int:
        """Return how many events a stream has."""

    def append(self, stored: StoredEvent) -> None:
        """Put an event at the next position."""

    def flush(self) -> None:
        """Hand what was gathered to the store; done at the end of the transaction in any case."""

    def set_fact(self, name: str, value: str) -> None:
        """Write one of the ledger's own facts."""

    def get_fact(self, name: str) -> str | None:
        """Return one of the ledger's own facts."""

    def count_repeat(self, entry: QuarantineEntry) -> int:
        """Count a refused notice that is in quarantine already; return its number, or 0 where it is not there."""

    def quarantine(self, entry: QuarantineEntry) -> int:
        """Keep a refused notice; return its number."""

    def count_unauthentic(self) -> int:
        """Return how many notices with a wrong signature wait in quarantine."""

    def drop_oldest_unauthentic(self, count: int) -> None:
        """Make room by forgetting the oldest notices with a wrong signature."""

    def mark_authentic(self, entry_id: int, reason: str) -> None:
        """Note that a quarantined notice is authentic after all, and what is wrong with it."""

    def mark_settled(self, entry_id: int, position: int) -> None:
        """Mark a quarantined notice as recorded at a position."""


class ExclusiveLock(Protocol):
    """What one process at a time does for a ledger, on whichever host; the others stand by."""

    def acquire(self) -> bool:
        """Take it where nobody has it; whether it is ours, to be asked again before each step.

        Raises StoreUnavailable where that cannot be told; then it is not ours any more.
        """

    def close(self) -> None:
        """Give it up; it may be asked for again. It ends with the process as well, however that ends."""


class Log(Protocol):
    """What a store offers: one writer at a time, readers that never wait.

    ``is_remote``: a question to it may take long, so that nobody should wait for the answer on an event loop.
    """

    is_remote: bool

    def transaction(self) -> AbstractContextManager[LogTransaction]:
        """Begin a transaction that nobody else writes beside, and commit it durably at the end.

        Raises CopyIncomplete where a copy is filling the store.
        """

    def create(self) -> None:
        """Make the tables where they are missing."""

    def checkpoint(self) -> None:
        """Do the store's housekeeping that would else fall to a commit; safe at any time, and for any process."""

    def facts(self) -> dict[str, str]:
        """Return the ledger's own facts; empty where the store has no ledger."""

    def head(self) -> int:
        """Return the position of the last event, or 0."""

    def page(self, after: int, limit: int, until: int) -> list[LogRow]:
        """Return the events after a position and up to another, in order."""

    def stream(self, stream: UUID, until: int) -> list[LogRow]:
        """Return a stream's events up to a position, in order."""

    def events_before_versions(self, pages: Sequence[tuple[str, int]]) -> list[LogRow]:
        """Return, for each stream and version given, the stream's events before that version."""

    def read_by_stream(self, until: int, first: str, last: str, after: int = 0) -> Iterator[LogRow]:
        """Return the events up to a position of the streams from ``first`` to before ``last``, stream by stream.

        Of the stream ``first`` itself only those after a version, so that a reader can go on within a long stream.
        """

    def last_ordinal(self, line: str) -> int:
        """Return the highest ordinal of a line, or 0."""

    def positions(self, delivery_keys: Sequence[bytes]) -> dict[bytes, int]:
        """Return the positions of those delivery keys that the log has."""

    def quarantined_keys(self, delivery_keys: Sequence[bytes]) -> set[bytes]:
        """Return those delivery keys under which the quarantine keeps a notice, settled or not."""

    def count_quarantined(self) -> tuple[int, int]:
        """Return how many notices wait in quarantine: with a wrong signature, and with a broken value."""

    def quarantined(self, *, settled: bool, after: int = 0) -> Iterator[QuarantineEntry]:
        """Return the notices in quarantine, oldest first, those behind a number; the settled ones too if asked."""

    def quarantined_one(self, entry_id: int) -> QuarantineEntry | None:
        """Return one notice of the quarantine."""

    def quarantined_at(self, position: int) -> QuarantineEntry | None:
        """Return the notice of the quarantine that became the event at a position (from 1 on)."""

    def snapshot(self) -> AbstractContextManager[LogSnapshot]:
        """Look at the whole store as it is at this moment."""

    def fill(self) -> AbstractContextManager[FillTransaction]:
        """Begin a transaction of a copy, on a store that its mark keeps from being written otherwise."""

    def lock(self, purpose: str) -> ExclusiveLock:
        """Return what tells the one that does a thing for this ledger from all others; a purpose is a word."""

    def close(self) -> None:
        """Let go of the store."""
