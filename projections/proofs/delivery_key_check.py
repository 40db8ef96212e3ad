"""The delivery keys of a log against its notices, as a whole: each notice has its key in the table, and no key is left over.

Looking up each key would cost more than all other checks of a notice: keys are hashes, so each lookup reads another page. So
sums over both sides are compared, and only where they differ is each key looked up. A sum is neither a secret nor a proof: someone who
changes the log on purpose can change the table too. That is what the tree is for.
"""

from itertools import islice

from domain.log.contract import Log
from domain.log.tables import DELIVERY_KEYS
from projections.proofs.log_check import LogCheck
from projections.proofs.log_spans import LogFinding, cut_spans
from projections.proofs.notice_check import keys_of, weigh_keys

KEYS_AT_ONCE = 10_000


def check_delivery_keys(log: Log, check: LogCheck) -> None:
    """Add a finding for each notice of a checked log whose delivery key is missing or has another position.

    Where every notice has its key, and the table has more, the finding is of no single event.
    """
    if _sum_kept(log, check.size) == check.key_sum:
        return
    for span in cut_spans(check.size):
        first, length = span
        for finding in _look_up(log, keys_of(log.page(first, length, first + length))):
            check.add(*finding)
    if check.holds:
        check.add(0, "the delivery keys are not those of the notices: some belong to no event, or are there twice")


def _sum_kept(log: Log, size: int) -> int:
    """Return the sum of the keys in the table that belong to the first ``size`` events, some thousand at a time."""
    kept = 0
    with log.snapshot() as snapshot:
        rows = snapshot.rows(DELIVERY_KEYS)
        while some := list(islice(rows, KEYS_AT_ONCE)):
            kept += weigh_keys(row for row in some if row[1] <= size)
    return kept


def _look_up(log: Log, keys: dict[bytes, int]) -> list[LogFinding]:
    kept = log.positions([*keys])
    return [
        LogFinding(
            position,
            f"the notice at position {position} does not fit its delivery key: got"
            f" {f'position {kept[key]}' if key in kept else 'none'} for it",
        )
        for key, position in keys.items()
        if kept.get(key) != position
    ]
