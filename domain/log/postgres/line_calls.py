"""The calls of lines during one transaction on PostgreSQL: prefetched for a whole batch, changed in memory, written once.

Of each line the few calls that began last before its notices are fetched, and of a long line also those that its CDRs may
belong to. A line of 100,000 calls is never read whole. A search that these cannot answer asks the table.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from domain.calls.correlation import CallHead
from domain.log.contract import Lookup
from domain.log.known_calls import BEFORE_ALL, KnownCalls, beginning
from domain.log.line_call_rows import HEAD, SPANS, UNBOUNDED, head_of
from domain.log.postgres.schema import SCHEMA

# Most lines have no more calls. It must be over 1: a call may turn out to have begun earlier than another one.
LATEST_MAX = 4
NOTHING_KNOWN = (UNBOUNDED, 0)

_CALLS = f"{SCHEMA}.line_calls"
_COLUMNS = ", ".join(f"c.{name}" for name in HEAD.split(", "))
LATEST_CALLS = (
    f"SELECT w.line, (SELECT max(o.ordinal) FROM {_CALLS} o WHERE o.line = w.line), {_COLUMNS}"
    " FROM unnest(%b::text[], %b::bigint[]) AS w(line, until)"
    f" LEFT JOIN LATERAL (SELECT * FROM {_CALLS} l WHERE l.line = w.line AND l.first_at <= w.until"
    f" ORDER BY l.first_at DESC, l.ordinal DESC LIMIT {LATEST_MAX}) c ON true"
)
# Short calls are found by their beginning, among all calls; the longer ones have an index of their own.
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


class PrefetchedLine(KnownCalls):
    """The calls of one line, prefetched in part; a search that what is known cannot answer asks the table.

    Known are all calls that began from ``_floor`` on, up to the moment ``_top``, and all that overlap ``_ranges``.
    """

    def __init__(self, line: str, ask: Query) -> None:
        """Begin with no call known; ``ask`` runs a query."""
        super().__init__(line)
        self._ask = ask
        self._last: int | None = None
        self._floor, self._top = NOTHING_KNOWN, -UNBOUNDED
        self._ranges: list[TimeRange] = []

    @property
    def _knows_all(self) -> bool:
        """Whether all calls up to ``_top`` are known."""
        return self._floor == BEFORE_ALL

    def add_latest(self, rows: Sequence[Sequence[Any]], until: int) -> None:
        """Add the calls that began last at or before a moment, latest first: the rows of LATEST_CALLS for this line."""
        self._last = rows[0][1] or 0
        heads = [head_of(row[2:]) for row in rows if row[2] is not None]
        for head in heads:
            self.add(head)
        self._floor = beginning(heads[-1]) if len(heads) == LATEST_MAX else BEFORE_ALL
        self._top = until

    def missing_ranges(self, ranges: list[TimeRange]) -> list[TimeRange]:
        """Return the time ranges that may have unknown calls, joined; the caller must fetch and add those calls."""
        if self._knows_all:
            return []
        self._ranges = _joined(ranges)
        return self._ranges

    def latest_begun(self, before: int) -> CallHead | None:
        """Return the call that began last at or before a moment."""
        latest = super().latest_begun(before)
        if before <= self._top and (beginning(latest) if latest else BEFORE_ALL) >= self._floor:
            return latest
        for row in self._ask(LATEST_BEGUN, (self._line, before, list(self._heads))):
            head = head_of(row)
            self.add(head)
            return head if latest is None else max(head, latest, key=beginning)
        return latest

    def overlapping(self, start: int, end: int) -> Iterable[CallHead]:
        """Return the calls whose span touches a time range, lowest ordinal first."""
        knows_them = self._knows_all and end <= self._top
        if not knows_them and not any(since <= start and end <= until for since, until in self._ranges):
            for row in self._ask(OVERLAPPING_CALLS, ([self._line], [start], [end])):
                self.add(head_of(row[1:]))
        return super().overlapping(start, end)

    def last_ordinal(self) -> int:
        """Return the highest ordinal of the line, or 0."""
        if self._last is None:
            in_table = int(self._ask(LAST_ORDINAL, (self._line,))[0][0])
            self._last = max(in_table, *self._heads) if self._heads else in_table
        return self._last

    def put(self, head: CallHead) -> None:
        """Add or replace a call that the transaction has changed."""
        super().put(head)
        if self._last is not None:
            self._last = max(self._last, head.ordinal)


def _joined(ranges: list[TimeRange]) -> list[TimeRange]:
    """Return time ranges that cover the same time, with those that touch joined."""
    joined: list[TimeRange] = []
    for since, until in sorted(ranges):
        if joined and since <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], until))
        else:
            joined.append((since, until))
    return joined


class PrefetchedLines:
    """The lines that one transaction reads."""

    def __init__(self, ask: Query) -> None:
        """Begin with no line known; ``ask`` runs a query."""
        self._ask = ask
        self._lines: dict[str, PrefetchedLine] = {}

    def for_line(self, line: str) -> PrefetchedLine:
        """Return the calls of a line, perhaps with none known yet."""
        if line not in self._lines:
            self._lines[line] = PrefetchedLine(line, self._ask)
        return self._lines[line]

    def prefetch(self, lookups: Sequence[Lookup]) -> None:
        """Fetch what the decisions about these deliveries will read, for all lines at once."""
        until: dict[str, int] = {}
        for lookup in lookups:
            if lookup.line not in self._lines:
                until[lookup.line] = max(until.get(lookup.line, lookup.until), lookup.until)
        rows: dict[str, list[Any]] = {}
        for row in self._ask(LATEST_CALLS, (list(until), list(until.values()))) if until else ():
            rows.setdefault(row[0], []).append(row)
        for line, latest in rows.items():
            self.for_line(line).add_latest(latest, until[line])
        self._prefetch_ranges([lookup for lookup in lookups if lookup.since is not None and lookup.line in until])

    def _prefetch_ranges(self, lookups: Sequence[Lookup]) -> None:
        ranges: dict[str, list[TimeRange]] = {}
        for lookup in lookups:
            ranges.setdefault(lookup.line, []).append((lookup.since or 0, lookup.until))
        missing = [
            (line, *time_range)
            for line, wanted in ranges.items()
            for time_range in self.for_line(line).missing_ranges(wanted)
        ]
        if missing:
            for row in self._ask(OVERLAPPING_CALLS, [list(column) for column in zip(*missing, strict=True)]):
                self.for_line(row[0]).add(head_of(row[1:]))

    def changed(self) -> list[tuple[Any, ...]]:
        """Return the rows of the calls that changed, of all lines."""
        return [row for line in self._lines.values() for row in line.changed()]
