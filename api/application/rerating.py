"""Rerates calls in small transactions, so that callbacks do not wait long, and an interrupted rerating can continue.

The changes of a batch are calculated before its transaction begins. A call that changed in between is rated again later.
Pages and the JSON API rerate as many calls as one request can, and more in a bulk job; the command any number.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from api.application.operator_commands import CHANGED, ChangedMeanwhile
from api.application.read_model_pool import ReadSession
from domain import times
from domain.amounts import plain
from domain.billing.rating import RatedCdr
from domain.errors import CommandRejected
from domain.ledger import Ledger
from domain.operators.author import Author
from projections.queries.rerating_preview import PostedPrice, RerateChange, ReratingPreview, calls_of_account

CALLS_AT_ONCE = 500
# What one request may rate: some seconds' work.
CALLS_OF_REQUEST_MAX = 5_000
FINGERPRINT_BYTES = 12


class PostedSum(NamedTuple):
    """The change of an account's month, and by how many calls."""

    posted: PostedPrice
    calls: int


class AccountRerating(NamedTuple):
    """What rating an account's month by a version changes: of ``calls`` those in ``changes``; amounts in millionths of a cent.

    ``passed_over`` calls stay as they are because the version was not in effect at their time. Of more calls than one
    request may rate only the first ``previewed`` are looked at.
    """

    account: str
    period: str
    version: int
    calls: int
    passed_over: int
    changes: list[RerateChange]
    previewed: int

    @property
    def is_whole(self) -> bool:
        """Whether all calls were looked at."""
        return self.previewed == self.calls

    @property
    def sums(self) -> list[PostedSum]:
        """The change of each account's month."""
        return sum_posted(self.changes)

    @property
    def fingerprint(self) -> str:
        """A digest of what it would do to which calls as they are, and of where that is posted."""
        did = [
            f"{self.version}",
            *(f"{each.call_id} {each.seen} {each.after.price} {each.posted}" for each in self.changes),
        ]
        return blake2b("\n".join(did).encode(), digest_size=FINGERPRINT_BYTES).hexdigest()


def find_rerating(  # noqa: PLR0917  # What and who, in the order of the command line.
    room: ReadSession, account: str, period: str, version: int, by: str, reason: str, *, partly: bool = False
) -> AccountRerating:
    """Find out what rating an account's month by another version changes, as the read models know its calls.

    Raises CommandRejected for a version that is not published, an author without a reason, and more calls than
    CALLS_OF_REQUEST_MAX; with ``partly`` it looks at the first of these.
    """
    Author(by, reason).check()
    calls = calls_of_account(room.connection, account, period)
    if len(calls) > CALLS_OF_REQUEST_MAX and not partly:
        msg = (
            f"{account!r} has {len(calls)} calls in {period}; expected at most {CALLS_OF_REQUEST_MAX} here:"
            " `tringledger rerate` and a bulk job take any number"
        )
        raise CommandRejected(msg)
    rerating, looked_at = ReratingPreview(room.ledger, version), calls[:CALLS_OF_REQUEST_MAX]
    changes = list(preview_rerating(rerating, looked_at, lambda _: None))
    return AccountRerating(account, period, version, len(calls), rerating.passed_over, changes, len(looked_at))


def rerate_account(ledger: Ledger, found: AccountRerating, by: str, reason: str, expected: str) -> list[RerateChange]:
    """Rerate the calls that change, if that is still what a preview with the fingerprint ``expected`` showed.

    Returns the committed changes. Raises ChangedMeanwhile, CommandRejected, StoreUnavailable.
    """
    if expected and found.fingerprint != expected:
        raise ChangedMeanwhile(CHANGED)
    rerating, calls = ReratingPreview(ledger, found.version), [each.call_id for each in found.changes]
    return list(rerate_calls(ledger, rerating, calls, found.version, by, reason, lambda _: None))


def sum_posted(changes: Iterable[RerateChange]) -> list[PostedSum]:
    """Return how much each account's month changes, and through how many calls."""
    sums: dict[tuple[str, str], tuple[int, int, int]] = {}
    for change in changes:
        for account, period, seconds, price in change.posted:
            calls, seconds_before, price_before = sums.get((account, period), (0, 0, 0))
            sums[account, period] = (calls + 1, seconds_before + seconds, price_before + price)
    return [
        PostedSum(PostedPrice(*key, seconds, price), calls) for key, (calls, seconds, price) in sorted(sums.items())
    ]


def change_document(change: RerateChange) -> dict[str, Any]:
    """Return the change of a call as JSON has it; amounts are exact decimals."""
    return {
        "call_id": change.call_id,
        "cdr_at": times.iso(change.at),
        "before": _rated(change.before),
        "after": _rated(change.after),
        "difference": plain(change.after.price - change.before.price),
        "posted": [posted_document(PostedSum(each, 1)) for each in change.posted],
    }


def posted_document(sums: PostedSum) -> dict[str, Any]:
    """Return the change of an account's month as JSON has it."""
    posted = sums.posted
    return {
        "account": posted.account,
        "period": posted.period,
        "calls": sums.calls,
        "billed_seconds": posted.billed_seconds,
        "price": plain(posted.price),
    }


def _rated(rated: RatedCdr) -> dict[str, Any]:
    return {
        "account": rated.account,
        "tariff": rated.tariff,
        "rule": rated.rule,
        "billed_seconds": rated.billed_seconds,
        "price": plain(rated.price),
    }


def preview_rerating(
    rerating: ReratingPreview, call_ids: Sequence[str], moved: Callable[[int], None]
) -> Generator[RerateChange, None, None]:
    """Yield the change of each call that would change; ``moved`` gets the number of calls rated so far."""
    for start in range(0, len(call_ids), CALLS_AT_ONCE):
        batch = call_ids[start : start + CALLS_AT_ONCE]
        yield from filter(None, rerating.changes(batch))
        moved(start + len(batch))


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
        return {str(stream) for stream in session.rerate_calls([change.call for change in changes], version)}
