"""The quarantine during one transaction on PostgreSQL: a flood of refused notices must not cost a round trip each.

Entries are prefetched for a whole batch, and changes are queued. The queued statements run in their order at the end, or
before a query that depends on them.
"""

from collections.abc import Callable, Sequence
from typing import Any

from domain.log.contract import Lookup, QuarantineEntry
from domain.log.postgres.schema import SCHEMA
from domain.log.tables import LAST_NUMBER
from domain.notices.signature import SIGNATURE_REUSED

_QUARANTINE = f"{SCHEMA}.quarantine"
FIND_ENTRIES = f"SELECT delivery_key, id, authentic, position FROM {_QUARANTINE} WHERE delivery_key = ANY(%b::bytea[])"
COUNT_UNAUTHENTIC = f"SELECT count(*) FROM {_QUARANTINE} WHERE position = 0 AND NOT authentic"
# A notice that was found authentic once stays authentic, whatever signature comes later.
COUNT_AGAIN = (
    f"UPDATE {_QUARANTINE} SET times = times + 1, last_received_at = greatest(last_received_at, %s),"
    " reason = CASE WHEN %s >= authentic THEN %s ELSE reason END, authentic = authentic OR %s WHERE id = %s"
)
INSERT_ENTRY = f"INSERT INTO {_QUARANTINE} VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
_OPEN = f"FROM {_QUARANTINE} WHERE position = 0 AND NOT authentic"
_REUSED = f"starts_with(reason, '{SIGNATURE_REUSED}')"
# What is no news to anybody goes first: its condition is that of an index.
DROP_OLDEST = (
    f"DELETE FROM {_QUARANTINE} WHERE id IN (SELECT id FROM"
    f" ((SELECT id, 0 AS place {_OPEN} AND {_REUSED} ORDER BY id LIMIT %s)"
    f" UNION ALL (SELECT id, 1 {_OPEN} AND NOT {_REUSED} ORDER BY id LIMIT %s)) AS open ORDER BY place, id LIMIT %s)"
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


class QuarantineTable:
    """See LogTransaction for what each method does."""

    def __init__(self, ask: Query, queue: Queue) -> None:
        """Begin with no entry known; ``ask`` runs a query after all queued statements, ``queue`` queues a statement."""
        self._ask = ask
        self._queue = queue
        self._known: dict[bytes, KnownEntry | None] = {}
        self._unauthentic: int | None = None  # Counted once: a flood of notices must not cost a count each.
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
        if found and not authentic and not position and self._unauthentic is not None:
            self._unauthentic -= 1
        self._known[entry.delivery_key] = (number, authentic or found, position)
        return number

    def keep(self, entry: QuarantineEntry) -> int:
        """Quarantine a notice; return its number."""
        if self._last is None:
            self._last = int(self._ask(LAST_ENTRY_ID, ())[0][0])
        self._last += 1
        self._queue(INSERT_ENTRY, (self._last, *entry[1:]))
        self._known[entry.delivery_key] = (self._last, entry.authentic, entry.position)
        if self._unauthentic is not None:
            self._unauthentic += not entry.authentic
        return self._last

    def count_unauthentic(self) -> int:
        """Return how many notices with a wrong signature are open."""
        if self._unauthentic is None:
            self._unauthentic = int(self._ask(COUNT_UNAUTHENTIC, ())[0][0])
        return self._unauthentic

    def drop_oldest_unauthentic(self, count: int) -> None:
        """Delete the oldest open notices with a wrong signature, to make room."""
        self._unauthentic = max(self.count_unauthentic() - count, 0)
        self._dropped = True
        self._queue(DROP_OLDEST, (count, count, count))

    def mark_authentic(self, entry_id: int, reason: str) -> None:
        """Mark a notice as authentic, with the reason why it is still refused."""
        self._queue(MARK_AUTHENTIC, (reason, entry_id))

    def mark_settled(self, entry_id: int, position: int) -> None:
        """Mark a notice as recorded at a position."""
        self._queue(MARK_SETTLED, (position, entry_id))

    @property
    def last_number(self) -> int | None:
        """The last number used, if this transaction has used one."""
        return self._last
