"""Rerates calls in small transactions, so that callbacks do not wait long, and an interrupted rerating can continue.

The changes of a batch are calculated before its transaction begins. A call that changed in between is rated again later.
"""

from collections.abc import Callable, Generator, Sequence
from uuid import UUID

from domain.ledger import Ledger
from projections.queries.rerating_preview import RerateChange, ReratingPreview

CALLS_AT_ONCE = 50


def preview_rerating(
    rerating: ReratingPreview, call_ids: Sequence[str], moved: Callable[[int], None]
) -> Generator[RerateChange, None, None]:
    """Yield the change of each call that would change; ``moved`` gets the number of calls rated so far."""
    for number, call_id in enumerate(call_ids, 1):
        change = rerating.change(call_id)
        moved(number)
        if change:
            yield change


def rerate_calls(  # noqa: PLR0917  # What, who and why, in the order of the command line.
    ledger: Ledger,
    rerating: ReratingPreview,
    call_ids: Sequence[str],
    version: int,
    by: str,
    reason: str,
    moved: Callable[[int], None],
) -> Generator[RerateChange, None, None]:
    """Rerate calls, and yield the committed change of each; raises CommandRejected, StoreUnavailable."""
    waiting, done = list(call_ids), 0
    while waiting:
        batch, waiting = waiting[:CALLS_AT_ONCE], waiting[CALLS_AT_ONCE:]
        rerating.refresh()
        changes = list(preview_rerating(rerating, batch, lambda _: None))
        missed = _append(ledger, changes, version, by, reason) if changes else set()
        waiting += sorted(missed)
        done += len(batch) - len(missed)
        moved(done)
        yield from (change for change in changes if change.call_id not in missed)


def _append(ledger: Ledger, changes: Sequence[RerateChange], version: int, by: str, reason: str) -> set[str]:
    """Append the operator events, and return the ids of the calls that have changed meanwhile."""
    with ledger.operator_session(by, reason) as session:
        return {
            change.call_id for change in changes if not session.rerate_call(UUID(change.call_id), version, change.seen)
        }
