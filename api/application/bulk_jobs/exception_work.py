"""Bulk work on exceptions: resolving all that fit, or opening them again."""

from time import monotonic

from api.application.bulk_jobs.bulk_job import REOPEN_EXCEPTIONS, BulkOrder, BulkStep
from api.application.bulk_jobs.bulk_work import (
    ITEMS_AT_ONCE,
    STEP_SECONDS_MAX,
    CommitStep,
    OpenReadSession,
    StepCounts,
)
from domain.errors import CommandRejected
from domain.ledger import Ledger
from domain.operators.session import OperatorSession
from projections.queries.exception_totals import ExceptionPlace, count_exceptions, exceptions_in_order
from projections.queries.filter_texts import FilterContext, read_filters

MODEL = "exceptions"
RESOLVED, REOPENED = "resolved", "open again"
ALREADY, GONE = "done meanwhile", "no longer an exception"


class ExceptionWork:
    """Resolves or reopens the exceptions that fit an order, in the order of the log; see BulkWork."""

    def __init__(self, ledger: Ledger, order: BulkOrder, open_session: OpenReadSession) -> None:
        """Read the order's filters; raises WrongFilters."""
        self._ledger = ledger
        self._order = order
        self._open_session = open_session
        context = FilterContext(ledger.timezone, ledger.line_rule, ledger.options.window, order.at)
        self._selection = read_filters(MODEL, order.wanted, context)
        self._reopens = order.kind == REOPEN_EXCEPTIONS

    def count(self) -> int:
        """Return how many exceptions fit."""
        with self._open_session() as room:
            return count_exceptions(
                room.connection, self._selection, room.ledger.timezone, resolved=self._reopens, until=self._order.until
            )

    def last_item(self) -> int:
        """Return the position up to which exceptions are known."""
        with self._open_session() as room:
            return room.position

    def step(self, cursor: str, commit: CommitStep) -> BulkStep:
        """Do the next exceptions: a cursor is the position and the flag of the last one."""
        position, _, flag = cursor.partition(":")
        place = ExceptionPlace(int(position or 0), flag)
        with self._open_session() as room:
            rows = exceptions_in_order(
                room.connection,
                self._selection,
                room.ledger.timezone,
                resolved=self._reopens,
                after=place,
                until=self._order.until,
                limit=ITEMS_AT_ONCE,
            )
        counts, ends_at, done = StepCounts(), monotonic() + STEP_SECONDS_MAX, 0
        with self._ledger.operator_session(self._order.by, self._order.reason) as session:
            for row in rows:
                self._settle(session, row.flag, row.position, counts)
                done += 1
                # For each exception all of its call's notices are read, which may be thousands.
                if monotonic() >= ends_at:
                    break
            after = f"{rows[done - 1].position}:{rows[done - 1].flag}" if rows else cursor
            step = counts.step(after, is_last=done == len(rows) < ITEMS_AT_ONCE)
            commit(session.facts, step)
        return step

    def _settle(self, session: OperatorSession, flag: str, position: int, counts: StepCounts) -> None:
        try:
            # The read models may be behind what others did.
            if session.is_resolved(flag, position) is (not self._reopens):
                counts.refused[ALREADY] += 1
                return
            session.resolve_exception(flag, position, reopened=self._reopens)
        except CommandRejected:
            counts.refused[GONE] += 1
        else:
            counts.outcomes[REOPENED if self._reopens else RESOLVED] += 1
