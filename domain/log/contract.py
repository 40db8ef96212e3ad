"""The contract of a log: what every store offers.

Apart from the events, and in the same transaction, a store keeps the delivery keys, the calls of lines and the quarantine.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol
from uuid import UUID

from domain.calls.correlation import CallHead, CallIndex
from domain.events.log_row import LogRow
from domain.log.tables import FillTransaction, LogSnapshot


class QuarantineEntry(NamedTuple):
    """A quarantined notice (SPEC 2).

    ``authentic`` is true for a broken value and false for a wrong signature. Times are microseconds, UTC. ``times`` is how
    often the notice was received. ``position`` is that of its event once it was reprocessed, else 0.
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


class QuarantineTotals(NamedTuple):
    """How many notices of one kind are open in quarantine, and how many bytes they have."""

    notices: int
    bytes: int


class StreamExtents(NamedTuple):
    """How far apart the events of streams are: within ``near`` positions, but for those streams that are far.

    ``far`` has the position of the first event of each of these, in order; ``events`` counts the events of all streams.
    """

    near: int
    far: list[int]
    events: int


class Lookup(NamedTuple):
    """What the decision about one delivery will read from the store.

    A ``refused`` delivery reads the quarantine alone. Any other reads its ``delivery_key`` and, where they count, its
    ``nonce`` and its ``claim``. A call's notice also reads the calls of its ``line`` that began at or before ``until`` and, if ``since`` is
    set, those under way between the two (microseconds, UTC). Other notices read the last version of their ``stream``.
    """

    delivery_key: bytes
    refused: bool
    line: str = ""
    since: int | None = None
    until: int = 0
    stream: UUID | None = None
    nonce: str | None = None
    claim: str | None = None


class LineCalls(CallIndex, Protocol):
    """The calls of a line within a transaction, with what the transaction has changed."""

    def last_ordinal(self) -> int:
        """Return the highest ordinal of the line, or 0."""

    def put(self, head: CallHead) -> None:
        """Store what correlation knows of a call, new or changed."""


class LedgerFacts(Protocol):
    """The ledger's own facts within a transaction: they are kept if, and only if, all else of it is."""

    def set_fact(self, name: str, value: str) -> None:
        """Set one of the ledger's own facts."""

    def get_fact(self, name: str) -> str | None:
        """Return one of the ledger's own facts, or None."""


class LogTransaction(LedgerFacts, Protocol):
    """One transaction on the log: it alone writes until it ends, and it is committed whole or not at all.

    ``position`` and ``recorded_at`` (microseconds, UTC) are those of the last event; both are 0 in an empty log.
    """

    position: int
    recorded_at: int

    def prefetch(self, lookups: Iterable[Lookup]) -> None:
        """Fetch what decisions will read, for all deliveries at once, so that a remote store needs few round trips.

        This changes no result: anything that was not prefetched is read when it is needed.
        """

    def claim_ahead(self, delivery_keys: Sequence[bytes], claims: Sequence[str | None]) -> None:
        """Claim the delivery keys and the signatures of deliveries that are about to be appended, in this order.

        This changes no result: it makes the claims that follow cheaper where all are new, and does nothing else.
        """

    def claim_delivery_key(self, delivery_key: bytes, position: int) -> int:
        """Claim a delivery key for a position; return 0, or the position that has it already."""

    def release_delivery_key(self, delivery_key: bytes) -> None:
        """Take back the claim of a delivery key that this transaction has just claimed."""

    def claim_signature(self, signature: str, position: int) -> int:
        """Claim a signature (in lower case), or what a row has in its place, for a position.

        Returns 0, or the position that claimed it before.
        """

    def claim_nonce(self, nonce: str, content: bytes, position: int) -> int:
        """Record that ``r`` was used for a content; return 0, or the first position that used it for another content."""

    def calls(self, line: str) -> LineCalls:
        """Return the calls of a line."""

    def put_head(self, line: str, head: CallHead) -> None:
        """Store what correlation knows of a call that it knew before, without reading the calls of its line."""

    def last_version(self, stream: UUID) -> int:
        """Return how many events a stream has."""

    def last_versions(self, streams: Sequence[UUID]) -> dict[UUID, int]:
        """Return how many events each of these streams has."""

    def append(self, stream: UUID, version: int, topic: str, state: bytes) -> None:
        """Append an event to a stream, at the next position; ``state`` is the event as it is stored."""

    def flush(self) -> None:
        """Write what was gathered so far; the end of the transaction does so in any case."""

    def count_repeat(self, entry: QuarantineEntry) -> int:
        """Count one more delivery of a quarantined notice; return its number, or 0 if it is not in quarantine."""

    def quarantine(self, entry: QuarantineEntry) -> int:
        """Quarantine a notice; return its number."""

    def unauthentic_totals(self) -> QuarantineTotals:
        """Return the totals of the open notices with a wrong signature. They are kept, not counted."""

    def drop_unauthentic(self, notices: int, size: int) -> int:
        """Delete open notices with a wrong signature to make room: at least so many, of so many bytes; return how many.

        First go those whose signature was used before, last those whose signature fits a retired key or another formula, the
        oldest first (SPEC 9.3, 9.5).
        """

    def drop_settled(self, before: int) -> int:
        """Delete settled notices that were last received before a moment (microseconds, UTC); return how many."""

    def mark_authentic(self, entry_id: int, reason: str) -> None:
        """Mark a quarantined notice as authentic, with the reason why it is still refused."""

    def mark_settled(self, entry_id: int, position: int) -> None:
        """Mark a quarantined notice as recorded at a position."""


