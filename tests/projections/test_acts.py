"""Whatever operators do, in whatever order: catching up and rebuilding agree, closed months stay, and no money is lost.

Logs are made step by step at random: notices, tariffs, reratings, corrections and their reversals, and closings. The money is
checked against an obvious reckoning: what every call comes to by now, and what was adjusted, summed over all months.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from unittest import mock
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from domain import times
from domain.acting import Acting
from domain.acts import ACTS
from domain.call_stream import CallStream, is_of_call
from domain.errors import WrongAct
from domain.events import call_id
from domain.ledger import Ledger
from projections import bills
from projections import catch_up as catching_up
from projections.catch_up import catch_up
from projections.rebuild import check, rebuild
from projections.store import open_current
from projections.tables import CDRS, ENTRIES, EXCEPTIONS, POSTINGS, TOTALS
from tests.given import SECOND, START, TAG, cdr, opened, record, status, tables

DAY = 86_400 * SECOND
LINE = (TAG, "18585550001")
BY, WHY = "ann", "the customer asked"
FIRST, SECOND_CALL = (str(call_id(LINE, ordinal)) for ordinal in (1, 2))
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


def act(ledger: Ledger, do: Callable[[Acting], int]) -> int:
    with ledger.acting(BY, WHY) as acting:
        return do(acting)


def named(rows: list[tuple[object, ...]], table: object) -> list[dict[str, object]]:
    names = table.columns.keys()  # type: ignore[attr-defined]
    return [dict(zip(names, row, strict=True)) for row in rows]


# --- the steps


def hear(kind: str, minutes: int, tag: str, cost: int) -> Step:
    def step(ledger: Ledger, world: World) -> None:
        world.count += 1
        at = world.now - START + minutes * 60 * SECOND
        numbers = {"destduration": str(cost * 7), "destcharge": f"{cost}.5", "srcduration": "3"}
        notice = (
            cdr(max(at, 0), r=str(world.count), tag=tag, **numbers)
            if kind == "cdr"
            else status(kind, max(at, 0), r=str(world.count), tag=tag)
        )
        record(ledger, notice)

    return step


def wait(days: int) -> Step:
    def step(_ledger: Ledger, world: World) -> None:
        world.now += days * DAY

    return step


def publish(which: int) -> Step:
    return lambda ledger, _: void_of(act(ledger, lambda acting: acting.publish(TARIFFS[which])))


def void_of(_position: int) -> None:
    """Drop what a step returns."""


def some_call(ledger: Ledger, number: int) -> UUID:
    streams = sorted({row.stream for row in ledger.store.page(0, 10_000, ledger.head()) if is_of_call(row)})
    if not streams:
        raise WrongAct("no call yet")
    return UUID(streams[number % len(streams)])


def correct(what: str, one: int, other: int) -> Step:
    def step(ledger: Ledger, _world: World) -> None:
        position = other % (ledger.head() + 1)
        if what == "undo":
            act(ledger, lambda acting: acting.undo(position))
        elif what == "release":
            act(ledger, lambda acting: acting.release(position))
        elif what == "adjust":
            act(
                ledger,
                lambda acting: acting.adjust(("acme", TAG)[one % 2], other * 1000 - 5000, f"2026-{9 + one % 4:02}"),
            )
        else:
            correct_call(ledger, what, one, other)

    return step


def correct_call(ledger: Ledger, what: str, one: int, other: int) -> None:
    call, another = some_call(ledger, one), some_call(ledger, other)
    if what == "void":
        act(ledger, lambda acting: acting.void(call))
    elif what == "rerate":
        act(ledger, lambda acting: acting.rerate(call, other % 3 + 1))
    elif what == "merge":
        act(ledger, lambda acting: acting.merge(call, another))
    elif what == "split":
        stream = stream_of(ledger, call)
        members = [position for position, _ in stream.members(stream.last)]
        act(ledger, lambda acting: acting.split(call, members[other % len(members) :][:2] if members else []))


def close(ledger: Ledger, world: World) -> None:
    """Close the month before the present one, and remember how it looks."""
    period = times.day(world.now - 15 * DAY, "UTC")[:7]
    act(ledger, lambda acting: acting.close(period))
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


STEPS = st.integers(0, 1 << 30).map(steps_of)


def run(ledger: Ledger, world: World, steps: list[Step]) -> None:
    """Take the steps; what makes no sense as things stand is refused, and then nothing of it is there."""
    for step in steps:
        head = ledger.head()
        try:
            step(ledger, world)
        except WrongAct:
            assert ledger.head() == head


# --- what must hold


def assert_no_money_lost(ledger: Ledger) -> None:
    """All entries of an account, over all months, come to what its calls come to by now, and what was adjusted."""
    books, expected = ledger.books(), Counter[tuple[str, str]]()
    rows = ledger.store.page(0, 10_000, ledger.head())
    for stream in sorted({row.stream for row in rows if is_of_call(row)}):
        found = stream_of(ledger, UUID(stream))
        due = bills.bill(found.call(found.last), books)
        if due:
            for name, value in zip((*TOTALS, "rounding"), due.totals, strict=True):
                expected[due.rated.account, name] += value
    entries = named(entries_of(ledger), ENTRIES)
    for entry in entries:
        for name in (*TOTALS, "rounding"):
            amount = int(str(entry[name]))
            expected[str(entry["account"]), name] -= 0 if entry["kind"] == "adjustment" else amount
    assert not +expected
    assert not -expected


def entries_of(ledger: Ledger) -> list[tuple[object, ...]]:
    store = open_current(ledger)
    try:
        with store.reading() as connection:
            return [tuple(row) for row in connection.execute(ENTRIES.select())]
    finally:
        store.close()


def assert_billing_is_the_sum_of_entries(ledger: Ledger) -> None:
    sums: dict[tuple[object, object], list[int]] = {}
    for entry in named(entries_of(ledger), ENTRIES):
        total = sums.setdefault((entry["account"], entry["period"]), [0] * (len(TOTALS) + 1))
        total[:] = [was + int(str(entry[name])) for was, name in zip(total, TOTALS, strict=False)] + [total[-1] + 1]
    assert {(row[0], row[1]): list(row[2:]) for row in tables(ledger)["billing"]} == sums


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.integers(1, 7))
def test_whatever_operators_do_catching_up_and_rebuilding_agree_and_no_money_is_lost(
    steps: list[Step], size: int
) -> None:
    world = World()
    with ledger_in(world) as ledger, mock.patch.object(catching_up, "PAGE_SIZE", size):
        run(ledger, world, steps)
        followed(ledger)
        caught_up = tables(ledger)
        assert check(ledger).differences == []
        rebuild(ledger)
        assert tables(ledger) == caught_up
        for period, rows in world.frozen.items():
            assert month_of(ledger, period) == rows
        assert_no_money_lost(ledger)
        assert_billing_is_the_sum_of_entries(ledger)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.integers(0, 30), st.integers(1, 30))
@example([], 0, 1)
def test_split_then_merge_restores_the_rows(steps: list[Step], which: int, cut: int) -> None:
    world = World()
    steps = [
        hear("SRCANSWERED", 0, TAG, 1),
        hear("COMPLETED", 1, TAG, 1),
        *(step for step in steps if step is not close),
    ]
    with ledger_in(world) as ledger:
        run(ledger, world, steps)
        followed(ledger)
        before = tables(ledger)
        call = some_call(ledger, which)
        stream = stream_of(ledger, call)
        members = [position for position, _ in stream.members(stream.last)]
        if len(members) < 2:
            return
        act(ledger, lambda acting: acting.split(call, members[cut % (len(members) - 1) + 1 :]))
        new = UUID(stream_of(ledger, call).acts[-1].act.other)  # type: ignore[attr-defined]
        followed(ledger)
        assert tables(ledger) != before
        act(ledger, lambda acting: acting.merge(new, call))
        followed(ledger)
        assert tables(ledger) == before


def test_every_act_was_taken_by_the_random_steps_at_least_in_this_one_log() -> None:
    world = World()
    with ledger_in(world) as ledger:
        run(
            ledger,
            world,
            [
                hear("SRCANSWERED", 0, TAG, 1),
                hear("COMPLETED", 1, TAG, 1),
                hear("cdr", 1, TAG, 1),
                hear("cdr", 2, TAG, 1),
                *(publish(which) for which in range(3)),
                correct("release", 0, 4),
                correct("void", 0, 0),
                correct("rerate", 1, 1),
                correct("split", 0, 1),
                correct("adjust", 0, 9),
                wait(40),
                close,
                correct("merge", 0, 1),
                correct("undo", 0, 9),
            ],
        )
        followed(ledger)
        found = named(tables(ledger)["exceptions"], EXCEPTIONS)[0]
        act(ledger, lambda acting: acting.resolve(str(found["flag"]), int(str(found["position"]))))
        followed(ledger)
        resolved = named(tables(ledger)["exceptions"], EXCEPTIONS)[0]
        assert (resolved["resolved_by"], resolved["resolution"]) == (BY, WHY)
        ledger.record([ledger.inspect(b"f=tm&type=cdr&sig=00", START)])
        with ledger.acting(BY, WHY) as acting:
            acting.resolve_quarantined(1)
        topics = {row.topic for row in ledger.store.page(0, 1000, ledger.head())}
        assert {*ACTS} <= topics
        assert ledger.store.count_quarantined() == (0, 0)


@pytest.mark.parametrize("by", ["", " ", "x" * 257])
def test_an_act_says_who_did_it_or_is_refused(by: str) -> None:
    with ledger_in(World()) as ledger, pytest.raises(WrongAct, match="by is"), ledger.acting(by, WHY):
        pass
