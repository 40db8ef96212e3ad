"""The calls of one line in memory, as far as a transaction knows them: read from the store, or changed by the transaction."""

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from domain.calls.correlation import CallHead
from domain.log.line_call_rows import UNBOUNDED, row_of

BEFORE_ALL = (-UNBOUNDED, 0)

_ordinal = attrgetter("ordinal")


def beginning(head: CallHead) -> tuple[int, int]:
    """Return when a call began, and its ordinal: the order in which the calls of a line began."""
    return head.first_at, head.ordinal


class KnownCalls:
    """The known calls of a line; see LineCalls for what each method does.

    A store adds what it reads. If it adds all calls of the line, no search needs the store again.
    """

    def __init__(self, line: str, heads: Iterable[CallHead] = ()) -> None:
        """Begin with calls that were read from the store."""
        self._line = line
        self._heads: dict[int, CallHead] = {}
        self._changed: set[int] = set()
        self._latest: CallHead | None = None  # Most notices concern it.
        self._latest_beginning = BEFORE_ALL  # As it was: a notice may move the beginning of the call in place.
        for head in heads:
            self.add(head)

    def add(self, head: CallHead) -> None:
        """Add a call that was read from the store, unless it is known, and perhaps changed, already."""
        if head.ordinal not in self._heads:
            self._keep(head)

    def put(self, head: CallHead) -> None:
        """Add or replace a call that the transaction has changed."""
        self._keep(head)
        self._changed.add(head.ordinal)

    def _keep(self, head: CallHead) -> None:
        self._heads[head.ordinal] = head
        began = beginning(head)
        if self._latest and self._latest.ordinal == head.ordinal and began < self._latest_beginning:
            # The call began earlier than was known, perhaps before another one.
            self._latest = max(self._heads.values(), key=beginning)
            self._latest_beginning = beginning(self._latest)
        elif began >= self._latest_beginning:
            self._latest, self._latest_beginning = head, began

    def latest_begun(self, before: int) -> CallHead | None:
        """Return the known call that began last at or before a moment."""
        if self._latest is None or self._latest.first_at <= before:
            return self._latest
        return max((head for head in self._heads.values() if head.first_at <= before), key=beginning, default=None)

    def overlapping(self, start: int, end: int) -> Iterable[CallHead]:
        """Return the known calls whose span touches a time range, lowest ordinal first."""
        found = [head for head in self._heads.values() if head.first_at <= end and head.last_at >= start]
        return sorted(found, key=_ordinal) if len(found) > 1 else found

    def last_ordinal(self) -> int:
        """Return the highest known ordinal, or 0."""
        return max(self._heads, default=0)

    def changed(self) -> list[tuple[Any, ...]]:
        """Return the rows of the calls that changed since the last time this was called."""
        rows = [row_of(self._line, self._heads[ordinal]) for ordinal in self._changed]
        self._changed.clear()
        return rows
