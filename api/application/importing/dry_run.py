"""A dry run: the outcomes that an import would have, from the ledger and the input so far.

Nothing is written, and a missing ledger is not created. The number of new notices in quarantine can differ from the import
in one case: if the quarantine is full and notices that it dropped come again.
"""

from collections.abc import Mapping, Sequence

from api.application.importing.key_counter import KeyCounter
from domain.events.codec import decode_notice
from domain.ledger import Ledger
from domain.notices.notification import row_claim
from domain.outcomes import Duplicate, Quarantined, Recorded, RecordOutcome, Rejected, RowConflict, quarantine_full
from domain.recording import SIGNATURE_FITTED, Delivery


class DryRun:
    """Gives the outcomes that recording would have; ``ledger`` is None if it does not exist yet."""

    def __init__(self, ledger: Ledger | None, quarantine_max: int, events: KeyCounter, aside: KeyCounter) -> None:
        """Count the keys of would-be events in ``events``, and of would-be quarantined notices in the last argument."""
        self._store = ledger.store if ledger else None
        self._fitted = SIGNATURE_FITTED in self._store.facts() if self._store else False
        self._unauthentic = self._store.count_quarantined()[0] if self._store else 0
        self._quarantine_max = quarantine_max
        self._events = events
        self._aside = aside

    def record(self, deliveries: Sequence[Delivery]) -> list[RecordOutcome]:
        """Return the outcome of each delivery, in the same order."""
        keys = [delivery.key for delivery in deliveries]
        positions = self._store.positions(keys) if self._store else {}
        aside = self._store.quarantined_keys(keys) if self._store else set()
        claims = [_claim(delivery) for delivery in deliveries]
        claimed = self._store.claimed_positions([claim for claim in claims if claim]) if self._store else {}
        return [
            self._conflict(claim, key, claimed, positions)
            or self._answer(delivery, key, positions.get(key, 0), known=key in aside)
            for delivery, key, claim in zip(deliveries, keys, claims, strict=True)
        ]

    def parameters_at(self, position: int) -> dict[str, str]:
        """Return the parameters of the notice at a position of the ledger, which must exist."""
        assert self._store is not None
        return dict(decode_notice(self._store.page(position - 1, 1, position)[0].state).params)

    def _conflict(
        self, claim: str | None, key: bytes, claimed: Mapping[str, int], positions: Mapping[bytes, int]
    ) -> RowConflict | None:
        """Return the conflict of a row whose id is taken, unless it is an event itself; position 0 is this import's."""
        if claim is None or key in positions:
            return None
        if claim in claimed:
            return RowConflict(claimed[claim])
        return RowConflict(0) if self._events.count(claim.encode()) > 1 and not self._events.has(key) else None

    def _answer(self, delivery: Delivery, key: bytes, position: int, *, known: bool) -> RecordOutcome:
        if delivery.verdict is None:
            return self._refused(key, known=known)
        self._fitted |= delivery.verdict.was_checked
        problem = delivery.notification.problem()
        if problem:
            return Quarantined(0, problem, is_new=self._aside.count(key) == 1 and not known)
        return Duplicate(position) if position or self._events.count(key) > 1 else Recorded(0)

    def _refused(self, key: bytes, *, known: bool) -> Quarantined | Rejected:
        is_new = self._aside.count(key) == 1 and not known
        if is_new and self._unauthentic >= self._quarantine_max and not self._fitted:
            return quarantine_full(self._quarantine_max)
        self._unauthentic += is_new
        return Quarantined(0, None, is_new=is_new)


def _claim(delivery: Delivery) -> str | None:
    return row_claim(delivery.source, delivery.voucher.row) if delivery.voucher else None
