"""What was posted of a call so far, and the difference to its present billed amount (SPEC 9.9).

Operator events of shape 1 keep a call's amounts by account alone, and post differences to the month that the call has at that
time: so a call that moves from a closed month to an open one takes its old amounts from the wrong month. What they posted
stays. Operator events of shape 2 keep amounts by account and own month.
"""

from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

from domain.billing.rating import RatedCdr
from domain.events.operator_events import BY_MONTH, OperatorEvent
from domain.months import period_of_day
from domain.notices.call_notice import Charges
from projections.rows.entry import ANSWERED, NO_AMOUNTS, EntryAmounts

Key = tuple[str, str]  # An account, and a call's own month.
K = TypeVar("K", bound=Hashable)


class BilledAmount(NamedTuple):
    """What a call with a CDR comes to: how it is rated, on which day of its account's time zone, and what the CDR charges."""

    rated: RatedCdr
    day: str
    disposition: str
    charges: Charges

    @property
    def totals(self) -> EntryAmounts:
        """The amounts of its entry."""
        rated, charges = self.rated, self.charges
        cost = charges.cost
        return EntryAmounts(
            1,
            int(self.disposition == ANSWERED),
            charges.src_seconds or 0,
            charges.dest_seconds or 0,
            cost,
            charges.sip_credits,
            rated.billed_seconds or 0,
            rated.price,
            rated.price - cost,
            rated.rounding,
        )

    @property
    def key(self) -> Key:
        """The account and the own month ``YYYY-MM``: that of the CDR in the account's time zone."""
        return self.rated.account, period_of_day(self.day)


class AmountChange(NamedTuple):
    """By how much what an account owes for an own month changes; ``due`` is the bill whose rating and disposition it shows."""

    account: str
    month: str
    totals: EntryAmounts
    due: BilledAmount | None


class PostedAmounts:
    """What was posted of one call, by account and own month, and its billed amount after its last event."""

    def __init__(self) -> None:
        """Start without postings."""
        self._posted: dict[Key, EntryAmounts] = {}
        self._due: BilledAmount | None = None

    def replace(self, due: BilledAmount | None) -> None:
        """Replace what was posted by the present billed amount, because the call's row was made anew."""
        self._posted = {due.key: due.totals} if due else {}
        self._due = due

    def change(
        self,
        due: BilledAmount | None,
        operator_event: OperatorEvent | None,
        undone: OperatorEvent | None,
        as_closed: str,
    ) -> list[AmountChange]:
        """Return what an event changes, given the billed amount after it, and note the changes as posted.

        ``operator_event`` is the event where an operator caused it, ``undone`` the one that it reverses, and ``as_closed`` the
        own month of the call's row.
        """
        if operator_event is None or operator_event.v < BY_MONTH:
            changes = self._by_account(due, due.key[1] if due else as_closed)
        elif undone is not None and undone.v < BY_MONTH:
            changes = self._by_month(self._posted, due)
        else:
            changes = self._by_month({self._due.key: self._due.totals} if self._due else {}, due)
        for account, month, totals, _ in changes:
            self._posted[account, month] = self._posted.get((account, month), NO_AMOUNTS).plus(totals)
        self._due = due
        return changes

    def _by_account(self, due: BilledAmount | None, month: str) -> list[AmountChange]:
        before = {self._due.rated.account: self._due.totals} if self._due else {}
        changes = _differences(before, {due.rated.account: due.totals} if due else {})
        return [AmountChange(account, month, totals, due) for account, totals in changes.items()]

    def _by_month(self, before: Mapping[Key, EntryAmounts], due: BilledAmount | None) -> list[AmountChange]:
        changes = _differences(before, {due.key: due.totals} if due else {})
        return [
            AmountChange(*key, totals, due if due and due.key == key else self._due) for key, totals in changes.items()
        ]


def _differences(before: Mapping[K, EntryAmounts], now: Mapping[K, EntryAmounts]) -> dict[K, EntryAmounts]:
    """Return by how much the totals of each key differ, where they do."""
    found = {key: now.get(key, NO_AMOUNTS).minus(before.get(key, NO_AMOUNTS)) for key in {**before, **now}}
    return {key: totals for key, totals in found.items() if any(totals)}
