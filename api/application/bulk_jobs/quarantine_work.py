"""Bulk work on the quarantine: trying all notices that fit again, or settling them."""

from api.application import quarantine
from api.application.bulk_jobs.bulk_job import RESOLVE_QUARANTINE, BulkOrder, BulkStep
from api.application.bulk_jobs.bulk_work import ITEMS_AT_ONCE, CommitStep, StepCounts
from api.application.quarantine_filters import QuarantineFilter, fitting_notices, read_quarantine_filter
from domain.errors import CommandRejected
from domain.ledger import REPROCESS, Ledger
from domain.log.contract import QuarantineEntry
from domain.outcomes import Duplicate, Recorded

LOOKED_AT_ONCE = 5_000
RESOLVED = "resolved"
SETTLED_MEANWHILE = "settled meanwhile"


class QuarantineWork:
    """Tries the notices that fit an order again, or settles them, the oldest first; see BulkWork."""

    def __init__(self, ledger: Ledger, order: BulkOrder) -> None:
        """Read the order's filters; raises SelectionError."""
        self._ledger = ledger
        self._order = order
        self._filter: QuarantineFilter = read_quarantine_filter(order.wanted, ledger.timezone, order.at)

    def count(self) -> int:
        """Return how many waiting notices fit."""
        return sum(entry.id <= self._order.until for entry in fitting_notices(self._ledger.store, self._filter))

    def last_item(self) -> int:
        """Return the number of the newest notice; 0 if there is none."""
        newest = next(self._ledger.store.newest_quarantined(settled=True), None)
        return newest.id if newest else 0

    def step(self, cursor: str, commit: CommitStep) -> BulkStep:
        """Do the next notices: a cursor is the number of the last one that was looked at."""
        entries, after, is_last = self._next(int(cursor or 0))
        counts = StepCounts()
        if self._order.kind == RESOLVE_QUARANTINE:
            with self._ledger.operator_session(self._order.by, self._order.reason) as session:
                for entry in entries:
                    try:
                        session.resolve_quarantined(entry.id)
                        counts.outcomes[RESOLVED] += 1
                    except CommandRejected:
                        counts.refused[SETTLED_MEANWHILE] += 1
                step = counts.step(str(after), is_last=is_last)
                commit(session.facts, step)
            return step
        # What takes long is done before the transaction.
        verified = [(each, self._ledger.verify_delivery(each.raw, each.received_at, REPROCESS)) for each in entries]
        with self._ledger.recording() as recording:
            for entry, delivery in verified:
                present = self._ledger.store.quarantined_one(entry.id)
                if present is None or present.position:
                    counts.refused[SETTLED_MEANWHILE] += 1
                    continue
                outcome = recording.reprocess(entry.id, delivery)
                if isinstance(outcome, Recorded | Duplicate):
                    name = quarantine.RECORDED if isinstance(outcome, Recorded) else quarantine.DUPLICATE
                    counts.outcomes[name] += 1
                else:
                    is_authentic = delivery.verdict is not None and not outcome.before
                    refused = entry._replace(authentic=is_authentic, reason=outcome.reason)
                    counts.refused[quarantine.reason_name(refused)] += 1
            step = counts.step(str(after), is_last=is_last)
            commit(recording.facts, step)
        return step

    def _next(self, after: int) -> tuple[list[QuarantineEntry], int, bool]:
        """Return the next notices that fit, the number of the last one that was looked at, and whether none is left."""
        found: list[QuarantineEntry] = []
        for looked_at, entry in enumerate(self._ledger.store.quarantined(settled=False, after=after)):
            if entry.id > self._order.until:
                break
            if len(found) == ITEMS_AT_ONCE or looked_at == LOOKED_AT_ONCE:
                return found, after, False
            after = entry.id
            if self._filter.fits(entry):
                found.append(entry)
        return found, after, True
