"""Bulk work on an account's month: rating its calls by another version of the tariff, any number of them."""

from api.application.bulk_jobs.bulk_job import BulkOrder, BulkStep
from api.application.bulk_jobs.bulk_work import ITEMS_AT_ONCE, CommitStep, OpenReadSession, StepCounts
from domain.errors import WrongUsage
from domain.ledger import Ledger
from domain.months import Month
from domain.text import is_whole_number
from projections.queries.rerating_preview import ReratingPreview, calls_of_account_after, count_calls_of_account

RERATED, UNCHANGED, TOO_EARLY = "rerated", "unchanged", "from before the version takes effect"


class RerateWork:
    """Rates an account's calls of a month by a version of the tariff, in the order of their first notices; see BulkWork."""

    def __init__(self, ledger: Ledger, order: BulkOrder, open_session: OpenReadSession) -> None:
        """Read the order's account, month and version; raises WrongUsage, CommandRejected."""
        wanted = order.wanted
        try:
            self._account, self._period = wanted.get("account", ""), str(Month.parse(wanted.get("period", "")))
        except ValueError as error:
            raise WrongUsage(str(error)) from None
        if not is_whole_number(wanted.get("tariff", "")):
            msg = f"{wanted.get('tariff', '')[:20]!r} is not a version of the tariff; expected a whole number from 1 on"
            raise WrongUsage(msg)
        self._version = int(wanted["tariff"])
        self._ledger = ledger
        self._order = order
        self._open_session = open_session
        self._rerating = ReratingPreview(ledger, self._version)

    def count(self) -> int:
        """Return how many calls of the account there are."""
        with self._open_session() as room:
            return count_calls_of_account(room.connection, self._account, self._period, self._order.until)

    def last_item(self) -> int:
        """Return the position up to which calls are known."""
        with self._open_session() as room:
            return room.position

    def step(self, cursor: str, commit: CommitStep) -> BulkStep:
        """Do the next calls: a cursor is the position of the last one's row."""
        with self._open_session() as room:
            found = calls_of_account_after(
                room.connection, self._account, self._period, int(cursor or 0), self._order.until, ITEMS_AT_ONCE
            )
        self._rerating.refresh()
        # What takes long is done before the transaction.
        passed_over = self._rerating.passed_over
        seen = [change.call for change in self._rerating.changes([call for call, _ in found]) if change]
        too_early = self._rerating.passed_over - passed_over
        counts = StepCounts()
        with self._ledger.operator_session(self._order.by, self._order.reason) as session:
            changed = session.rerate_calls(seen, self._version)
            # Under the lock of this transaction nobody changes them again.
            again = [change.call for change in self._rerating.changes(sorted(map(str, changed))) if change]
            session.rerate_calls(again, self._version)
            if rerated := len(seen) - len(changed) + len(again):
                counts.outcomes[RERATED] = rerated
            if too_early:
                counts.outcomes[TOO_EARLY] = too_early
            if unchanged := len(found) - counts.outcomes[RERATED] - too_early:
                counts.outcomes[UNCHANGED] = unchanged
            after = str(found[-1][1]) if found else cursor
            step = counts.step(after, is_last=len(found) < ITEMS_AT_ONCE)
            commit(session.facts, step)
        return step
