"""What an operator's command would do, found without doing it: the events, the calls that change, and the money that moves.

Pages and the JSON API show it before a command is run, and run the command only while it would still do the same.
"""

from typing import Any, NamedTuple

from api.application.operator_commands import REVERSIBLE, ChangedMeanwhile, Command, CommandResult, run_command
from domain.amounts import plain
from domain.events.codec import decode_operator_event
from domain.events.log_row import LogRow
from domain.events.streams_of_calls import is_of_call
from domain.ledger import Ledger
from projections.queries.moved_money import CallStanding, MovedAmounts, MovedMoney, find_moved_money
from projections.rows.operator_events import operator_event_row

ATTEMPTS_MAX = 3


class PreviewedEvent(NamedTuple):
    """An event that a command would append: its kind, its call (None: it belongs to no call), and what it is about."""

    kind: str
    call_id: str | None
    about: str


class CommandPreview(NamedTuple):
    """What a command would do; ``fingerprint`` names what it would do to which state."""

    fingerprint: str
    events: list[PreviewedEvent]
    moved: MovedMoney

    @property
    def is_reversible(self) -> bool:
        """Whether the command can be reversed by another one."""
        return bool(self.events) and self.events[-1].kind in REVERSIBLE


class CommandDone(NamedTuple):
    """What a command did: what was foreseen, and the events that it appended."""

    preview: CommandPreview
    result: CommandResult


def preview_command(ledger: Ledger, by: str, reason: str, command: Command) -> CommandPreview:
    """Try a command in an operator's name and for a reason; nothing is written, and no lock is held.

    Raises CommandRejected where the command is not possible as things are, and StoreUnavailable.
    """
    session = ledger.draft_session(by, reason)
    command(session)
    moved = find_moved_money(ledger, session.appended)
    return CommandPreview(session.fingerprint, [*map(_event, session.appended)], moved)


def do_command(ledger: Ledger, by: str, reason: str, command: Command, expected: str = "") -> CommandDone:
    """Run a command and return what it did, with the money that it moved.

    With ``expected``, the fingerprint of a preview, it runs only if it does what that preview showed; without one it is
    previewed just before. Raises CommandRejected, ChangedMeanwhile, StoreUnavailable; then nothing was done.
    """
    for attempt in range(1, ATTEMPTS_MAX + 1):
        preview = preview_command(ledger, by, reason, command)
        try:
            return CommandDone(preview, run_command(ledger, by, reason, command, expected or preview.fingerprint))
        except ChangedMeanwhile:
            if expected or attempt == ATTEMPTS_MAX:
                raise
    raise AssertionError


def _event(row: LogRow) -> PreviewedEvent:
    shown = operator_event_row(row.position, decode_operator_event(row.topic, row.state))
    return PreviewedEvent(shown.kind, row.stream_id if is_of_call(row) else None, shown.about)


def preview_document(preview: CommandPreview, result: CommandResult | None = None) -> dict[str, Any]:
    """Return what a command would do, or did, as JSON has it; amounts are exact decimals in US cents."""
    positions = [each.position for each in result.events] if result else [None] * len(preview.events)
    return {
        "dry_run": result is None,
        "preview": preview.fingerprint,
        "position": result.position if result else None,
        "events": [
            {"position": position, "type": each.kind, "call_id": each.call_id, "about": each.about}
            for position, each in zip(positions, preview.events, strict=True)
        ],
        "moved": [moved_document(each) for each in preview.moved.months],
        "calls": [
            {"call_id": each.call_id, "before": _standing(each.before), "after": _standing(each.after)}
            for each in preview.moved.calls
        ],
        "can_be_undone": preview.is_reversible,
    }


def moved_document(moved: MovedAmounts) -> dict[str, Any]:
    """Return what moves in a month of an account, as JSON has it."""
    amounts = moved.amounts
    return {
        "account": moved.account,
        "period": moved.period,
        "original_period": moved.original_period,
        "calls": amounts.calls,
        "billed_seconds": amounts.billed_seconds,
        **{name: plain(getattr(amounts, name)) for name in ("cost", "sip_credits", "price", "margin")},
    }


def _standing(found: CallStanding | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return found._asdict() | {"cost": plain(found.cost), "price": plain(found.price)}
