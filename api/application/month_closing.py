"""Closing a month (SPEC 7): look for what is open in it, and close it if nothing is, or if what is open is accepted."""

from time import monotonic
from typing import Any, NamedTuple

import msgspec

from domain import times
from domain.amounts import plain
from domain.billing.closing_rule import check_closable
from domain.errors import CommandRejected
from domain.events.log_row import POSITION_MAX
from domain.events.operator_events import MonthBooks
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.queries.closing_blockers import (
    OPEN_MONTH,
    ClosingBlocker,
    changes_closing,
    find_blockers,
    find_month_suspects,
    find_quarantine_blockers,
)
from projections.queries.month_books import load_month_books
from projections.queries.time_points import read_month
from projections.stores.base import ReadStore

LOCK_SECONDS_MAX = 0.25
EVENTS_SINCE_MAX = 1000
ATTEMPTS_MAX = 5
NOTHING_OPEN = "the month is over, and nothing in it is open"


class ClosingResult(msgspec.Struct, frozen=True):
    """What was open in a month, and the position of its closing, 0 where it was not closed.

    ``suspects_alone`` is the number of suspects that are in no run: they keep no month open.
    """

    period: str
    blockers: list[ClosingBlocker]
    position: int = 0
    suspects_alone: int = 0

    @property
    def is_open(self) -> bool:
        """Whether something kept the month open."""
        return bool(self.blockers) and not self.position

    @property
    def amounts_at_risk(self) -> tuple[str, str, int]:
        """The cost in US cents and the SIP credits that are at risk, and how many blockers have amounts that are not known.

        Earlier months that are open put nothing at risk: their amounts are known.
        """
        risky = [each for each in self.blockers if each.kind != OPEN_MONTH]
        cost, credits_ = sum(each.cost or 0 for each in risky), sum(each.sip_credits or 0 for each in risky)
        return plain(cost), plain(credits_), sum(each.cost is None for each in risky)


def check_month(ledger: Ledger, store: ReadStore, period: str) -> ClosingResult:
    """Look for what is open in a month, in read models that are up to date; raises CommandRejected."""
    check_closable(ledger.billing_context(), read_month(period), times.now())
    with store.snapshot() as connection:
        suspects = find_month_suspects(ledger, connection, period)
        blockers = find_blockers(ledger, connection, period, suspects)
    return ClosingResult(period, blockers, suspects_alone=len(suspects.alone))


def close_month(ledger: Ledger, store: ReadStore, period: str, by: str, accept: str | None) -> ClosingResult:
    """Close a month; where something is open only with a reason to ``accept`` that, else nothing is done.

    What takes long is done before the log's lock: catching up, looking for what is open, digesting the books. Under the
    lock only the events that came since are looked at, for LOCK_SECONDS_MAX at most; where one of them touches the month,
    all is done once more. Raises CommandRejected for a month that is closed already or not over yet, or that changes
    still.
    """
    for _ in range(ATTEMPTS_MAX):
        check_closable(ledger.billing_context(), read_month(period), times.now())
        catch_up(ledger, store)
        seen = _look(ledger, store, period)
        if seen.blockers and accept is None:
            return ClosingResult(period, seen.blockers, suspects_alone=seen.suspects_alone)
        with ledger.operator_session(by, accept or NOTHING_OPEN) as session:
            if _is_unchanged(ledger, store, period, seen, session.position):
                accepted = [str(each) for each in seen.blockers]
                position = session.close_month(period, accepted, seen.books)
                return ClosingResult(period, seen.blockers, position, seen.suspects_alone)
    msg = f"{period} still changes: events of it came each of {ATTEMPTS_MAX} times; expected none while it is closed. Try again"
    raise CommandRejected(msg)


class _Seen(NamedTuple):
    """What was seen of the months before the lock: as of which position, and up to which number of the quarantine."""

    position: int
    quarantined: int
    blockers: list[ClosingBlocker]
    books: list[MonthBooks]
    suspects_alone: int


def _look(ledger: Ledger, store: ReadStore, period: str) -> _Seen:
    quarantined = max((entry.id for entry in ledger.store.quarantined(settled=True)), default=0)
    with store.snapshot() as connection:
        position = store.position(connection, ledger.store)
        suspects = find_month_suspects(ledger, connection, period)
        blockers = find_blockers(ledger, connection, period, suspects)
        books = load_month_books(connection, ledger.billing_context().closed_through(POSITION_MAX), period)
    return _Seen(position, quarantined, blockers, books, len(suspects.alone))


def _is_unchanged(ledger: Ledger, store: ReadStore, period: str, seen: _Seen, head: int) -> bool:
    """Whether nothing that came since touches the months: told in time, or it counts as changed."""
    until = monotonic() + LOCK_SECONDS_MAX
    since = head - seen.position
    if since > EVENTS_SINCE_MAX:
        return False
    if find_quarantine_blockers(ledger, period, seen.quarantined):
        return False
    events = ledger.store.page(seen.position, since, head) if since else []
    with store.snapshot() as connection:
        changed = changes_closing(ledger.billing_context(), connection, events, period)
    return not changed and monotonic() < until


def closing_document(result: ClosingResult) -> dict[str, Any]:
    """Return the result as JSON has it; amounts are exact decimals, null where they are not known."""
    cost, credits_, unknown = result.amounts_at_risk
    return {
        "period": result.period,
        "closed_at_position": result.position or None,
        "at_risk": {"cost": cost, "sip_credits": credits_, "unknown": unknown},
        "suspects_alone": result.suspects_alone,
        "open": [blocker_document(each) for each in result.blockers],
    }


def blocker_document(blocker: ClosingBlocker) -> dict[str, Any]:
    """Return one thing that is open, as JSON has it."""
    amounts = (None if amount is None else plain(amount) for amount in (blocker.cost, blocker.sip_credits))
    cost, credits_ = amounts
    return {"kind": blocker.kind, "where": blocker.where, "tag": blocker.tag, "cost": cost, "sip_credits": credits_}
