"""Acts of an operator in the soak, each on whatever calls and events there are when its turn comes.

A step's number picks among them, so that the same log and the same step give the same act.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar
from uuid import UUID

from domain.errors import CommandRejected
from domain.events.codec import decode_notice
from domain.events.log_row import LogRow
from domain.events.operator_events import OPERATOR_EVENTS
from domain.events.streams_of_calls import NOTICES_OF_CALLS, is_of_call
from domain.ledger import Ledger
from domain.operators.session import OperatorSession
from tests.soak.jobs import Step

TARIFF = '[[rules]]\ntag = "*"\nmarkup_percent = {percent}\n'
REPEATED_CDR_RULE = 2
_T = TypeVar("_T")


class CallNotices(NamedTuple):
    """A call's id, and the positions of the notices that were recorded in it."""

    call: UUID
    positions: list[int]


class Picks:
    """What a number picks in a log; raises CommandRejected where there is nothing to pick."""

    def __init__(self, rows: Sequence[LogRow], number: int) -> None:
        self._rows = rows
        self._number = number

    def call(self, after: int = 0) -> CallNotices:
        """Pick a call, and others with ``after``: also calls that a split made, or whose notices have all moved."""
        streams = sorted({row.stream for row in self._rows if is_of_call(row)})
        stream = self._one(streams, after)
        positions = [row.position for row in self._rows if row.stream == stream and row.topic in NOTICES_OF_CALLS]
        return CallNotices(UUID(stream), positions)

    def operator_event(self) -> int:
        """Pick the position of an operator's event."""
        return self._one([row.position for row in self._rows if row.topic in OPERATOR_EVENTS])

    def repeated_cdr(self) -> int:
        """Pick the position of a CDR that came twice."""
        notices = (row for row in self._rows if row.topic in NOTICES_OF_CALLS)
        return self._one([row.position for row in notices if decode_notice(row.state).rule == REPEATED_CDR_RULE])

    def some(self, positions: Sequence[int]) -> list[int]:
        """Pick one or two of a call's positions."""
        start = self._number % max(len(positions), 1)
        return list(positions[start : start + 1 + self._number % 2])

    def _one(self, among: Sequence[_T], after: int = 0) -> _T:
        if not among:
            msg = "there is nothing of that kind yet"
            raise CommandRejected(msg)
        return among[(self._number + after) % len(among)]


Act = Callable[[OperatorSession, Picks, Step], int]

ACTS: dict[str, Act] = {
    "publish": lambda session, _, step: session.publish_tariff(TARIFF.format(percent=step.amount)),
    "close": lambda session, _, step: session.close_month(step.month),
    "adjust": lambda session, _, step: session.adjust_account("sales", step.amount, step.month),
    "void": lambda session, picks, _: session.void_call(picks.call().call),
    "rerate": lambda session, picks, step: session.rerate_call(picks.call().call, step.amount % 3 + 1),
    "merge": lambda session, picks, step: session.merge_calls(picks.call().call, picks.call(step.amount).call),
    "split": lambda session, picks, _: split(session, picks),
    "release": lambda session, picks, _: session.release_cdr(picks.repeated_cdr()),
    "resolve": lambda session, picks, _: session.resolve_exception("repeated-cdr", picks.repeated_cdr()),
    "undo": lambda session, picks, _: session.undo(picks.operator_event()),
}


def split(session: OperatorSession, picks: Picks) -> int:
    """Move one or two notices of a call to a new call."""
    call, positions = picks.call()
    return session.split_call(call, picks.some(positions))


def act(ledger: Ledger, step: Step) -> list[int]:
    """Do what an operator does, with the step's reason, and return the position of the act's last event."""
    picks = Picks(ledger.store.page(0, ledger.head() + 1, ledger.head()), step.number)
    with ledger.operator_session("soak", step.reason) as session:
        return [ACTS[step.what](session, picks, step)]