class ExclusiveLock(Protocol):
    """A lock on one kind of work for a ledger: one process holds it, on any host, and the others stand by."""

    def acquire(self) -> bool:
        """Acquire the lock if it is free; return whether this process holds it. Ask again before each step.

        Raises StoreUnavailable if that cannot be found out; the lock then counts as lost.
        """

    def close(self) -> None:
        """Release the lock; it can be acquired again. It is released as well when the process ends, in whatever way."""


class Log(Protocol):
    """What a store offers: one writer at a time, and readers that never wait.

    ``is_remote`` is true for a store across a network: its calls may take long and must not block an event loop.
    ``schema`` is the number of the log schema that this version writes; a ledger with another number is not opened.
    """

    is_remote: bool
    schema: int

    def transaction(self) -> AbstractContextManager[LogTransaction]:
        """Open a transaction that excludes all other writers; at the end it is committed durably.

        Raises CopyIncomplete while a copy is filling the store.
        """

    def create(self) -> None:
        """Create the tables that are missing."""

    def find_damage(self) -> list[str]:
        """Read the whole log and return what the database finds damaged in it: nothing where all is in order."""

    def durability_problem(self) -> str:
        """Return, as a sentence, why a power cut could take committed events; nothing where the database promises to sync them."""

    def reserve_writer(self) -> None:
        """Keep what a writer needs ready, so that readers never take it: a connection on a server, nothing in a file."""

    def keep_few_pages(self) -> None:
        """Keep few pages of the store in memory from now on: for a process that reads the log from end to end.

        What it has read it never reads again, and what it kept would grow with the log.
        """

    def checkpoint(self) -> None:
        """Do the store's housekeeping, which a commit would otherwise have to do; safe at any time, in any process."""

    def facts(self) -> dict[str, str]:
        """Return the ledger's own facts; none if the store has no ledger."""

    def head(self) -> int:
        """Return the position of the last event, or 0."""

    def page(self, after: int, limit: int, until: int) -> list[LogRow]:
        """Return the events after a position and up to another, in order."""

    def stream(self, stream: UUID, until: int) -> list[LogRow]:
        """Return a stream's events up to a position, in order."""

    def events_before_versions(self, pages: Sequence[tuple[str, int]]) -> list[LogRow]:
        """Return, for each stream and version, the stream's events before that version."""

    def read_by_stream(self, until: int, first: str, last: str, after: int = 0) -> Iterator[LogRow]:
        """Return the events up to a position, stream by stream, from the stream ``first`` to before the stream ``last``.

        Of the stream ``first`` only the events after the version ``after``, so that a reader can resume in a long stream.
        """

    def find_stream_extents(self, until: int, near_max: int, far_max: int) -> StreamExtents | None:
        """Return how far apart the events up to a position are in their streams.

        A stream is far where its first event is not version 1, or its events are not near each other: within ``near_max``
        positions, or fewer where that is enough for nearly all streams. None where more than
        ``far_max`` streams are far, or a store would have to read all events for it.
        """

    def last_ordinal(self, line: str) -> int:
        """Return the highest ordinal of a line, or 0."""

    def positions(self, delivery_keys: Sequence[bytes]) -> dict[bytes, int]:
        """Return the positions of those delivery keys that are in the log."""

    def claimed_positions(self, claims: Sequence[str]) -> dict[str, int]:
        """Return the positions of those signatures and rows that were claimed."""

    def quarantined_keys(self, delivery_keys: Sequence[bytes]) -> set[bytes]:
        """Return those delivery keys that are in quarantine, settled or open."""

    def count_quarantined(self) -> tuple[int, int]:
        """Return how many notices are open in quarantine: with a wrong signature, and with a broken value."""

    def oldest_quarantined_at(self) -> int | None:
        """Return when the oldest notice came that is open in quarantine (microseconds, UTC), or None."""

    def quarantined(self, *, settled: bool, after: int = 0) -> Iterator[QuarantineEntry]:
        """Return the quarantined notices after a number, oldest first; with ``settled`` also the settled ones."""

    def newest_quarantined(self, *, settled: bool, before: int = 0) -> Iterator[QuarantineEntry]:
        """Return the quarantined notices before a number (0: all), newest first; with ``settled`` also the settled ones."""

    def quarantined_one(self, entry_id: int) -> QuarantineEntry | None:
        """Return a quarantined notice by its number, or None."""

    def quarantined_at(self, position: int) -> QuarantineEntry | None:
        """Return the quarantined notice that became the event at a position (from 1), or None."""

    def snapshot(self) -> AbstractContextManager[LogSnapshot]:
        """Open a snapshot of the whole store."""

    def fill(self) -> AbstractContextManager[FillTransaction]:
        """Open a copy's transaction, on a store whose mark keeps all other writers out."""

    def lock(self, purpose: str) -> ExclusiveLock:
        """Return the lock for one kind of work on this ledger; ``purpose`` names the work in one word."""

    def close(self) -> None:
        """Close the store's connections."""
