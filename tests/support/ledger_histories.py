"""Lives of ledgers, for property tests: notices of TringMe, and all that operators may do to them, in any order.

What an operator asks for may make no sense at the moment, and is refused then, as it would be in life: the point is what the
ledger says of the rest. Calls, versions and positions are drawn as plain numbers, and counted round what there is.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import UUID

from hypothesis import strategies as st

from domain.calls.call import REPEATED_CDR
from domain.calls.call_stream import CallStream
from domain.errors import CommandRejected
from domain.events.operator_events import OPERATOR_EVENTS as ACT_TOPICS
from domain.events.operator_events import AccountCharge
from domain.events.streams_of_calls import is_of_call
from domain.ledger import Ledger
from tests.support import strategies
from tests.support.notices import signed

BY, WHY = "ann", "as agreed"
MONTHS = ("2026-09", "2026-10", "2026-11")
ACCOUNTS = ("sales", "acme")
TARIFFS = (
    '[[rules]]\ntag = "*"\nmarkup_percent = 20\n',
    """
    [[rules]]
    tag = "sales"
    account = "acme"
    per_minute = 0.6
    increment = "30/6"
    connection_fee = 1
    rounding = { mode = "up", places = 1, level = "call" }
    [accounts.acme]
    timezone = "Asia/Tokyo"
    """,
    '[[rules]]\ntag = "Z*"\nfixed = 2.5\nsip_credit_price = 3\nminimum = 4\n',
    'effective_from = 2026-11-01\n[[rules]]\ntag = "*"\nper_minute = 7\nleg = "both"\ngreater = true\nmarkup_percent = 1\n',
)
ACTS = ("publish", "close", "rerate", "void", "split", "merge", "release", "adjust", "undo", "resolve")


class Did(NamedTuple):
    """What an operator did: one of ACTS, and numbers that say to what."""

    act: str
    numbers: tuple[int, int]


Step = tuple[int, strategies.Pairs] | Did

_deeds = st.builds(Did, st.sampled_from(ACTS), st.tuples(st.integers(0, 30), st.integers(0, 30)))


@st.composite
def lives(draw: st.DrawFn, max_size: int = 25) -> list[Step]:
    """Notices as in any log, with what operators do between them; mostly there is a tariff from the beginning."""
    notices: list[Step] = list(draw(strategies.logs(max_size=max_size)))
    steps = notices
    least = draw(st.sampled_from((0, 4, 8)))
    for deed in draw(st.lists(_deeds, min_size=least, max_size=2 * least + 3)):
        steps.insert(draw(st.integers(0, len(steps))), deed)
    first = draw(st.sampled_from((0, 1, 1, 2, 3)))
    return [*([Did("publish", (first, 0))] if draw(st.booleans()) else []), *steps]


def live(ledger: Ledger, step: Step) -> None:
    """Take one step in the life of a ledger; what makes no sense by now changes nothing."""
    if isinstance(step, Did):
        with suppress(CommandRejected), ledger.operator_session(BY, WHY) as session:
            _do(ledger, session, step)
        return
    at, pairs = step
    ledger.record([ledger.verify_delivery(signed(pairs).encode(), at)])


def _do(ledger: Ledger, session: Any, did: Did) -> None:
    one, other = did.numbers
    events = ledger.store.page(0, 10_000, ledger.head())
    if did.act == "publish":
        session.publish_tariff(TARIFFS[one % len(TARIFFS)])
    elif did.act == "close":
        month = MONTHS[one % len(MONTHS)]
        charge = AccountCharge(
            account=ACCOUNTS[one % 2], month=month, tariff=1, fee=other * 1_000, minimum=9, top_up=other
        )
        session.close_month(month, charges=[charge] if other % 3 else [])
    elif did.act == "adjust":
        session.adjust_account(ACCOUNTS[one % 2], (other - 15) * 100_000, MONTHS[other % len(MONTHS)])
    elif did.act == "undo":
        session.undo(_one_of([row.position for row in events if row.topic in ACT_TOPICS], one))
    else:
        calls = sorted({row.stream for row in events if is_of_call(row)})
        streams = [CallStream(ledger.history(UUID(call)), ledger.events_at) for call in calls]
        _do_to_call(ledger, session, did, streams)


def _do_to_call(ledger: Ledger, session: Any, did: Did, streams: list[CallStream]) -> None:
    one, other = did.numbers
    stream: CallStream = _one_of(streams, one)
    call = UUID(stream.id)
    if did.act == "rerate":
        session.rerate_call(call, 1 + other % max(len(ledger.billing_context().tariffs), 1))
    elif did.act == "void":
        session.void_call(call)
    elif did.act == "merge":
        session.merge_calls(call, UUID(_one_of(streams, other).id))
    elif did.act == "split":
        session.split_call(call, [position for position, _ in stream.notices_at(stream.last)][other % 3 :: 2])
    else:
        findings = [finding for each in streams for finding in each.call_at(each.last).call_flags]
        finding = _one_of([found for found in findings if did.act == "resolve" or found.flag == REPEATED_CDR], one)
        if did.act == "resolve":
            session.resolve_exception(finding.flag, finding.position)
        else:
            session.release_cdr(finding.position)


def _one_of(those: Sequence[Any], number: int) -> Any:
    if not those:
        raise CommandRejected("there is none")
    return those[number % len(those)]
