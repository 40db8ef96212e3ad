"""The lines' calls during one transaction on PostgreSQL: fetched for a whole batch, decided about in memory, written once.

Of a line the few calls that began last before its notices are fetched, and of a long line also those that its CDRs may
belong to; a line of 100,000 calls is never read. Where what was fetched cannot answer, the table is asked.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from domain.calls.correlation import CallHead
from domain.log.contract import Lookup
from domain.log.line_call_rows import HEAD, SPANS, UNBOUNDED, head_of, row_of
from domain.log.postgres.schema import SCHEMA

LATEST_MAX = (
    4  # Most lines have no more calls; with more than one, a call that turns out to have begun earlier does no harm.
)

_CALLS = f"{SCHEMA}.line_calls"
_COLUMNS = ", ".join(f"c.{name}" for name in HEAD.split(", "))
LATEST_CALLS = (
    f"SELECT w.line, (SELECT max(o.ordinal) FROM {_CALLS} o WHERE o.line = w.line), {_COLUMNS}"
    " FROM unnest(%b::text[], %b::bigint[]) AS w(line, until)"
    f" LEFT JOIN LATERAL (SELECT * FROM {_CALLS} l WHERE l.line = w.line AND l.first_at <= w.until"
    f" ORDER BY l.first_at DESC, l.ordinal DESC LIMIT {LATEST_MAX}) c ON true"
)
# Short calls are found by when they began, among all; the longer ones have an index of their own.
_UNDER_WAY = " UNION ALL ".join(
    f"SELECT line, {HEAD} FROM {_CALLS} WHERE line = w.line AND span = {span}"
    f" AND first_at BETWEEN w.since - {longest} AND w.until AND last_at >= w.since"
    for span, longest in enumerate((*SPANS, UNBOUNDED))
)
OVERLAPPING_CALLS = (
    f"SELECT c.* FROM unnest(%b::text[], %b::bigint[], %b::bigint[]) AS w(line, since, until)"
    f" CROSS JOIN LATERAL ({_UNDER_WAY}) c"
)
LATEST_BEGUN = (
    f"SELECT {HEAD} FROM {_CALLS} WHERE line = %s AND first_at <= %s AND ordinal <> ALL(%b::bigint[])"
    " ORDER BY first_at DESC, ordinal DESC LIMIT 1"
)
LAST_ORDINAL = f"SELECT coalesce(max(ordinal), 0) FROM {_CALLS} WHERE line = %s"
PUT_CALLS = (
    f"INSERT INTO {_CALLS} SELECT * FROM unnest(%b::text[], %b::bigint[], %b::bigint[], %b::bigint[], %b::text[],"
    " %b::text[], %b::text[], %b::text[], %b::bigint[], %b::smallint[]) ON CONFLICT (line, ordinal) DO UPDATE SET"
    " first_at = excluded.first_at, last_at = excluded.last_at, opening = excluded.opening,"
    " outcomes = excluded.outcomes, cdr = excluded.cdr, cdr_status = excluded.cdr_status, events = excluded.events,"
    " span = excluded.span"
)

Query = Callable[[str, Sequence[Any]], list[Any]]
TimeRange = tuple[int, int]


def _began(head: CallHead) -> tuple[int, int]:
    return head.first_at, head.ordinal


class PrefetchedLine:
    """The calls of one line, as far as they are known: all that began from ``floor`` on, up to the moment ``top``."""

    def __init__(self, line: str, ask: Query) -> None:
        """Know nothing of a line yet; ``ask`` runs a query."""
        self._line = line
        self._ask = ask
        self._known: dict[int, CallHead] = {}
        self._latest: CallHead | None = None  # Of the known ones; most notices concern it.
        self._latest_began = (-UNBOUNDED, 0)
        self._changed: set[int] = set()
        self._last: int | None = None
        self._floor, self._top = (UNBOUNDED, 0), -UNBOUNDED
        self._stretches: list[TimeRange] = []

    def add_latest(self, rows: Sequence[Sequence[Any]], until: int) -> None:
        """Take in the calls that began last before a moment, latest first: LATEST's rows of this line."""
        self._last = rows[0][1] or 0
        heads = [head_of(row[2:]) for row in rows if row[2] is not None]
        for head in heads:
            self.add(head)
        self._floor = _began(heads[-1]) if len(heads) == LATEST_MAX else (-UNBOUNDED, 0)
        self._top = until

    def add(self, head: CallHead) -> None:
        """Take in one call, unless it is known, and perhaps changed."""
        if head.ordinal not in self._known:
            self._keep(head)

    def _keep(self, head: CallHead) -> None:
        self._known[head.ordinal] = head
        began = _began(head)
        if self._latest and self._latest.ordinal == head.ordinal and began < self._latest_began:
            # It began earlier than was known, and so perhaps before another.
            self._latest = max(self._known.values(), key=_began)
            self._latest_began = _began(self._latest)
        elif began >= self._latest_began:
            self._latest, self._latest_began = head, began

    def missing_ranges(self, stretches: list[TimeRange]) -> list[TimeRange]:
        """Return those stretches of time of which calls may be unknown, and rely on their being fetched."""
        if self._floor[0] == -UNBOUNDED:
            return []
        self._stretches = _merged(stretches)
        return self._stretches

    def latest_begun(self, before: int) -> CallHead | None:
        """Return the call that began last at or before a moment."""
        latest = self._latest
        if latest and latest.first_at > before:
            latest = max((head for head in self._known.values() if head.first_at <= before), key=_began, default=None)
        if before <= self._top and (_began(latest) if latest else (-UNBOUNDED, 0)) >= self._floor:
            return latest
        for row in self._ask(LATEST_BEGUN, (self._line, before, list(self._known))):
            head = head_of(row)
            self._keep(head)
            return head if latest is None else max(head, latest, key=_began)
        return latest

    def overlapping(self, start: int, end: int) -> Iterable[CallHead]:
        """Return the calls whose span touches a stretch of time, lowest ordinal first."""
        everything = self._floor[0] == -UNBOUNDED and end <= self._top
        if not everything and not any(since <= start and end <= until for since, until in self._stretches):
            for row in self._ask(OVERLAPPING_CALLS, ([self._line], [start], [end])):
                self.add(head_of(row[1:]))
        found = [head for head in self._known.values() if head.first_at <= end and head.last_at >= start]
        return sorted(found, key=lambda head: head.ordinal)

    def last_ordinal(self) -> int:
        """Return the highest ordinal of the line, or 0."""
        if self._last is None:
            self._last = int(self._ask(LAST_ORDINAL, (self._line,))[0][0])
        return self._last

    def put(self, head: CallHead) -> None:
        """Keep what correlation knows of a call."""
        self._keep(head)
        self._changed.add(head.ordinal)
        self._last = max(self.last_ordinal(), head.ordinal)

    def changed(self) -> list[tuple[Any, ...]]:
        """Return the rows of the calls that have changed."""
        return [row_of(self._line, self._known[ordinal]) for ordinal in self._changed]


