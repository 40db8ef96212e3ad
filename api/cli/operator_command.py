"""What the commands share by which operators correct: one transaction, and then what it has appended to the log."""

from collections.abc import Callable

import msgspec

from api.application.event_feed import Event, event
from api.cli.console import as_json, say, table
from api.cli.ledger_access import reading
from domain.events.operator_events import AccountAdjusted, CallRerated, CallVoided, ExceptionResolved, NoticesMoved
from domain.operators.session import Acting

UNTOLD = ("reason",)
REVERSIBLE = {
    kind.TOPIC.partition(":")[2] for kind in (NoticesMoved, CallVoided, CallRerated, AccountAdjusted, ExceptionResolved)
}


def act(store: str | None, by: str, reason: str, do: Callable[[Acting], object], output: str) -> None:
    """Let an operator act, and show the events that came of it; raises WrongAct, and then nothing was done."""
    with reading(store) as (ledger, _):
        with ledger.acting(by, reason) as acting:
            before = acting.position
            do(acting)
            after = acting.position
        events = [event(row) for row in ledger.store.page(before, after - before, after)]
    if output == "json":
        as_json([msgspec.to_builtins(each) for each in events])
        return
    table(
        ["position", "what", "call", "what exactly"],
        [[each.position, each.type, each.call_id, _exactly(each)] for each in events],
    )
    if events and events[-1].type in REVERSIBLE:
        say(f"`tringledger undo {after}` reverses it")


def _exactly(found: Event) -> str:
    return " ".join(f"{name}={value}" for name, value in found.parameters if name not in UNTOLD)
