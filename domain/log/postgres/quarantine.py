"""The quarantine during one transaction on PostgreSQL: a flood of refused notices must not hold the lock for a round trip each.

What is known beforehand is fetched for a whole batch, and what changes is queued; the statements run in their order
at the end, or before a question that depends on them.
"""

from collections.abc import Callable, Sequence
from typing import Any

from domain.log.contract import Lookup, QuarantineEntry
from domain.log.postgres.schema import SCHEMA
from domain.log.tables import LAST_NUMBER

_QUARANTINE = f"{SCHEMA}.quarantine"
FIND_ENTRIES = f"SELECT delivery_key, id, authentic, position FROM {_QUARANTINE} WHERE delivery_key = ANY(%b::bytea[])"
COUNT_UNAUTHENTIC = f"SELECT count(*) FROM {_QUARANTINE} WHERE position = 0 AND NOT authentic"
# A wrong signature never hides that the notice was once found authentic.
COUNT_AGAIN = (
    f"UPDATE {_QUARANTINE} SET times = times + 1, last_received_at = greatest(last_received_at, %s),"
    " reason = CASE WHEN %s >= authentic THEN %s ELSE reason END, authentic = authentic OR %s WHERE id = %s"
)
INSERT_ENTRY = f"INSERT INTO {_QUARANTINE} VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
DROP_OLDEST = (
    f"DELETE FROM {_QUARANTINE} WHERE id IN (SELECT id FROM {_QUARANTINE} WHERE position = 0 AND NOT authentic"
    " ORDER BY id LIMIT %s)"
)
MARK_AUTHENTIC = f"UPDATE {_QUARANTINE} SET authentic = true, reason = %s WHERE id = %s"
MARK_SETTLED = f"UPDATE {_QUARANTINE} SET position = %s WHERE id = %s"

# A number is never given twice, even where its notice is gone; a sequence would leave gaps behind what fails.
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
        """Take what runs a query once all that is queued has run, and what queues a statement."""
        self._ask = ask
        self._queue = queue
        self._known: dict[bytes, KnownEntry | None] = {}
        self._unauthentic: int | None = None  # Counted once: a flood of them must not count again for each.
        self._dropped = False
        self._last: int | None = None

    def prefetch(self, lookups: Sequence[Lookup]) -> None:
        """Fetch what the quarantine has of these."""
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
        """Count a refused notice that is in quarantine already; return its number, or 0 where it is not there."""
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
        """Keep a refused notice; return its number."""
        if self._last is None:
            self._last = int(self._ask(LAST_ENTRY_ID, ())[0][0])
        self._last += 1
        self._queue(INSERT_ENTRY, (self._last, *entry[1:]))
        self._known[entry.delivery_key] = (self._last, entry.authentic, entry.position)
        if self._unauthentic is not None:
            self._unauthentic += not entry.authentic
        return self._last

    def count_unauthentic(self) -> int:
        """Return how many notices with a wrong signature wait."""
        if self._unauthentic is None:
            self._unauthentic = int(self._ask(COUNT_UNAUTHENTIC, ())[0][0])
        return self._unauthentic

    def drop_oldest_unauthentic(self, count: int) -> None:
        """Make room by forgetting the oldest notices with a wrong signature."""
        self._unauthentic = max(self.count_unauthentic() - count, 0)
        self._dropped = True
        self._queue(DROP_OLDEST, (count,))

    def mark_authentic(self, entry_id: int, reason: str) -> None:
        """Note that a notice is authentic after all, and what is wrong with it."""
        self._queue(MARK_AUTHENTIC, (reason, entry_id))

    def mark_settled(self, entry_id: int, position: int) -> None:
        """Mark a notice as recorded at a position."""
        self._queue(MARK_SETTLED, (position, entry_id))

    @property
    def last_number(self) -> int | None:
        """The number that was given last, if one was given in this transaction."""
        return self._last
