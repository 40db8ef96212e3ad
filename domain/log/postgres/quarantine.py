"""The quarantine during one transaction on PostgreSQL: a flood of refused notices must not cost a round trip each.

Entries are prefetched for a whole batch, and changes are queued. The queued statements run in their order at the end, or
before a query that depends on them.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from domain.log.contract import Lookup, QuarantineEntry, QuarantineTotals
from domain.log.postgres.schema import DROPPED_IN_ORDER, SCHEMA
from domain.log.tables import LAST_NUMBER
from domain.notices.signature import SIGNATURE_FITS_ELSEWHERE, SIGNATURE_REUSED

_QUARANTINE = f"{SCHEMA}.quarantine"
FIND_ENTRIES = f"SELECT delivery_key, id, authentic, position FROM {_QUARANTINE} WHERE delivery_key = ANY(%b::bytea[])"
TOTALS = f"SELECT notices, bytes FROM {_QUARANTINE}_totals WHERE NOT authentic"
# A notice that was found authentic once stays authentic, whatever signature comes later.
COUNT_AGAIN = (
    f"UPDATE {_QUARANTINE} SET times = times + 1, last_received_at = greatest(last_received_at, %s),"
    " reason = CASE WHEN %s >= authentic THEN %s ELSE reason END, authentic = authentic OR %s WHERE id = %s"
)
INSERT_ENTRY = f"INSERT INTO {_QUARANTINE} VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
# Each condition is that of an index. One round trip finds what a flood drops in many batches.
FIRST_TO_DROP = " UNION ALL ".join(
    f"(SELECT {place} AS place, id, octet_length(raw) FROM {_QUARANTINE} WHERE {condition} ORDER BY id LIMIT 512)"
    for place, condition in enumerate(DROPPED_IN_ORDER)
)
FIRST_TO_DROP += " ORDER BY place, id LIMIT 512"
DROP = f"DELETE FROM {_QUARANTINE} WHERE id = ANY(%s) AND position = 0 AND NOT authentic"
DROP_SETTLED = (
    f"WITH gone AS (DELETE FROM {_QUARANTINE} WHERE position > 0 AND last_received_at < %s RETURNING id)"
    " SELECT count(*) FROM gone"
)
MARK_AUTHENTIC = f"UPDATE {_QUARANTINE} SET authentic = true, reason = %s WHERE id = %s"
MARK_SETTLED = f"UPDATE {_QUARANTINE} SET position = %s WHERE id = %s"

# A number is never used twice, even if its notice was deleted; a sequence would leave gaps after failures.
LAST_ENTRY_ID = (
    f"SELECT greatest((SELECT max(id) FROM {_QUARANTINE}),"
    f" (SELECT value::bigint FROM {SCHEMA}.ledger WHERE name = '{LAST_NUMBER}'), 0)"
)

Query = Callable[[str, Sequence[Any]], list[Any]]
Queue = Callable[[str, Sequence[Any]], None]
KnownEntry = tuple[int, bool, int]


def _place_of(entry: QuarantineEntry) -> int:
    """Return the place in DROPPED_IN_ORDER of a notice with a wrong signature."""
    if entry.reason.startswith(SIGNATURE_REUSED):
        return 0
    return 2 if entry.reason.startswith(SIGNATURE_FITS_ELSEWHERE) else 1


class QuarantineTable:
    """See LogTransaction for what each method does."""

    def __init__(self, ask: Query, queue: Queue) -> None:
        """Begin with no entry known; ``ask`` runs a query after all queued statements, ``queue`` queues a statement."""
        self._ask = ask
        self._queue = queue
        self._known: dict[bytes, KnownEntry | None] = {}
        self._totals: QuarantineTotals | None = None  # Read once: a flood of notices must not cost a round trip each.
        # Those that go next, of one place in the order: others of that place may come meanwhile, and go before the next place.
        self._first_to_drop: deque[tuple[int, int]] = deque()
        self._place = 0
        self._dropped = False
        self._last: int | None = None

    def prefetch(self, lookups: Sequence[Lookup]) -> None:
        """Fetch the entries with the delivery keys of these."""
        keys = [each.delivery_key for each in lookups if each.delivery_key not in self._known]
        if keys:
            self._known.update(dict.fromkeys(keys))
            self._known.update((key, known) for key, *known in self._ask(FIND_ENTRIES, (keys,)))

    def _find(self, delivery_key: bytes) -> KnownEntry | None:
        known = self._known.get(delivery_key)
        if delivery_key not in self._known or (self._dropped and known and not known[1]):
            rows = self._ask(FIND_ENTRIES, ([delivery_key],))
            known = self._known[delivery_key] = tuple(rows[0][1:]) if rows else None
        return known

    def count_repeat(self, entry: QuarantineEntry) -> int:
        """Count one more delivery of a quarantined notice; return its number, or 0 if it is not in quarantine."""
        known = self._find(entry.delivery_key)
        if known is None:
            return 0
        number, authentic, position = known
        at, found = entry.last_received_at, entry.authentic
        self._queue(COUNT_AGAIN, (at, found, entry.reason, found, number))
        if found and not authentic and not position:
            self._forget_totals()
        self._known[entry.delivery_key] = (number, authentic or found, position)
        return number

    def keep(self, entry: QuarantineEntry) -> int:
        """Quarantine a notice; return its number."""
        if self._last is None:
            self._last = int(self._ask(LAST_ENTRY_ID, ())[0][0])
        self._last += 1
        self._queue(INSERT_ENTRY, (self._last, *entry[1:]))
        self._known[entry.delivery_key] = (self._last, entry.authentic, entry.position)
        if not entry.authentic:
            self._change_totals(1, len(entry.raw))
            if _place_of(entry) < self._place:
                self._first_to_drop.clear()  # It goes before those that were found.
        return self._last

    def unauthentic_totals(self) -> QuarantineTotals:
        """Return the totals of the open notices with a wrong signature."""
        if self._totals is None:
            self._totals = QuarantineTotals(*self._ask(TOTALS, ())[0])
        return self._totals

    def _change_totals(self, notices: int, size: int) -> None:
        if self._totals is not None:
            self._totals = QuarantineTotals(self._totals.notices + notices, self._totals.bytes + size)

    def _forget_totals(self) -> None:
        self._totals = None
        self._first_to_drop.clear()

    def drop_unauthentic(self, notices: int, size: int) -> int:
        """Delete open notices with a wrong signature to make room; return how many."""
        dropped: list[int] = []
        freed = 0
        while len(dropped) < notices or freed < size:
            if not self._first_to_drop:
                self._queue_drop(dropped[:])
                found = self._ask(FIRST_TO_DROP, ())
                if not found:
                    break
                self._place = found[0][0]
                self._first_to_drop.extend(each[1:] for each in found if each[0] == self._place)
            number, length = self._first_to_drop.popleft()
            dropped.append(number)
            freed += length
        self._queue_drop(dropped)
        self._change_totals(-len(dropped), -freed)
        return len(dropped)

    def _queue_drop(self, numbers: list[int]) -> None:
        if numbers:
            self._dropped = True
            self._queue(DROP, (numbers,))

    def drop_settled(self, before: int) -> int:
        """Delete settled notices that were last received before a moment; return how many."""
        dropped = int(self._ask(DROP_SETTLED, (before,))[0][0])
        self._known.clear()  # It may have known some of them.
        return dropped

    def mark_authentic(self, entry_id: int, reason: str) -> None:
        """Mark a notice as authentic, with the reason why it is still refused."""
        self._queue(MARK_AUTHENTIC, (reason, entry_id))
        self._forget_totals()

    def mark_settled(self, entry_id: int, position: int) -> None:
        """Mark a notice as recorded at a position."""
        self._queue(MARK_SETTLED, (position, entry_id))
        self._forget_totals()

    @property
    def last_number(self) -> int | None:
        """The last number used, if this transaction has used one."""
        return self._last
