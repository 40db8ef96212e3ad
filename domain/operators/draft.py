"""A draft of an operator's transaction: commands are tried on the ledger as it is, and nothing is written.

What a command would append, and whether the ledger's state allows it, is found out by the code that will do it. No lock is
held, so callbacks never wait for a draft; what comes meanwhile is found by comparing fingerprints (see OperatorSession).
"""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from domain.calls.correlation import CallHead
from domain.events.log_row import POSITION_MAX
from domain.log.contract import Log


class LineOrdinals(Protocol):
    """What corrections need of a line's calls."""

    def last_ordinal(self) -> int:
        """Return the highest ordinal of the line, or 0."""

    def put(self, head: CallHead) -> None:
        """Store what correlation knows of a call."""


class OperatorTransaction(Protocol):
    """What operators' commands need of a transaction on the log: of a real one, or of a draft.

    ``position`` and ``recorded_at`` (microseconds, UTC) are those of the last event.
    """

    position: int
    recorded_at: int

    def calls(self, line: str) -> LineOrdinals:
        """Return the calls of a line."""

    def put_head(self, line: str, head: CallHead) -> None:
        """Store what correlation knows of a call that it knew before, without reading the calls of its line."""

    def last_version(self, stream: UUID) -> int:
        """Return how many events a stream has."""

    def last_versions(self, streams: Sequence[UUID]) -> dict[UUID, int]:
        """Return how many events each of these streams has."""

    def append(self, stream: UUID, version: int, topic: str, state: bytes) -> None:
        """Append an event to a stream, at the next position."""

    def mark_settled(self, entry_id: int, position: int) -> None:
        """Mark a quarantined notice as settled at a position."""

    def set_fact(self, name: str, value: str) -> None:
        """Set one of the ledger's own facts."""

    def get_fact(self, name: str) -> str | None:
        """Return one of the ledger's own facts, or None."""


class DraftTransaction:
    """A transaction that counts what is appended, and writes nothing."""

    def __init__(self, store: Log, position: int, recorded_at: int) -> None:
        """Begin after the event at a position, recorded at a moment (microseconds, UTC); reads go to ``store``."""
        self.position = position
        self.recorded_at = recorded_at
        self._store = store
        self._versions: dict[UUID, int] = {}
        self._lines: dict[str, _DraftLine] = {}

    def calls(self, line: str) -> LineOrdinals:
        """Return the calls of a line, with those of this draft."""
        if line not in self._lines:
            self._lines[line] = _DraftLine(self._store.last_ordinal(line))
        return self._lines[line]

    def last_version(self, stream: UUID) -> int:
        """Return how many events a stream has, with those of this draft."""
        if stream not in self._versions:
            rows = self._store.stream(stream, POSITION_MAX)
            self._versions[stream] = rows[-1].version if rows else 0
        return self._versions[stream]

    def put_head(self, line: str, head: CallHead) -> None:
        """Do nothing: no call and no ordinal is new."""

    def last_versions(self, streams: Sequence[UUID]) -> dict[UUID, int]:
        """Return how many events each of these streams has, with those of this draft."""
        return {stream: self.last_version(stream) for stream in streams}

    def append(self, stream: UUID, version: int, topic: str, state: bytes) -> None:  # noqa: ARG002
        """Count an event."""
        self._versions[stream] = version
        self.position += 1

    def mark_settled(self, entry_id: int, position: int) -> None:
        """Do nothing: the quarantine stays as it is."""

    def set_fact(self, name: str, value: str) -> None:
        """Do nothing: the facts stay as they are."""

    def get_fact(self, name: str) -> str | None:
        """Return one of the ledger's own facts, or None."""
        return self._store.facts().get(name)


class _DraftLine:
    def __init__(self, last: int) -> None:
        self._last = last

    def last_ordinal(self) -> int:
        return self._last

    def put(self, head: CallHead) -> None:
        self._last = max(self._last, head.ordinal)
