"""What the live page shows: the calls that changed last, as of one position of the log.

A window holds a limited number of calls in progress and ended, however many there are: a reader sees no more, and the
service must not work for more. Two windows differ by the calls that changed between them.
"""

from collections.abc import Iterable

import msgspec

from domain import times
from domain.calls.call import IN_PROGRESS

ROWS_MAX = 50


class LiveCall(msgspec.Struct, frozen=True):
    """A call on the live page; times are microseconds, UTC.

    ``at`` is the position of its last event, ``last`` its label and ``event_at`` its own time: when the notice was received, or
    when the operator acted. ``last_at`` is when the call was last heard of.
    """

    id: str
    state: str
    disposition: str
    tag: str
    src: str
    opened_at: int
    ended_at: int | None
    last_at: int
    last: str
    at: int
    flags: str
    event_at: int

    @property
    def is_live(self) -> bool:
        """Whether the call is in progress."""
        return self.state == IN_PROGRESS

    @property
    def key(self) -> str:
        """The sort key within calls of one kind, highest first: when they began, or ended."""
        return self.since if self.is_live else self.until

    @property
    def since(self) -> str:
        """When the call began, as ISO 8601."""
        return times.iso(self.opened_at)

    @property
    def until(self) -> str:
        """When the call ended, as ISO 8601, or an empty text."""
        return "" if self.ended_at is None else times.iso(self.ended_at)

    def seconds(self, now: int) -> int:
        """Return how long the call has lasted at a moment (microseconds, UTC)."""
        return max((now if self.ended_at is None else self.ended_at) - self.opened_at, 0) // times.SECOND


class LiveCounts(msgspec.Struct, frozen=True):
    """The numbers on the tiles; ``ended`` counts the CDRs that were received in the last hour, at most 10,000."""

    live: int = 0
    ended: int = 0
    stale: int = 0
    missing_cdr: int = 0


class LiveWindow(msgspec.Struct, frozen=True):
    """The calls shown at a position, latest change first; calls that changed before ``floor`` may be missing."""

    position: int
    floor: int
    rows: tuple[LiveCall, ...]
    counts: LiveCounts

    @property
    def live(self) -> list[LiveCall]:
        """The calls in progress, latest begun first."""
        return sorted((row for row in self.rows if row.is_live), key=lambda row: row.key, reverse=True)

    @property
    def ended(self) -> list[LiveCall]:
        """The calls that ended, latest ended first."""
        return sorted((row for row in self.rows if not row.is_live), key=lambda row: row.key, reverse=True)

    def since(self, position: int) -> tuple[LiveCall, ...]:
        """Return the calls that changed after a position."""
        return tuple(row for row in self.rows if row.at > position)

    def covers(self, position: int) -> bool:
        """Whether everything that changed after a position is in this window."""
        return self.floor <= position <= self.position


def trim(rows: Iterable[LiveCall]) -> tuple[LiveCall, ...]:
    """Return the rows that a window has room for: the calls in progress that changed last, and those that ended last.

    A call that was imported or corrected just now has not just ended.
    """
    everything = [*rows]
    live = sorted((row for row in everything if row.is_live), key=lambda row: -row.at)
    ended = sorted((row for row in everything if not row.is_live), key=lambda row: (row.until, row.at), reverse=True)
    return (*live[:ROWS_MAX], *ended[:ROWS_MAX])
