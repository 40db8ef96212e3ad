"""What bulk jobs do, step by step: each step is one transaction of a few items, so that callbacks do not wait long.

``commit`` is called at the end of a step's transaction; what it raises rolls the step back.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from api.application.bulk_jobs.bulk_job import BulkStep
from api.application.read_model_pool import ReadSession
from domain.log.contract import LedgerFacts

ITEMS_AT_ONCE = 50
# For as long the log is locked by a step whose items take long each; then it ends with the item at hand.
STEP_SECONDS_MAX = 0.1

CommitStep = Callable[[LedgerFacts, BulkStep], None]
OpenReadSession = Callable[[], AbstractContextManager[ReadSession]]


class BulkWork(Protocol):
    """The work of one order, in steps; it is the same whoever does it: a service for a page or a program, or a command."""

    def count(self) -> int:
        """Return how many items fit."""

    def last_item(self) -> int:
        """Return the last item that there is now: the order's ``until``."""

    def step(self, cursor: str, commit: CommitStep) -> BulkStep:
        """Do the next items after a cursor, empty for the first ones, in one transaction. Raises LedgerError."""


class StepCounts:
    """Counts what becomes of the items of a step."""

    def __init__(self) -> None:
        """Begin with none."""
        self.outcomes: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def step(self, cursor: str, *, is_last: bool) -> BulkStep:
        """Return the step, which ends at a cursor."""
        return BulkStep(cursor, dict(self.outcomes), dict(self.refused), is_last)


def do_nothing_more(_facts: LedgerFacts, _step: BulkStep) -> None:
    """Commit a step that nobody keeps the progress of."""
