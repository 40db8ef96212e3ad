"""Runs an operator's command in one transaction of the log, and returns the events that it appended.

Commands, pages and the JSON API offer the same corrections; what each of them does stands in ``domain/operators``.
"""

from collections.abc import Callable

import msgspec

from api.application.event_feed import FeedEvent, read_event
from domain.errors import CommandRejected
from domain.events.operator_events import AccountAdjusted, CallRerated, CallVoided, ExceptionResolved, NoticesMoved
from domain.ledger import Ledger
from domain.operators.session import OperatorSession

REVERSIBLE = {
    kind.TOPIC.partition(":")[2] for kind in (NoticesMoved, CallVoided, CallRerated, AccountAdjusted, ExceptionResolved)
}

CHANGED = "the ledger changed since the preview, so this would no longer do what was shown: look at the preview again"

Command = Callable[[OperatorSession], object]


class ChangedMeanwhile(CommandRejected):
    """A command would no longer do what its preview showed."""


class CommandResult(msgspec.Struct, frozen=True):
    """The events that a command appended, in order, and the head of the log after it; no events if there was nothing to do."""

    events: list[FeedEvent]
    position: int

    @property
    def is_reversible(self) -> bool:
        """Whether the last event can be reversed by another command."""
        return bool(self.events) and self.events[-1].type in REVERSIBLE


def run_command(ledger: Ledger, by: str, reason: str, command: Command, expected: str = "") -> CommandResult:
    """Run a command in one transaction, in an operator's name and for a reason, both of which are kept.

    ``expected`` is the fingerprint of a preview: then it is run only if it does what that showed. Raises CommandRejected where
    it is not possible as things are, ChangedMeanwhile, and StoreUnavailable; then nothing was done.
    """
    with ledger.operator_session(by, reason) as session:
        before = session.position
        command(session)
        if expected and session.fingerprint != expected:
            raise ChangedMeanwhile(CHANGED)
        after = session.position
    return CommandResult([read_event(row) for row in ledger.store.page(before, after - before, after)], after)
