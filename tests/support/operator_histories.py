"""Operators at work: logs made step by step at random of notices, tariffs, reratings, corrections, reversals and closings.

Shared by the tests of what operators do.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from uuid import UUID

from sqlalchemy import Table

from domain import times
from domain.calls.call_stream import CallStream
from domain.errors import CommandRejected
from domain.events.streams_of_calls import is_of_call
from domain.ledger import Ledger
from domain.operators.session import OperatorSession
from projections.building.catch_up import catch_up
from projections.schema.tables import CDRS, POSTINGS
from projections.stores.generations import open_current
from tests.support.ledgers import opened, record, tables
from tests.support.notices import SECOND, START, TAG, callstatus, cdr

DAY = 86_400 * SECOND
BY, WHY = "ann", "the customer asked"
TARIFFS = (
    '[[rules]]\ntag = "*"\nmarkup_percent = 20',
    '[[rules]]\ntag = "sales"\naccount = "acme"\nper_minute = 0.6\nincrement = "30/6"\nrounding = { mode = "up", places = 2, level = "call" }',
    'timezone = "Pacific/Kiritimati"\n[[rules]]\ntag = "s*"\naccount = "acme"\nmarkup_percent = 50\nfixed = 1',
)
Step = Callable[[Ledger, "World"], None]


class World:
    """The clock, and how many notices have come."""

    def __init__(self) -> None:
        self.now = START
        self.count = 0
        self.frozen: dict[str, list[tuple[object, ...]]] = {}

    def clock(self) -> int:
        return self.now


@contextmanager
def ledger_in(world: World) -> Iterator[Ledger]:
    with tempfile.TemporaryDirectory() as folder, opened(f"sqlite:///{folder}/l.db", clock=world.clock) as ledger:
        yield ledger


def act(ledger: Ledger, do: Callable[[OperatorSession], int]) -> int:
    with ledger.operator_session(BY, WHY) as session:
        return do(session)


def named(rows: list[tuple[object, ...]], table: Table) -> list[dict[str, object]]:
    names = table.columns.keys()
    return [dict(zip(names, row, strict=True)) for row in rows]


def hear(kind: str, minutes: int, tag: str, cost: int) -> Step:
    def step(ledger: Ledger, world: World) -> None:
        world.count += 1
        at = world.now - START + minutes * 60 * SECOND
        numbers = {"destduration": str(cost * 7), "destcharge": f"{cost}.5", "srcduration": "3"}
        notice = (
            cdr(max(at, 0), r=str(world.count), tag=tag, **numbers)
            if kind == "cdr"
            else callstatus(kind, max(at, 0), r=str(world.count), tag=tag)
        )
        record(ledger, notice)

    return step


def wait(days: int) -> Step:
    def step(_ledger: Ledger, world: World) -> None:
        world.now += days * DAY

    return step


def publish(which: int) -> Step:
    return lambda ledger, _: void_of(act(ledger, lambda session: session.publish_tariff(TARIFFS[which])))


def void_of(_position: int) -> None:
    """Drop what a step returns."""


def some_call(ledger: Ledger, number: int) -> UUID:
    streams = sorted({row.stream for row in ledger.store.page(0, 10_000, ledger.head()) if is_of_call(row)})
    if not streams:
        raise CommandRejected("no call yet")
    return UUID(streams[number % len(streams)])


def correct(what: str, one: int, other: int) -> Step:
    def step(ledger: Ledger, _world: World) -> None:
        position = other % (ledger.head() + 1)
        if what == "undo":
            act(ledger, lambda session: session.undo(position))
        elif what == "release":
            act(ledger, lambda session: session.release_cdr(position))
        elif what == "adjust":
            act(
                ledger,
                lambda session: session.adjust_account(
                    ("acme", TAG)[one % 2], other * 1000 - 5000, f"2026-{9 + one % 4:02}"
                ),
            )
        else:
            correct_call(ledger, what, one, other)

    return step


def correct_call(ledger: Ledger, what: str, one: int, other: int) -> None:
    call, another = some_call(ledger, one), some_call(ledger, other)
    if what == "void":
        act(ledger, lambda session: session.void_call(call))
    elif what == "rerate":
        act(ledger, lambda session: session.rerate_call(call, other % 3 + 1))
    elif what == "merge":
        act(ledger, lambda session: session.merge_calls(call, another))
    elif what == "split":
        stream = stream_of(ledger, call)
        members = [position for position, _ in stream.notices_at(stream.last)]
        act(ledger, lambda session: session.split_call(call, members[other % len(members) :][:2] if members else []))


def close(ledger: Ledger, world: World) -> None:
    """Close the month before the present one, and remember how it looks."""
    period = times.day(world.now - 15 * DAY, "UTC")[:7]
    act(ledger, lambda session: session.close_month(period))
    followed(ledger)
    world.frozen |= {period: month_of(ledger, period)} | {
        earlier: month_of(ledger, earlier) for earlier in world.frozen if earlier < period
    }
    for earlier in {row["period"] for row in named(tables(ledger)["cdrs"], CDRS)}:
        if str(earlier) <= period:
            world.frozen.setdefault(str(earlier), month_of(ledger, str(earlier)))


def month_of(ledger: Ledger, period: str) -> list[tuple[object, ...]]:
    found = tables(ledger)
    of_month = [
        row
        for name, table in (("cdrs", CDRS), ("postings", POSTINGS))
        for row, values in zip(found[name], named(found[name], table), strict=True)
        if values["period"] == period
    ]
    return [*of_month, *(row for row in found["billing"] if row[1] == period)]


def followed(ledger: Ledger) -> None:
    store = open_current(ledger)
    try:
        catch_up(ledger, store)
    finally:
        store.close()


def stream_of(ledger: Ledger, call: UUID) -> CallStream:
    return CallStream(ledger.history(call), ledger.events_at)


KINDS = ("cdr", "cdr", "SRCANSWERED", "COMPLETED", "DESTBUSY", "USERDTMFINPUT", "SRCFAILED")
CORRECTIONS = ("undo", "undo", "release", "adjust", "void", "rerate", "rerate", "merge", "split", "split")


def some_step(random: Random) -> Step:
    """Return a step; notices and corrections are the most likely ones."""
    chance = random.random()
    if chance < 0.45:
        minutes = random.choice([0, 0, 1, 2, -60 * 24 * 20])
        return hear(random.choice(KINDS), minutes, random.choice([TAG, TAG, "support"]), random.randint(0, 2))
    if chance < 0.85:
        return correct(random.choice(CORRECTIONS), random.randint(0, 30), random.randint(0, 30))
    if chance < 0.89:
        return publish(random.randint(0, 2))
    if chance < 0.93:
        return wait(random.choice([1, 20, 40]))
    return close if chance < 0.985 else lambda ledger, _world: followed(ledger)


def steps_of(seed: int) -> list[Step]:
    """Return steps at random. A seed, and not a strategy of steps: those that Hypothesis draws are nearly all refused."""
    random = Random(seed)
    return [some_step(random) for _ in range(random.randint(10, 60))]


def run(ledger: Ledger, world: World, steps: list[Step]) -> None:
    """Take the steps; what makes no sense as things stand is refused, and then nothing of it is there."""
    for step in steps:
        head = ledger.head()
        try:
            step(ledger, world)
        except CommandRejected:
            assert ledger.head() == head
