"""Closing a month (SPEC 7): look for what is open in it, and close it if nothing is, or if what is open is accepted."""

from typing import Any

import msgspec

from domain import times
from domain.amounts import plain
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.queries.closing_blockers import OPEN_MONTH, ClosingBlocker, check_closable, find_blockers
from projections.stores.base import ReadStore

NOTHING_OPEN = "the month is over, and nothing in it is open"


class ClosingResult(msgspec.Struct, frozen=True):
    """What was open in a month, and the position of its closing, 0 where it was not closed."""

    period: str
    blockers: list[ClosingBlocker]
    position: int = 0

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
    check_closable(ledger.billing_context(), period, times.now())
    return ClosingResult(period, _find(ledger, store, period))


def close_month(ledger: Ledger, store: ReadStore, period: str, by: str, accept: str | None) -> ClosingResult:
    """Close a month; where something is open only with a reason to ``accept`` that, else nothing is done.

    Looks and closes under the log's lock, so that nothing is recorded in between. Raises CommandRejected for a month that
    is closed already or not over yet.
    """
    with ledger.operator_session(by, accept or NOTHING_OPEN) as session:
        check_closable(ledger.billing_context(), period, times.now())
        catch_up(ledger, store)
        found = _find(ledger, store, period)
        if found and accept is None:
            return ClosingResult(period, found)
        return ClosingResult(period, found, session.close_month(period, [str(each) for each in found]))


def _find(ledger: Ledger, store: ReadStore, period: str) -> list[ClosingBlocker]:
    with store.snapshot() as connection:
        return find_blockers(ledger, connection, period)


def closing_document(result: ClosingResult) -> dict[str, Any]:
    """Return the result as JSON has it; amounts are exact decimals, null where they are not known."""
    cost, credits_, unknown = result.amounts_at_risk
    return {
        "period": result.period,
        "closed_at_position": result.position or None,
        "at_risk": {"cost": cost, "sip_credits": credits_, "unknown": unknown},
        "open": [blocker_document(each) for each in result.blockers],
    }


def blocker_document(blocker: ClosingBlocker) -> dict[str, Any]:
    """Return one thing that is open, as JSON has it."""
    amounts = (None if amount is None else plain(amount) for amount in (blocker.cost, blocker.sip_credits))
    cost, credits_ = amounts
    return {"kind": blocker.kind, "where": blocker.where, "tag": blocker.tag, "cost": cost, "sip_credits": credits_}
