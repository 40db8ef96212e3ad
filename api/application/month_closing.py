"""Closing a month (SPEC 7): look for what is open in it, and close it if nothing is, or if what is open is accepted."""

from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum
from hashlib import blake2b
from math import inf
from time import monotonic
from typing import Any, NamedTuple

import msgspec

from api.application.operator_commands import CHANGED, ChangedMeanwhile
from domain import times
from domain.amounts import plain
from domain.billing.closing_rule import check_closable
from domain.errors import CommandRejected
from domain.events.log_row import POSITION_MAX
from domain.events.operator_events import AccountCharge
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.queries.account_charges import closing_charges
from projections.queries.billing_overview import BillingTotals, months_to_close
from projections.queries.closing_blockers import (
    OPEN_MONTH,
    ClosingBlocker,
    changes_closing,
    find_blockers,
    find_month_suspects,
    find_quarantine_blockers,
)
from projections.queries.month_books import OpenBooks, load_open_books
from projections.queries.suspects import FoundSuspects
from projections.queries.time_points import read_month
from projections.rows.charge_entries import charge_entries
from projections.stores.base import ReadStore

LOCK_SECONDS_MAX = 0.25
EVENTS_AT_ONCE = 100
FINGERPRINT_BYTES = 12
ATTEMPTS_MAX = 5
NOTHING_OPEN = "the month is over, and nothing in it is open"


class ClosingResult(msgspec.Struct, frozen=True):
    """What was open in a month, and the position of its closing, 0 where it was not closed.

    ``suspects_alone`` is the number of suspects that are in no run: they keep no month open. ``charges`` is what accounts are
    charged, or would be, for the months that are closed, ``months`` the totals of those that had entries before that.
    """

    period: str
    blockers: list[ClosingBlocker]
    position: int = 0
    suspects_alone: int = 0
    charges: list[AccountCharge] = []
    months: list[tuple[str, BillingTotals]] = []

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


def check_month(ledger: Ledger, store: ReadStore, period: str, *, with_suspects: bool = True) -> ClosingResult:
    """Look for what is open in a month, in read models that are up to date; raises CommandRejected.

    Without suspects it is quick however many calls there are; but then what is open is not known whole.
    """
    context = ledger.billing_context()
    check_closable(context, read_month(period), times.now())
    with store.snapshot() as connection:
        suspects = find_month_suspects(ledger, connection, period) if with_suspects else FoundSuspects([], [])
        blockers = find_blockers(ledger, connection, period, suspects)
        charges = closing_charges(connection, context, period)
        months = months_to_close(connection, context.closed_through(POSITION_MAX), period)
    return ClosingResult(period, blockers, suspects_alone=len(suspects.alone), charges=charges, months=months)


def close_month(
    ledger: Ledger, store: ReadStore, period: str, by: str, accept: str | None, *, expected: str = ""
) -> ClosingResult:
    """Close a month; where something is open only with a reason to ``accept`` that, else nothing is done.

    ``expected`` is the fingerprint of what was seen open, charged and billed: where that is something else by now,
    ChangedMeanwhile is raised.

    What takes long is done before the log's lock: catching up, looking for what is open, digesting the books. Under the
    lock only what came since is looked at, for LOCK_SECONDS_MAX at most: then the lock is released, however far the looking
    is. Where that was too short, or something touches the month, all is done once more. Raises CommandRejected for a month
    that is closed already or not over yet, and after ATTEMPTS_MAX attempts.
    """
    change = _Change.NONE
    for _ in range(ATTEMPTS_MAX):
        check_closable(ledger.billing_context(), read_month(period), times.now())
        catch_up(ledger, store)
        seen = _look(ledger, store, period)
        if expected and closing_fingerprint(seen.blockers, seen.charges, seen.months) != expected:
            raise ChangedMeanwhile(CHANGED)
        if seen.blockers and accept is None:
            return seen.result()
        seen, change = _look_at_rest(ledger, store, seen)
        if change is not _Change.NONE:
            continue
        # The thread is waited for after the lock was released.
        with ThreadPoolExecutor(1) as aside, ledger.operator_session(by, accept or NOTHING_OPEN) as session:
            until = monotonic() + LOCK_SECONDS_MAX
            looking = aside.submit(_find_change, ledger, store, seen, session.position, until)
            change = _answer_in_time(looking, until)
            if change is _Change.NONE:
                accepted = [str(each) for each in seen.blockers]
                charged = list(charge_entries(session.position + 1, seen.charges, by))
                books = [each.closed_with(charged) for each in seen.books]
                position = session.close_month(period, accepted, books, seen.charges)
                return seen.result(position)
    msg = f"{period} is not closed after {ATTEMPTS_MAX} attempts: {change.value}. Try again"
    raise CommandRejected(msg)


