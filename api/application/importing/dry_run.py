"""A dry run: the outcomes that an import would have, from the ledger and the input so far.

Nothing is written, and a missing ledger is not created. The number of new notices in quarantine can differ from the import
in one case: if the quarantine is full and TringMe sends dropped notices again.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from api.application.importing.key_counter import KeyCounter
from domain.events.codec import decode_notice
from domain.ledger import Ledger
from domain.outcomes import Duplicate, Quarantined, Recorded, RecordOutcome, Rejected, RowConflict, quarantine_full
from domain.recording import SIGNATURE_FITTED, Delivery, claim_of


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
        claims = [claim_of(delivery, dict(delivery.notification.pairs)) for delivery in deliveries]
        kept = self._look_up(keys, [claim for claim in claims if claim])
        return [
            self._foretell(delivery, key, claim, kept)
            for delivery, key, claim in zip(deliveries, keys, claims, strict=True)
        ]

    def _look_up(self, keys: list[bytes], claims: list[str]) -> "_Kept":
        if self._store is None:
            return _Kept({}, {}, set())
        store = self._store
        return _Kept(store.positions(keys), store.claimed_positions(claims), store.quarantined_keys(keys))

    def parameters_at(self, position: int) -> dict[str, str]:
        """Return the parameters of the notice at a position of the ledger, which must exist."""
        assert self._store is not None
        return dict(decode_notice(self._store.page(position - 1, 1, position)[0].state).params)

    def _foretell(self, delivery: Delivery, key: bytes, claim: str | None, kept: "_Kept") -> RecordOutcome:
        known = key in kept.aside
        if delivery.verdict is None:
            return self._refused(key, known=known)
        self._fitted |= delivery.verdict.was_checked
        problem = delivery.notification.problem()
        if problem:
            return Quarantined(0, problem, is_new=self._aside.count(key) == 1 and not known)
        if key in kept.positions or self._events.has(key):
            return Duplicate(kept.positions.get(key, 0))
        # Position 0 is that of an event which this import itself would record.
        if claim is not None and (self._claims_so_far(claim) > 1 or claim in kept.claimed):
            before = kept.claimed.get(claim, 0)
            return RowConflict(before) if delivery.voucher else self._refused(key, known=known, before=before)
        self._events.count(key)
        return Recorded(0)

    def _claims_so_far(self, claim: str) -> int:
        return self._events.count(b"claim " + claim.encode(errors="surrogateescape"))

    def _refused(self, key: bytes, *, known: bool, before: int = 0) -> Quarantined | Rejected:
        is_new = self._aside.count(key) == 1 and not known
        if is_new and self._unauthentic >= self._quarantine_max and not self._fitted:
            return quarantine_full(self._quarantine_max)
        self._unauthentic += is_new
        return Quarantined(0, None, is_new=is_new, before=before)


class _Kept(NamedTuple):
    """What the ledger has of some deliveries: positions by delivery key and by claim, and the keys that are in quarantine."""

    positions: Mapping[bytes, int]
    claimed: Mapping[str, int]
    aside: set[bytes]