def _merged(stretches: list[TimeRange]) -> list[TimeRange]:
    """Return stretches of time that cover the same, those that touch joined."""
    found: list[TimeRange] = []
    for since, until in sorted(stretches):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return found


class PrefetchedLines:
    """The lines that one transaction looks at."""

    def __init__(self, ask: Query) -> None:
        """Take what runs a query."""
        self._ask = ask
        self._lines: dict[str, PrefetchedLine] = {}

    def __getitem__(self, line: str) -> PrefetchedLine:
        """Return a line, of which nothing may be known yet."""
        if line not in self._lines:
            self._lines[line] = PrefetchedLine(line, self._ask)
        return self._lines[line]

    def prefetch(self, lookups: Sequence[Lookup]) -> None:
        """Fetch what deciding about these will ask, for all lines at once."""
        until: dict[str, int] = {}
        for each in lookups:
            if each.line not in self._lines:
                until[each.line] = max(until.get(each.line, each.until), each.until)
        rows: dict[str, list[Any]] = {}
        for row in self._ask(LATEST_CALLS, (list(until), list(until.values()))) if until else ():
            rows.setdefault(row[0], []).append(row)
        for line, found in rows.items():
            self[line].add_latest(found, until[line])
        self._prefetch_stretches([each for each in lookups if each.since is not None and each.line in until])

    def _prefetch_stretches(self, prospects: Sequence[Lookup]) -> None:
        stretches: dict[str, list[TimeRange]] = {}
        for each in prospects:
            stretches.setdefault(each.line, []).append((each.since or 0, each.until))
        lacking = [
            (line, *stretch) for line, found in stretches.items() for stretch in self[line].missing_ranges(found)
        ]
        if lacking:
            for row in self._ask(OVERLAPPING_CALLS, [list(column) for column in zip(*lacking, strict=True)]):
                self[row[0]].add(head_of(row[1:]))

    def changed(self) -> list[tuple[Any, ...]]:
        """Return the rows of the calls that have changed, of all lines."""
        return [row for line in self._lines.values() for row in line.changed()]