def closing_fingerprint(
    blockers: list[ClosingBlocker], charges: list[AccountCharge], months: list[tuple[str, BillingTotals]]
) -> str:
    """Return a digest of what is open in a month, what accounts are charged and what the closed months come to: nothing else is closed."""
    open_items = sorted(f"{each} {each.cost} {each.sip_credits}" for each in blockers)
    text = "\n".join([*open_items, *map(str, charges), *(f"{month} {[*totals]}" for month, totals in months)])
    return blake2b(text.encode(), digest_size=FINGERPRINT_BYTES).hexdigest()


class _Change(Enum):
    """What was found of what came while a month was being closed."""

    NONE = "nothing came"
    TOUCHES = "it still changes, as what came last touches it; expected nothing of it while it is closed"
    NOT_SEEN = (
        f"looking at what came last took longer than the {LOCK_SECONDS_MAX * 1000:.0f} ms for which the log may be locked;"
        " expected less, on a machine and a store that are not too busy"
    )


class _Seen(NamedTuple):
    """What was seen before the lock of a month and those before it: as of which position and number of the quarantine."""

    period: str
    position: int
    quarantined: int
    blockers: list[ClosingBlocker]
    books: list[OpenBooks]
    charges: list[AccountCharge]
    suspects_alone: int
    months: list[tuple[str, BillingTotals]]

    def result(self, position: int = 0) -> ClosingResult:
        """Return it as what was found, closed at a position or, for 0, not closed."""
        return ClosingResult(self.period, self.blockers, position, self.suspects_alone, self.charges, self.months)


def _look(ledger: Ledger, store: ReadStore, period: str) -> _Seen:
    quarantined = _last_quarantined(ledger)
    with store.snapshot() as connection:
        position = store.position(connection, ledger.store)
        suspects = find_month_suspects(ledger, connection, period)
        blockers = find_blockers(ledger, connection, period, suspects)
        context = ledger.billing_context()
        charges = closing_charges(connection, context, period)
        closed = context.closed_through(POSITION_MAX)
        books = load_open_books(connection, closed, period, {charge.month for charge in charges})
        months = months_to_close(connection, closed, period)
    return _Seen(period, position, quarantined, blockers, books, charges, len(suspects.alone), months)


def _last_quarantined(ledger: Ledger) -> int:
    return max((entry.id for entry in ledger.store.quarantined(settled=True)), default=0)


def _look_at_rest(ledger: Ledger, store: ReadStore, seen: _Seen) -> tuple[_Seen, _Change]:
    """Look at what came during the look, so that hardly anything is left to be looked at under the lock."""
    quarantined, head = _last_quarantined(ledger), ledger.head()
    change = _find_change(ledger, store, seen, head, inf)
    return seen._replace(position=head, quarantined=quarantined), change


def _find_change(ledger: Ledger, store: ReadStore, seen: _Seen, head: int, until: float) -> _Change:
    """Find out, until a moment, whether something that came since touches the months."""
    if find_quarantine_blockers(ledger, seen.period, seen.quarantined):
        return _Change.TOUCHES
    books = ledger.billing_context()
    with store.snapshot() as connection:
        for after in range(seen.position, head, EVENTS_AT_ONCE):
            if monotonic() >= until:
                return _Change.NOT_SEEN
            if changes_closing(books, connection, ledger.store.page(after, EVENTS_AT_ONCE, head), seen.period):
                return _Change.TOUCHES
    return _Change.NONE


def _answer_in_time(looking: Future[_Change], until: float) -> _Change:
    """Wait for what a thread finds; a statement that takes too long is not waited for."""
    try:
        return looking.result(until - monotonic())
    except TimeoutError:
        return _Change.NOT_SEEN


def closing_document(result: ClosingResult) -> dict[str, Any]:
    """Return the result as JSON has it; amounts are exact decimals, null where they are not known."""
    cost, credits_, unknown = result.amounts_at_risk
    return {
        "period": result.period,
        "closed_at_position": result.position or None,
        "at_risk": {"cost": cost, "sip_credits": credits_, "unknown": unknown},
        "suspects_alone": result.suspects_alone,
        "open": [blocker_document(each) for each in result.blockers],
        "charges": [charge_document(each) for each in result.charges],
    }


def charge_document(charge: AccountCharge) -> dict[str, Any]:
    """Return what an account is charged for a month, as JSON has it."""
    amounts = {name: plain(getattr(charge, name)) for name in ("fee", "calls", "minimum", "top_up")}
    return {
        "account": charge.account,
        "month": charge.month,
        "tariff": charge.tariff,
        "text": charge.fee_text,
    } | amounts


def blocker_document(blocker: ClosingBlocker) -> dict[str, Any]:
    """Return one thing that is open, as JSON has it."""
    amounts = (None if amount is None else plain(amount) for amount in (blocker.cost, blocker.sip_credits))
    cost, credits_ = amounts
    return {"kind": blocker.kind, "where": blocker.where, "tag": blocker.tag, "cost": cost, "sip_credits": credits_}
