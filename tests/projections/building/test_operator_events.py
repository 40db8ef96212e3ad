"""Whatever operators do, in whatever order: catching up and rebuilding agree, closed months stay, and no money is lost.

The money is checked against an obvious reckoning: what every call comes to by now, and what was adjusted, summed over all
months.
"""

from collections import Counter
from unittest import mock
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.errors import CommandRejected
from domain.events.operator_events import OPERATOR_EVENTS
from domain.events.streams_of_calls import is_of_call
from domain.ledger import Ledger
from projections.building import catch_up as catching_up
from projections.building.rebuild import check_read_models, rebuild
from projections.rows import billed_amounts as bills
from projections.schema.tables import ENTRIES, EXCEPTIONS, TOTALS
from projections.stores.generations import open_current
from tests.support.effort import examples
from tests.support.ledgers import tables
from tests.support.notices import START, TAG
from tests.support.operator_events import PARTY, STATEMENT, number_and_reissue
from tests.support.operator_histories import (
    BY,
    WHY,
    Step,
    World,
    act,
    close,
    correct,
    followed,
    hear,
    ledger_in,
    month_of,
    named,
    publish,
    run,
    some_call,
    steps_of,
    stream_of,
    wait,
)

STEPS = st.integers(0, 1 << 30).map(steps_of)


def assert_no_money_lost(ledger: Ledger) -> None:
    """All entries of an account, over all months, come to what its calls come to by now, and what was adjusted."""
    books, expected = ledger.billing_context(), Counter[tuple[str, str]]()
    rows = ledger.store.page(0, 10_000, ledger.head())
    for stream in sorted({row.stream for row in rows if is_of_call(row)}):
        found = stream_of(ledger, UUID(stream))
        due = bills.billed_amount(found.call_at(found.last), books)
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
        with store.snapshot() as connection:
            return [tuple(row) for row in connection.execute(ENTRIES.select())]
    finally:
        store.close()


def assert_billing_is_the_sum_of_entries(ledger: Ledger) -> None:
    sums: dict[tuple[object, object], list[int]] = {}
    for entry in named(entries_of(ledger), ENTRIES):
        total = sums.setdefault((entry["account"], entry["period"]), [0] * (len(TOTALS) + 1))
        total[:] = [was + int(str(entry[name])) for was, name in zip(total, TOTALS, strict=False)] + [total[-1] + 1]
    assert {(row[0], row[1]): list(row[2:]) for row in tables(ledger)["billing"]} == sums


@examples(150)
@given(STEPS, st.integers(1, 7))
def test_whatever_operators_do_catching_up_and_rebuilding_agree_and_no_money_is_lost(
    steps: list[Step], size: int
) -> None:
    world = World()
    with ledger_in(world) as ledger, mock.patch.object(catching_up, "PAGE_SIZE", size):
        run(ledger, world, steps)
        followed(ledger)
        caught_up = tables(ledger)
        assert check_read_models(ledger).differences == []
        rebuild(ledger)
        assert tables(ledger) == caught_up
        for period, rows in world.frozen.items():
            assert month_of(ledger, period) == rows
        assert_no_money_lost(ledger)
        assert_billing_is_the_sum_of_entries(ledger)


def test_a_page_may_end_where_a_call_takes_a_position_back_that_another_still_has() -> None:
    world = World()
    with ledger_in(world) as ledger, mock.patch.object(catching_up, "PAGE_SIZE", 1):
        run(ledger, world, [hear("COMPLETED", 0, TAG, 1), hear("SRCANSWERED", 400, TAG, 1)])
        first, second = (UUID(ledger.store.page(position, 1, 2)[0].stream) for position in (0, 1))
        act(ledger, lambda session: session.merge_calls(first, second))
        # The event of the call that gave its notices is the one to undo: so it is undone first.
        act(ledger, lambda session: session.undo(stream_of(ledger, first).operator_events[-1].position))
        followed(ledger)
        assert check_read_models(ledger).differences == []


@examples(60)
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
        before = rows_but_the_audit_trail(ledger)
        call = some_call(ledger, which)
        stream = stream_of(ledger, call)
        members = [position for position, _ in stream.notices_at(stream.last)]
        if len(members) < 2:
            return
        act(ledger, lambda session: session.split_call(call, members[cut % (len(members) - 1) + 1 :]))
        new = UUID(stream_of(ledger, call).operator_events[-1].event.other)  # type: ignore[attr-defined]
        followed(ledger)
        assert rows_but_the_audit_trail(ledger) != before
        act(ledger, lambda session: session.merge_calls(new, call))
        followed(ledger)
        assert rows_but_the_audit_trail(ledger) == before


def rows_but_the_audit_trail(ledger: Ledger) -> dict[str, object]:
    """Return all rows but those of ``operator_events``, which keeps what was done and undone."""
    return {name: rows for name, rows in tables(ledger).items() if name != "operator-events"}


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
        act(ledger, lambda session: session.resolve_exception(str(found["flag"]), int(str(found["position"]))))
        followed(ledger)
        resolved = named(tables(ledger)["exceptions"], EXCEPTIONS)[0]
        assert (resolved["resolved_by"], resolved["resolution"]) == (BY, WHY)
        ledger.record([ledger.verify_delivery(b"f=tm&type=cdr&sig=00", START)])
        with ledger.operator_session(BY, WHY) as session:
            session.resolve_quarantined(1)
            session.fork_log(2, "tringledger/of-this-test/2", "", 0)
            session.publish_party(PARTY)
            number_and_reissue(session, STATEMENT._replace(period=min(world.frozen)))
        topics = {row.topic for row in ledger.store.page(0, 1000, ledger.head())}
        assert {*OPERATOR_EVENTS} <= topics
        assert ledger.store.count_quarantined() == (0, 0)


@pytest.mark.parametrize("by", ["", " ", "x" * 257])
def test_an_act_says_who_did_it_or_is_refused(by: str) -> None:
    with ledger_in(World()) as ledger, pytest.raises(CommandRejected, match="by is"), ledger.operator_session(by, WHY):
        pass
