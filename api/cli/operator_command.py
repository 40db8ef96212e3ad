"""What the commands share by which operators correct: one transaction, and then what it has appended to the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from api.cli.console import note, print_json, print_table
from api.cli.ledger_access import open_ledger

if TYPE_CHECKING:
    from api.application.event_feed import FeedEvent
    from domain.operators.session import OperatorSession

UNTOLD = ("reason",)


def run_operator_command(
    store: str | None, by: str, reason: str, do: Callable[[OperatorSession], object], output: str
) -> None:
    """Let an operator act, and show the events that came of it; raises CommandRejected, and then nothing was done."""
    import msgspec

    from api.application.event_feed import read_event

    with open_ledger(store) as (ledger, _):
        with ledger.operator_session(by, reason) as acting:
            before = acting.position
            do(acting)
            after = acting.position
        events = [read_event(row) for row in ledger.store.page(before, after - before, after)]
    if output == "json":
        print_json([msgspec.to_builtins(each) for each in events])
        return
    print_table(
        ["position", "what", "call", "what exactly"],
        [[each.position, each.type, each.call_id, _exactly(each)] for each in events],
    )
    if events and _is_reversible(events[-1]):
        note(f"`tringledger undo {after}` reverses it")


def _is_reversible(last: FeedEvent) -> bool:
    from domain.events.operator_events import (
        AccountAdjusted,
        CallRerated,
        CallVoided,
        ExceptionResolved,
        NoticesMoved,
    )

    kinds = (NoticesMoved, CallVoided, CallRerated, AccountAdjusted, ExceptionResolved)
    return last.type in {kind.TOPIC.partition(":")[2] for kind in kinds}


def _exactly(found: FeedEvent) -> str:
    return " ".join(f"{name}={value}" for name, value in found.parameters if name not in UNTOLD)
