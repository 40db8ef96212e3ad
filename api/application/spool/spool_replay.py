"""From a spool into the log: in order, with the time at which each callback was received, and once.

Delivery keys make that safe: what the log has already is a duplicate, which changes nothing.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from api.application.spool.spool_format import PlacedRecord, SpoolRecord
from domain.errors import LedgerError, StoreUnavailable
from domain.ledger import Ledger
from domain.outcomes import Quarantined, RecordOutcome, Rejected
from domain.recording import Delivery

BATCH_MAX = 256

_log = logging.getLogger(__name__)


class RecordSource(Protocol):
    """A spool that is replayed: see SpoolFile for what each method does."""

    def next_batch(self, most: int) -> list[PlacedRecord]:
        """Return the first records that are not in the log yet."""

    def mark_done(self, batch: Sequence[PlacedRecord]) -> None:
        """Note that the first records are in the log."""

    def set_aside(self, records: Sequence[SpoolRecord]) -> Path:
        """Move records that cannot be recorded to a file beside."""


def replay(ledger: Ledger, source: RecordSource, is_stopping: Callable[[], bool] = lambda: False) -> Counter[str]:
    """Record what a spool has, batch after batch, until it is empty; return how many had each outcome.

    The outcomes are ``recorded``, ``duplicate``, ``quarantined`` and ``set aside``: what cannot be recorded, for whatever reason, waits
    in a file of its own, so that it keeps nothing else waiting. Raises StoreUnavailable and SpoolUnusable; then the rest is still in the spool.
    """
    counts: Counter[str] = Counter()
    while not is_stopping() and (batch := source.next_batch(BATCH_MAX)):
        tried = [(placed.record, _tried(ledger, placed.record)) for placed in batch]
        outcomes = iter(_record(ledger, [delivery for _, delivery in tried if delivery]))
        refused = []
        for record, delivery in tried:
            outcome = next(outcomes) if delivery else None
            if outcome is None or isinstance(outcome, Rejected):
                refused.append(record)
            else:
                counts[type(outcome).__name__.lower()] += 1
                _report(outcome)
        if refused:
            path = source.set_aside(refused)
            _log.error("%d spooled callbacks cannot be recorded; they were set aside in %s", len(refused), path)
            counts["set aside"] += len(refused)
        source.mark_done(batch)
    return counts


def _tried(ledger: Ledger, record: SpoolRecord) -> Delivery | None:
    """Return a record as a delivery; None for one that can never have come in that way."""
    try:
        delivery = ledger.verify_earlier_delivery(record.raw, record.received_at)
    except LedgerError:
        return None
    return delivery if delivery.key == record.key else None


def _record(ledger: Ledger, deliveries: list[Delivery]) -> Sequence[RecordOutcome | None]:
    if not deliveries:
        return []
    try:
        return ledger.record(deliveries)
    except StoreUnavailable:
        raise
    except Exception:  # noqa: BLE001 - one that cannot be recorded must not keep the others waiting
        _log.exception("cannot record %d spooled callbacks at once; recording each by itself", len(deliveries))
        return [_record_one(ledger, delivery) for delivery in deliveries]


def _record_one(ledger: Ledger, delivery: Delivery) -> RecordOutcome | None:
    try:
        return ledger.record([delivery])[0]
    except StoreUnavailable:
        raise
    except Exception:  # noqa: BLE001 - it is set aside
        _log.exception("cannot record a spooled callback")
        return None


def _report(outcome: RecordOutcome) -> None:
    """Log what was answered 200 and became no event: it needs somebody's eyes."""
    if isinstance(outcome, Quarantined):
        _log.warning("a spooled callback is now notice %d in quarantine", outcome.entry)


def describe_counts(counts: Counter[str]) -> str:
    """Return counts as one line."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing waits"
