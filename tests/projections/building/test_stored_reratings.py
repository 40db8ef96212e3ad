"""Following reratings: a CDR's row is rated again as it is stored, and only calls of which more may change are folded."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from unittest import mock
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events.log_row import LogRow
from domain.ledger import Ledger
from projections.building import catch_up as catching_up
from projections.building.rebuild import check_read_models
from projections.rows.projector import Projector
from projections.schema.tables import CDRS, OPERATOR_EVENTS
from tests.support.effort import examples
from tests.support.ledgers import opened, record, tables
from tests.support.notices import notices_of_call, priced_cdr
from tests.support.operator_histories import (
    World,
    act,
    close,
    correct,
    followed,
    ledger_in,
    named,
    publish,
    run,
    some_step,
    steps_of,
    wait,
)

OLD = '[[rules]]\ntag = "*"\naccount = "acme"\nper_minute = 6\n'
NEW = '[[rules]]\ntag = "moving"\naccount = "other"\nper_minute = 9\n' + OLD.replace("6", "9")


@contextmanager
def noting_folds() -> Iterator[list[str]]:
    """Lend the ids of the calls that are folded in a block."""
    found: list[str] = []
    add_stream = Projector.add_stream

    def noted(self: Projector, rows: list[LogRow]) -> object:
        found.append(rows[0].stream_id)
        return add_stream(self, rows)

    with mock.patch.object(Projector, "add_stream", noted):
        yield found


def ids_by_tag(ledger: Ledger) -> dict[str, str]:
    return {str(row["tag"]): str(row["call_id"]) for row in named(tables(ledger)["cdrs"], CDRS)}


def prices(ledger: Ledger) -> dict[str, object]:
    return {str(row["tag"]): row["price"] for row in named(tables(ledger)["cdrs"], CDRS)}


def test_only_calls_of_which_more_than_the_price_may_change_are_folded(store_url: str) -> None:
    with opened(store_url) as ledger:
        act(ledger, lambda session: session.publish_tariff(OLD))
        for number, tag in enumerate(("plain", "twice", "voided", "moving")):
            record(ledger, *notices_of_call(number, tag))
        record(ledger, priced_cdr(5, tag="address", src="sip:ann:secret@example.org"))
        followed(ledger)
        calls = ids_by_tag(ledger)
        act(ledger, lambda session: session.void_call(UUID(calls["voided"])))
        act(ledger, lambda session: session.publish_tariff(NEW))
        followed(ledger)
        for version, tags in ((2, calls), (1, ("twice",)), (2, ("twice",))):
            for tag in tags:
                act(ledger, lambda session, tag=tag, version=version: session.rerate_call(UUID(calls[tag]), version))  # type: ignore[misc]
        with noting_folds() as folded:
            followed(ledger)
        assert {*folded} == {calls[tag] for tag in ("voided", "moving", "address")}
        assert prices(ledger) == {
            "plain": 7_500_000,
            "twice": 7_500_000,
            "voided": 0,
            "moving": 7_500_000,
            "address": 7_500_000,
        }
        moved = [row["moved"] for row in named(tables(ledger)["operator-events"], OPERATOR_EVENTS)]
        assert moved[-2:] == [-2_500_000, 2_500_000]
        assert check_read_models(ledger).differences == []


@pytest.mark.only_on("sqlite")
def test_a_call_during_whose_life_a_month_was_closed_is_folded_and_a_later_one_is_not() -> None:
    world = World()
    with ledger_in(world) as ledger:
        act(ledger, lambda session: session.publish_tariff(OLD))
        record(ledger, *notices_of_call(1, "before"))
        run(ledger, world, [wait(40), close])
        record(ledger, *notices_of_call(2, "after"))
        followed(ledger)
        calls = ids_by_tag(ledger)
        act(ledger, lambda session: session.publish_tariff(NEW))
        for call in calls.values():
            act(ledger, lambda session, call=call: session.rerate_call(UUID(call), 2))  # type: ignore[misc]
        with noting_folds() as folded:
            followed(ledger)
        assert folded == [calls["before"]]
        assert prices(ledger) == {"before": 5_000_000, "after": 7_500_000}
        assert len(tables(ledger)["postings"]) == 1
        assert check_read_models(ledger).differences == []


@pytest.mark.only_on("sqlite")
@examples(40)
@given(st.integers(0, 1 << 30), st.sampled_from((1, 2, 5, 4000)))
def test_reratings_among_whatever_operators_do_are_followed_as_a_rebuild_folds_them(seed: int, size: int) -> None:
    world, random = World(), Random(seed)
    with ledger_in(world) as ledger, mock.patch.object(catching_up, "PAGE_SIZE", size):
        run(ledger, world, [*map(publish, range(3)), *steps_of(seed)])
        followed(ledger)
        for _ in range(3):
            reratings = [correct("rerate", random.randint(0, 30), random.randint(0, 2)) for _ in range(8)]
            run(ledger, world, [*reratings, *(some_step(random) for _ in range(4)), *reratings[:2]])
            followed(ledger)
        assert check_read_models(ledger).differences == []
